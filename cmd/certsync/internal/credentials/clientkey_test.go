//go:build unix

package credentials

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/inventory/files"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/kubeconfig"
)

// TestKeyWithoutModes: where chmod changes nothing, nobody is told to run it.
func TestKeyWithoutModes(t *testing.T) {
	noModes := func(string) error { return files.ErrNoModes }
	name := filepath.Join(t.TempDir(), "client.key")
	fixture.WriteFile(t, name, nil, 0o777)
	if _, err := readKeyFile(name, noModes); err == nil || !strings.Contains(err.Error(), "others can read") || !strings.Contains(reconcile.Hint(err), "move the file to one that keeps permissions") {
		t.Errorf("%v, hint %q", err, reconcile.Hint(err))
	}
}

// newUserFiles writes a user's key into client.key, and a certificate into client.crt, in the folder dir. It returns what
// Vault has for them.
func newUserFiles(t *testing.T, dir string) reconcile.Credential {
	t.Helper()
	c := fixture.Credential("alice", time.Now().Add(time.Hour))
	fixture.WriteFile(t, filepath.Join(dir, "client.key"), c.Key.Reveal(), 0o600)
	fixture.WriteFile(t, filepath.Join(dir, "client.crt"), c.Certificate, 0o600)
	whole, err := kubeconfig.Writer{}.Kubeconfig(reconcile.Endpoint{Name: "prod-eu", Server: "https://k8s.example.com"}, "alice", c.Certificate, reconcile.NewSecret([]byte("key")))
	if err != nil {
		t.Fatal(err)
	}
	without := strings.Replace(string(whole.Reveal()), "    client-key-data: a2V5\n", "", 1)
	return reconcile.Credential{Kubeconfig: reconcile.NewSecret([]byte(without)), Certificate: c.Certificate}
}

// TestAddKey: a key that never left its user, a key in Vault, and the errors for both.
func TestAddKey(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	keyless := newUserFiles(t, dir)
	whole, err := AddKey("alice", keyless, "client.key")
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(whole.Kubeconfig.Reveal())
	if err != nil || string(config.KeyData) != string(whole.Key.Reveal()) || len(config.KeyData) == 0 || string(config.CertData) != string(keyless.Certificate) {
		t.Errorf("kubectl reads %v, error %v", config, err)
	}
	if got, err := AddKey("alice", whole, ""); err != nil || string(got.Kubeconfig.Reveal()) != string(whole.Kubeconfig.Reveal()) {
		t.Errorf("what is in Vault is not taken as it is: %v", err)
	}
	fixture.WriteFile(t, "bom.key", append([]byte("\ufeff"), whole.Key.Reveal()...), 0o600)
	if got, err := AddKey("alice", keyless, "bom.key"); err != nil || string(got.Key.Reveal()) != string(whole.Key.Reveal()) {
		t.Errorf("with a byte order mark: %v", err)
	}
	fixture.WriteFile(t, "utf16.key", []byte("\xff\xfe-\x00"), 0o600)
	for sentence, tt := range map[string]struct {
		file       string
		mode       os.FileMode
		c          reconcile.Credential
		want, hint string
	}{
		"none is anywhere":      {"", 0o600, keyless, `the key of "alice" is not in Vault`, "--client-key FILE"},
		"there are two":         {"client.key", 0o600, whole, `--client-key: the key of "alice" is in Vault`, "leave out --client-key"},
		"others can read it":    {"client.key", 0o640, keyless, "others can read", "chmod 600 client.key"},
		"it is in UTF-16":       {"utf16.key", 0o600, keyless, "in UTF-16", "iconv -f UTF-16 -t UTF-8 utf16.key > FILE"},
		"there is no such file": {"other.key", 0o600, keyless, "no such file", "an absolute path"},
		"it is a certificate":   {"client.crt", 0o600, keyless, "it holds no PEM private key", "BEGIN PRIVATE KEY"},
	} {
		for _, file := range []string{"client.key", "client.crt"} {
			if err := os.Chmod(file, tt.mode); err != nil {
				t.Fatal(err)
			}
		}
		_, err := AddKey("alice", tt.c, tt.file)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(reconcile.Hint(err), tt.hint) {
			t.Errorf("%s: error %v, hint %q", sentence, err, reconcile.Hint(err))
		}
	}
}
