package e2e

import (
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// deploy applies exactly what `certsync manifests` prints for the fixture's inventory, with kubectl and, for Vault, with
// sh, and returns the namespace of the job. Vault's auth method is the fixture's own, see enableAuth.
func (f *fixture) deploy() (namespace string) {
	f.Helper()
	namespace = "access-" + f.owner
	f.enableAuth("kubernetes")
	f.deployKubernetes(namespace)
	f.deployVault(namespace)
	return namespace
}

// deployKubernetes applies the Kubernetes side anew, as after a change of the inventory.
func (f *fixture) deployKubernetes(namespace string, more ...string) {
	f.Helper()
	text := f.must(0, append([]string{"manifests", "--namespace=" + namespace, "--vault-addr=" + f.servers.VaultAddr, "--vault-ca=" + f.servers.VaultCACert,
		"--vault-auth-mount=kubernetes-" + f.owner, "--image=certsync:e2e"}, more...)...).stdout
	dir := f.TempDir()
	kustomization, err := os.ReadFile("../examples/in-cluster/kustomization.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for name, text := range map[string]string{"certsync.yaml": text, "kustomization.yaml": string(kustomization)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			f.Fatal(err)
		}
	}
	f.kubectl("apply", "--server-side", "-k", dir)
}

func (f *fixture) deployVault(namespace string, more ...string) {
	f.Helper()
	text := f.must(0, append([]string{"manifests", "--vault", "--namespace=" + namespace, "--vault-auth-mount=kubernetes-" + f.owner}, more...)...).stdout
	bin := f.TempDir()
	if err := os.Symlink(testBinary(f), filepath.Join(bin, "vault")); err != nil {
		f.Fatal(err)
	}
	cmd := f.command(f.Context())
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh"}
	cmd.Stdin = strings.NewReader(text)
	cmd.Env = append(cmd.Env, "PATH="+bin+":"+os.Getenv("PATH"))
	if r := f.wait(cmd); r.code != 0 {
		f.Fatalf("vault.sh: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// running makes a Job of the CronJob and its pod, as the controllers would. The returned function expects that both are gone, and
// that a job of others is not.
func (f *fixture) running() (ended func()) {
	f.Helper()
	namespace := "access-" + f.owner
	f.kubectl("create", "job", "running", "-n", namespace, "--from=cronjob/certsync-"+f.owner)
	f.kubectl("create", "job", "another", "-n", namespace, "--image=certsync:e2e")
	template := f.kubectl("get", "job", "running", "-n", namespace, "-o", "jsonpath={.spec.template}")
	pod := strings.Replace(template, `"metadata":{`, `"apiVersion":"v1","kind":"Pod","metadata":{"name":"running","namespace":"`+namespace+`",`, 1)
	f.apply(pod)
	return func() {
		f.Helper()
		if left := f.kubectl("get", "jobs,pods", "-n", namespace, "-o", "name"); strings.TrimSpace(left) != "job.batch/another" {
			f.Errorf("jobs and pods: %s", left)
		}
		f.kubectl("delete", "job", "another", "-n", namespace)
	}
}

// become has certsync run as a service account of the deployment from now on, as its job does: with a token for the API
// server at address, and one made for Vault.
func (f *fixture) become(namespace, account, address string) {
	f.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["e2e"] = &clientcmdapi.Cluster{Server: address, CertificateAuthorityData: f.servers.CACert}
	config.AuthInfos["e2e"] = &clientcmdapi.AuthInfo{Token: f.serviceAccountToken(namespace, account)}
	config.Contexts["e2e"] = &clientcmdapi.Context{Cluster: "e2e", AuthInfo: "e2e"}
	config.CurrentContext = "e2e"
	path := filepath.Join(f.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		f.Fatal(err)
	}
	role := "certsync-" + f.owner + strings.TrimPrefix(account, "certsync")
	jwt := f.serviceAccountToken(namespace, account, audience)
	f.env = []string{
		"KUBECONFIG=" + path, "VAULT_TOKEN=", "CERTSYNC_NAMESPACE=" + namespace,
		"CERTSYNC_VAULT_AUTH=kubernetes", "CERTSYNC_VAULT_AUTH_MOUNT=kubernetes-" + f.owner, "CERTSYNC_VAULT_ROLE=" + role,
		"CERTSYNC_VAULT_TOKEN_FILE=" + f.secretFile(jwt),
	}
}
