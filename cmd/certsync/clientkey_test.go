//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/kubeconfig"
)

// newUserFiles is a user's key in client.key in the folder dir, and what stands in Vault for it.
func newUserFiles(t *testing.T, dir string) reconcile.Credential {
	t.Helper()
	newCAFiles(t, dir) // a certificate and its key are all that counts
	if err := os.Rename(filepath.Join(dir, "ca.key"), filepath.Join(dir, "client.key")); err != nil {
		t.Fatal(err)
	}
	chain, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := kubeconfig.Writer{}.Kubeconfig(reconcile.Endpoint{Name: "prod-eu", Server: "https://k8s.example.com"}, "alice", chain, reconcile.NewSecret([]byte("key")))
	if err != nil {
		t.Fatal(err)
	}
	without := strings.Replace(string(whole.Reveal()), "    client-key-data: a2V5\n", "", 1)
	return reconcile.Credential{Kubeconfig: reconcile.NewSecret([]byte(without)), Certificate: chain}
}

// TestClientKey: a key that never left its user, and one in Vault, and what goes wrong with either.
func TestClientKey(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	keyless := newUserFiles(t, dir)
	whole, err := clientKeyFlags{"client.key"}.complete("alice", keyless)
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(whole.Kubeconfig.Reveal())
	if err != nil || string(config.KeyData) != string(whole.Key.Reveal()) || len(config.KeyData) == 0 || string(config.CertData) != string(keyless.Certificate) {
		t.Errorf("kubectl reads %v, error %v", config, err)
	}
	if got, err := (clientKeyFlags{}).complete("alice", whole); err != nil || string(got.Kubeconfig.Reveal()) != string(whole.Kubeconfig.Reveal()) {
		t.Errorf("what is in Vault is not taken as it is: %v", err)
	}
	for sentence, tt := range map[string]struct {
		file       string
		mode       os.FileMode
		c          reconcile.Credential
		want, hint string
	}{
		"none is anywhere":      {"", 0o600, keyless, `the key of "alice" is not in Vault`, "--client-key FILE"},
		"there are two":         {"client.key", 0o600, whole, `--client-key: the key of "alice" is in Vault`, "leave --client-key out"},
		"others can read it":    {"client.key", 0o640, keyless, "others can read", "chmod 600 client.key"},
		"there is no such file": {"other.key", 0o600, keyless, "no such file", "name the file"},
		"it is a certificate":   {"ca.crt", 0o600, keyless, "it holds no PEM private key", "BEGIN PRIVATE KEY"},
	} {
		for _, file := range []string{"client.key", "ca.crt"} {
			if err := os.Chmod(file, tt.mode); err != nil {
				t.Fatal(err)
			}
		}
		_, err := clientKeyFlags{tt.file}.complete("alice", tt.c)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(reconcile.Hint(err), tt.hint) {
			t.Errorf("%s: error %v, hint %q", sentence, err, reconcile.Hint(err))
		}
	}
}
