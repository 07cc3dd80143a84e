//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/cmd/certsync/internal/invocation"
	"github.com/certsync/certsync/cmd/certsync/internal/vaultlogin"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/kubeconfig"
)

// merging prepares a process that merges alice's kubeconfig into the file config of dir.
func merging(t *testing.T, dir string, more ...string) *exec.Cmd {
	t.Helper()
	args := append([]string{"kubeconfig", "--owner=prod-eu", "--user=alice@example.com", "--merge", "--kubeconfig=config"}, more...)
	return process(t, dir, []string{"VAULT_ADDR=" + newVault(t), "VAULT_TOKEN=token"}, args)
}

// TestMergeWithoutRoom: with a limit for the size of files, which is what a full disk is to a process, the file is as it was,
// and nothing lies beside it but its backup.
func TestMergeWithoutRoom(t *testing.T) {
	const start = "apiVersion: v1\nkind: Config\n# "
	for sentence, tt := range map[string]struct {
		old  string
		want []string
	}{
		"no room for the backup":   {start + strings.Repeat("mine ", 300) + "\n", []string{"config"}},
		"no room for the new text": {start + strings.Repeat("mine ", 80) + "\n", []string{"config", "config.certsync.bak"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			dir := t.TempDir()
			fixture.WriteFile(t, filepath.Join(dir, "config"), []byte(tt.old), 0o600)
			cmd := merging(t, dir, "--exec")
			// A block is 512 bytes in some shells and 1,024 in others.
			cmd.Args = append([]string{"sh", "-c", `ulimit -f 1; exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
			cmd.Path = "/bin/sh"
			r := run(t, cmd)
			if r.code != exitError || !strings.Contains(r.stderr, "file too large") || !strings.Contains(r.stderr, "hint: check that the disk has room") {
				t.Errorf("exit %d, %s%s", r.code, r.stdout, r.stderr)
			}
			unchanged(t, dir, tt.old, tt.want)
		})
	}
}

// TestMergeWithoutRights: in a folder that it may not write to, it says so and leaves everything.
func TestMergeWithoutRights(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "certsync-rights") // nobody else may look into t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	const old = "apiVersion: v1\nkind: Config\n"
	fixture.WriteFile(t, filepath.Join(dir, "config"), []byte(old), 0o644)
	cmd := merging(t, dir)
	if os.Getuid() == 0 { // whom nothing is forbidden
		self, err := os.ReadFile(cmd.Path)
		if err != nil {
			t.Fatal(err)
		}
		bin, err := os.MkdirTemp("/tmp", "certsync-bin")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(bin) })
		fixture.WriteFile(t, filepath.Join(bin, "certsync"), self, 0o755)
		if err := os.Chmod(bin, 0o755); err != nil {
			t.Fatal(err)
		}
		cmd.Path = filepath.Join(bin, "certsync")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	r := run(t, cmd)
	if r.code != exitError || !strings.Contains(r.stderr, "locking the kubeconfig: open config.lock: permission denied\nhint: you must be able to write to its folder") {
		t.Errorf("exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
	unchanged(t, dir, old, []string{"config"})
}

// unchanged checks that config is what it was, and that only these files are there.
func unchanged(t *testing.T, dir, old string, want []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "config"))
	if err != nil || string(text) != old {
		t.Errorf("the kubeconfig has changed (%v): %s", err, text)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		found = append(found, e.Name())
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Error(diff)
	}
}

// TestPlugin: the command that kubectl will run names Vault and the user, works in every folder, and holds no secret.
func TestPlugin(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "VAULT_") {
			t.Setenv(name, "")
		}
	}
	for name, value := range map[string]string{
		"VAULT_ADDR": "https://vault.example.com", "VAULT_NAMESPACE": "team", "VAULT_CACERT": "ca.crt", "VAULT_CLIENT_KEY": "/etc/key",
		"VAULT_TOKEN": "s3cret", "VAULT_HEADERS": `{"X": "s3cret"}`, "VAULT_HTTP_PROXY": "http://me:s3cret@proxy.example.com",
		vaultlogin.SecretIDVariable: "s3cret", "PATH": dir,
	} {
		t.Setenv(name, value)
	}
	c := kubeconfigCmd{Owner: []string{"prod-eu"}, userFlags: userFlags{User: "alice@example.com"}, clientKeyFlags: clientKeyFlags{"my.key"}}
	c.VaultMount, c.VaultPrefix, c.VaultAuth = "team/kv", "certsync", "approle"
	c.VaultRoleID, c.VaultSecretIDFile, c.VaultAuthMount = "id", "id.txt", "apps"
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	talk, err := os.Create(filepath.Join(dir, "talk"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.plugin(program{stderr: talk})
	if err != nil {
		t.Fatal(err)
	}
	want := kubeconfig.Plugin{
		Command: self,
		Args: []string{"--user=alice@example.com", "--vault-mount=team/kv", "--vault-prefix=certsync", "--vault-auth=approle", "--vault-auth-mount=apps",
			"--vault-role=", "--vault-token-file=", "--vault-role-id=id", "--vault-secret-id-file=" + filepath.Join(dir, "id.txt"), "--client-key=" + filepath.Join(dir, "my.key")},
		Env: []string{"VAULT_ADDR=https://vault.example.com", "VAULT_NAMESPACE=team", "VAULT_CACERT=" + filepath.Join(dir, "ca.crt"), "VAULT_CLIENT_KEY=/etc/key", vaultlogin.SecretIDVariable + "="},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for name, value := range map[string]string{ // as in a shell for an apply, with those of the entry
		"CERTSYNC_VAULT_AUTH": "jwt", "CERTSYNC_VAULT_AUTH_MOUNT": "github", "CERTSYNC_VAULT_ROLE": "apply", "CERTSYNC_VAULT_TOKEN_FILE": "jwt", vaultlogin.SecretIDVariable: "",
	} {
		t.Setenv(name, value)
	}
	parser, err := kong.New(&cli{}, kong.DefaultEnvars(envPrefix))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(append([]string{"credential", "--owner=prod-eu"}, got.Args...)); err != nil {
		t.Errorf("kubectl's command in another environment: %v", err)
	}
	said, err := os.ReadFile("talk")
	if err != nil || string(said) != "certsync: warning: VAULT_HTTP_PROXY contains a user name or a password, so the kubeconfig does not get it; set it where kubectl runs\n" {
		t.Errorf("said %q, %v", said, err)
	}
	if strings.Contains(fmt.Sprint(got, string(said)), "s3cret") {
		t.Error("there is a secret in it")
	}
}

// TestOwnCommand: kubectl calls certsync by its name if that leads to this program, and by its path otherwise.
func TestOwnCommand(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "certsync")
	check := func(want string) {
		t.Helper()
		if got, err := invocation.Command(""); err != nil || got != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	check(self)
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	check("certsync")
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	fixture.WriteFile(t, link, []byte("#!/bin/sh\n"), 0o755) // another program of that name
	check(self)
	if err := os.Symlink(self, filepath.Join(dir, "kubectl-certsync")); err != nil {
		t.Fatal(err)
	}
	check("kubectl-certsync")
}

// TestExecCommand: kubectl runs the program of --exec-command: a name as it is, and a path in any folder.
func TestExecCommand(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for given, want := range map[string]string{
		"certsync-2": "certsync-2", "/opt/certsync": "/opt/certsync", "./certsync": filepath.Join(here, "certsync"), "bin/certsync": filepath.Join(here, "bin/certsync"),
	} {
		if got, err := invocation.Command(given); err != nil || got != want {
			t.Errorf("%s: %q, %v", given, got, err)
		}
	}
}

// TestKubeconfigTellsTheEnd: until when the certificate lives, and that it does no more.
func TestKubeconfigTellsTheEnd(t *testing.T) {
	for sentence, tt := range map[string]struct {
		end            time.Duration
		args           []string
		stdout, stderr string // parts
	}{
		"merged, it lives":       {time.Hour, []string{"--merge"}, "The certificate is valid until $END. After a renewal, merge again. With --exec, kubectl fetches the new one by itself.\n", ""},
		"the plugin needs none":  {time.Hour, []string{"--merge", "--exec"}, "Merged context prod-eu", ""},
		"printed, it is over":    {-time.Hour, nil, "client-key-data", `certsync: the certificate of "alice" expired at $END` + "\nhint: ask the administrator of certsync to run certsync apply, which renews it\n"},
		"merged, although it is": {-time.Hour, []string{"--merge"}, "Merged context prod-eu", "expired at $END\n"},
	} {
		t.Run(sentence, func(t *testing.T) {
			end := time.Now().Add(tt.end).UTC().Truncate(time.Second)
			vault := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				has := fixture.Credential("alice", end)
				c, err := kubeconfig.Writer{}.Kubeconfig(reconcile.Endpoint{Name: "prod-eu", Server: "https://k8s.example.com"}, "alice", has.Certificate, has.Key)
				if err != nil {
					panic(err)
				}
				text, err := json.Marshal(map[string]any{"data": map[string]any{"metadata": map[string]any{"version": 1},
					"data": map[string]string{"kubeconfig": string(c.Reveal()), "tls.crt": string(has.Certificate), "tls.key": string(has.Key.Reveal())}}})
				if err != nil {
					panic(err)
				}
				answer(w, http.StatusOK, string(text))
			}))
			defer vault.Close()
			args := append([]string{"kubeconfig", "--owner=prod-eu", "--user=alice"}, tt.args...)
			r := run(t, process(t, t.TempDir(), []string{"VAULT_ADDR=" + vault.URL, "VAULT_TOKEN=token"}, args))
			filled := strings.NewReplacer("$END", end.Format(time.RFC3339))
			if r.code != exitOK || !strings.Contains(r.stdout, filled.Replace(tt.stdout)) || !strings.Contains(r.stderr, filled.Replace(tt.stderr)) || (r.stderr == "") != (tt.stderr == "") {
				t.Errorf("exit %d, %s%s", r.code, r.stdout, r.stderr)
			}
			if strings.Contains(r.stdout, "is valid until") != strings.Contains(tt.stdout, "is valid until") {
				t.Errorf("%s", r.stdout)
			}
		})
	}
}
