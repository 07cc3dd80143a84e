//go:build linux

// Where $XDG_CACHE_HOME says where caches are.

package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	clientauthentication "k8s.io/client-go/pkg/apis/clientauthentication/v1"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/reconcile"
)

// vaultWith starts a Vault that has a credential for alice, and counts what it is asked.
func vaultWith(t *testing.T, c reconcile.Credential) (s *httptest.Server, asked *atomic.Int32) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"data": map[string]any{
		"data":     map[string]string{"kubeconfig": "kubeconfig", "tls.crt": string(c.Certificate), "tls.key": string(c.Key.Reveal())},
		"metadata": map[string]int{"version": 1},
	}})
	if err != nil {
		t.Fatal(err)
	}
	asked = &atomic.Int32{}
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.URL.Path != "/v1/secret/data/certsync/prod-eu/users/alice" || r.Header.Get("X-Vault-Token") != "token" {
			answerAsVault(w, r)
			return
		}
		answer(w, http.StatusOK, string(text))
	}))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s, asked
}

// credentialProcess prepares the plugin as kubectl runs it, with what env adds to its environment.
func credentialProcess(t *testing.T, dir string, vault *httptest.Server, env ...string) *exec.Cmd {
	t.Helper()
	info := `KUBERNETES_EXEC_INFO={"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":false}}`
	env = append([]string{"XDG_CACHE_HOME=" + filepath.Join(dir, "caches"), "VAULT_ADDR=" + vault.URL, "VAULT_TOKEN=token", info}, env...)
	return process(t, dir, env, []string{"credential", "--owner=prod-eu", "--user=alice"})
}

// printsIt checks that a run printed the credential and nothing else, and what it said beside it.
func printsIt(t *testing.T, r result, c reconcile.Credential, said string) {
	t.Helper()
	var got clientauthentication.ExecCredential
	decoder := json.NewDecoder(strings.NewReader(r.stdout))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&got); err != nil || decoder.More() || got.Status == nil || r.code != exitOK {
		t.Fatalf("exit %d, %v\n%s", r.code, err, r.stderr)
	}
	until := time.Until(got.Status.ExpirationTimestamp.Time)
	if got.Status.ClientCertificateData != string(c.Certificate) || got.Status.ClientKeyData != string(c.Key.Reveal()) || until <= 0 || until > time.Hour {
		t.Errorf("another credential, or for too long: %s", until)
	}
	if !strings.HasPrefix(r.stderr, said) || said == "" && r.stderr != "" || strings.Contains(r.stderr, "PRIVATE KEY") {
		t.Errorf("stderr: %s", r.stderr)
	}
}

// TestCredentialProcess: kubectl's plugin, and the same by hand; the second time without Vault.
func TestCredentialProcess(t *testing.T) {
	t.Parallel()
	c := fixture.Credential("alice", time.Now().Add(24*time.Hour))
	vault, asked := vaultWith(t, c)
	dir := t.TempDir()
	printsIt(t, run(t, credentialProcess(t, dir, vault)), c, "")
	printsIt(t, run(t, credentialProcess(t, dir, vault, execInfo+"=")), c, "")
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
	refresh := credentialProcess(t, dir, vault)
	refresh.Args = append(refresh.Args, "--refresh")
	printsIt(t, run(t, refresh), c, "")
	if asked.Load() != 2 {
		t.Errorf("with --refresh asked %d times", asked.Load())
	}
	vault.Close()
	printsIt(t, run(t, credentialProcess(t, dir, vault)), c, "")
}

// TestManyPlugins: many at once, as many kubectl start them, each print the credential, and leave one whole cache.
func TestManyPlugins(t *testing.T) {
	t.Parallel()
	c := fixture.Credential("alice", time.Now().Add(24*time.Hour))
	vault, _ := vaultWith(t, c)
	dir := t.TempDir()
	var waits []func() result
	for range 8 {
		waits = append(waits, start(t, credentialProcess(t, dir, vault)))
	}
	for _, wait := range waits {
		printsIt(t, wait(), c, "")
	}
	vault.Close()
	printsIt(t, run(t, credentialProcess(t, dir, vault)), c, "")
	if files, err := os.ReadDir(filepath.Join(dir, "caches", "certsync")); err != nil || len(files) != 1 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

// TestNowhereToKeepIt: where nothing can be written, the credential is printed all the same, and nothing is left behind.
func TestNowhereToKeepIt(t *testing.T) {
	t.Parallel()
	c := fixture.Credential("alice", time.Now().Add(24*time.Hour))
	vault, asked := vaultWith(t, c)
	dir := t.TempDir()
	for range 2 {
		cmd := credentialProcess(t, dir, vault)
		cmd.Args = append([]string{"sh", "-c", `ulimit -f 0; exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
		cmd.Path = "/bin/sh"
		printsIt(t, run(t, cmd), c, "certsync: keeping the credential in the cache: write ")
	}
	if files, err := os.ReadDir(filepath.Join(dir, "caches", "certsync")); err != nil || len(files) > 0 || asked.Load() != 2 {
		t.Errorf("left behind: %v, %v; asked %d times", files, err, asked.Load())
	}
}
