package harness

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

const kubeconfigFormat = `apiVersion: v1
kind: Config
current-context: e2e
clusters:
- name: e2e
  cluster:
    server: %s
    certificate-authority-data: %s
contexts:
- name: e2e
  context:
    cluster: e2e
    user: %q
users:
- name: %q
  user:
    client-certificate-data: %s
    client-key-data: %s
`

// writeKubeconfigs writes those of the admin and of the controller manager, and connects the admin's client.
func (s *Servers) writeKubeconfigs() error {
	const admin = "e2e-admin"
	certPEM, keyPEM, err := s.pki.cluster.issue(subject(admin, []string{"system:masters"}))
	if err != nil {
		return err
	}
	certificate, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return err
	}
	s.admin = newClient(s.KubeURL, s.CACert, certificate)
	s.AdminKubeconfig = s.path("admin.kubeconfig")
	if err := s.writeKubeconfig(s.AdminKubeconfig, s.KubeURL, admin, certPEM, keyPEM); err != nil {
		return err
	}
	const manager = "system:kube-controller-manager"
	if certPEM, keyPEM, err = s.pki.cluster.issue(subject(manager, nil)); err != nil {
		return err
	}
	return s.writeKubeconfig(s.path("controller-manager.kubeconfig"), s.KubeURL, manager, certPEM, keyPEM)
}

// UserKubeconfig signs a client certificate by the cluster's CA, past any request, and returns the path
// of a kubeconfig with it. Its cluster and context are called e2e. The same name gives the same file.
func (s *Servers) UserKubeconfig(name string, groups []string) (string, error) {
	certPEM, keyPEM, err := s.pki.cluster.issue(subject(name, groups))
	if err != nil {
		return "", fmt.Errorf("issuing a certificate for %q: %w", name, err)
	}
	path := s.path("users", fileName(name)+".kubeconfig")
	return path, s.writeKubeconfig(path, s.KubeURL, name, certPEM, keyPEM)
}

func subject(name string, groups []string) pkix.Name {
	return pkix.Name{CommonName: name, Organization: groups}
}

func (s *Servers) writeKubeconfig(path, server, user string, certPEM, keyPEM []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	base64 := base64.StdEncoding.EncodeToString
	content := fmt.Sprintf(kubeconfigFormat, server, base64(s.CACert), user, user, base64(certPEM), base64(keyPEM))
	return os.WriteFile(path, []byte(content), 0o600)
}

// Kubectl runs the real kubectl as the user of a kubeconfig.
func (s *Servers) Kubectl(ctx context.Context, kubeconfig string, args ...string) (stdout, stderr string, err error) {
	cmd := s.KubectlCommand(ctx, kubeconfig, args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err = cmd.Run(); err != nil {
		err = fmt.Errorf("running kubectl %q: %w: %s", args, err, bytes.TrimSpace(errOut.Bytes()))
	}
	return out.String(), errOut.String(), err
}

// KubectlCommand is for a kubectl that needs an input, or more in its environment. That is otherwise PATH
// and a HOME in the set's folder, so that no kubeconfig, kuberc or cache of the developer's takes part.
func (s *Servers) KubectlCommand(ctx context.Context, kubeconfig string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.KubectlPath, append([]string{"--kubeconfig=" + kubeconfig}, args...)...)
	cmd.Env = s.environment()
	return cmd
}
