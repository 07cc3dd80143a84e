package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/certsync/certsync/e2e/harness"
)

// commandTimeout bounds every certsync and kubectl that a test runs.
const commandTimeout = 5 * time.Minute

// fixture is one owner on a set of servers: its inventory, and the identity that runs certsync for it.
type fixture struct {
	testing.TB
	servers    *harness.Servers
	owner      string
	dir        string
	binary     string // of certsync
	kubeconfig string
	env        []string // added to certsync's, last wins
	vault      *api.Client
	seen       *bytes.Buffer // all that certsync printed, to look for secrets in

	onlooker *api.Client // reads what certsync stored
	secrets  *secrets    // all that were ever to be had
	kept     map[string]bool
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// newFixture makes an owner after the test's name, and a cluster-admin identity of its own, so that its requests can
// be told apart in the audit log.
func newFixture(t testing.TB, servers *harness.Servers) *fixture {
	t.Helper()
	owner := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(strings.TrimPrefix(t.Name(), "Test")), "-"), "-")
	if len(owner) > 40 {
		owner = strings.Trim(owner[len(owner)-40:], "-")
	}
	f := &fixture{TB: t, servers: servers, owner: owner, binary: certsync, dir: t.TempDir(), seen: &bytes.Buffer{}}
	var err error
	if f.kubeconfig, err = servers.UserKubeconfig("certsync-"+owner, []string{"system:masters"}); err != nil {
		t.Fatal(err)
	}
	config := api.DefaultConfig()
	config.Address = servers.VaultAddr
	if err := config.ConfigureTLS(&api.TLSConfig{CACert: servers.VaultCACert}); err != nil {
		t.Fatal(err)
	}
	if f.vault, err = api.NewClient(config); err != nil {
		t.Fatal(err)
	}
	f.vault.SetToken(servers.VaultToken)
	f.vault.ClearNamespace()
	if err := f.ownSecrets(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.noSecrets)
	if servers == shared {
		t.Cleanup(f.deleteRequests)
	}
	return f
}

// deleteRequests deletes the owner's requests, which every later list would read.
func (f *fixture) deleteRequests() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := f.servers.DeleteRequests(ctx, "certsync-"+f.owner+"."); err != nil {
		f.Log(err)
	}
}

// result is how a command ended.
type result struct {
	stdout, stderr string
	code           int
}

// certsync runs the binary as this fixture's identity. --kubeconfig comes from the environment, and -f is users.yaml
// in the fixture's folder.
func (f *fixture) certsync(args ...string) result {
	f.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	return f.wait(f.command(ctx, args...))
}

func (f *fixture) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, f.binary, args...)
	cmd.Dir = f.dir
	// At the end, a binary with the race detector would sleep for a second, and a thousand run.
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + f.dir, "TMPDIR=" + f.dir, "CERTSYNC_FILE=users.yaml", "GORACE=atexit_sleep_ms=0", "GOGC=" + os.Getenv("GOGC")}, f.servers.Env()...)
	cmd.Env = append(append(cmd.Env, "KUBECONFIG="+f.kubeconfig), f.env...)
	return cmd
}

func (f *fixture) wait(cmd *exec.Cmd) result {
	f.Helper()
	return f.start(cmd)()
}

// start starts a command; finish waits for its end.
func (f *fixture) start(cmd *exec.Cmd) (finish func() result) {
	f.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		f.Fatal(err)
	}
	return func() result {
		f.Helper()
		err := cmd.Wait()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			f.Fatal(err)
		}
		f.seen.Write(stdout.Bytes())
		f.seen.Write(stderr.Bytes())
		if slices.Contains(cmd.Args, "apply") {
			_ = f.keepSecrets() // as well as can be: the test may have stopped Vault
		}
		return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
	}
}

// must runs certsync and fails the test unless it exits with code.
func (f *fixture) must(code int, args ...string) result {
	f.Helper()
	r := f.certsync(args...)
	if r.code != code {
		f.Fatalf("certsync %s: exit %d, want %d\n%s%s", strings.Join(args, " "), r.code, code, r.stdout, r.stderr)
	}
	return r
}

// write saves the inventory. OWNER stands for the fixture's owner, which keeps the users of different tests apart, and
// CLUSTER for the servers themselves, which users' kubeconfigs then lead to even if certsync goes through a proxy.
func (f *fixture) write(text string) {
	f.Helper()
	text = "apiVersion: certsync.dev/v1\nkind: Inventory\nowner: OWNER\n" + text
	cluster := fmt.Sprintf("{name: e2e, server: %q, certificateAuthorityData: %s}", f.servers.KubeURL, base64.StdEncoding.EncodeToString(f.servers.CACert))
	text = strings.NewReplacer("OWNER", f.owner, "CLUSTER", cluster).Replace(text)
	if err := os.WriteFile(filepath.Join(f.dir, "users.yaml"), []byte(text), 0o600); err != nil {
		f.Fatal(err)
	}
}

// plan is `plan -o json`.
type plan struct {
	Digest  string
	Changes bool
	Summary map[string]int
	Steps   []struct {
		User, Group, Action, Object, Held string
		Reasons                           []string
	}
	Notes []struct {
		User, Group, Kind, Object, Message string
		Until                              time.Time
	}
}

func (f *fixture) plan() plan {
	f.Helper()
	return f.planWith()
}

func (f *fixture) planOf(file string) plan {
	f.Helper()
	return f.planWith("-f", file)
}

func (f *fixture) planWith(args ...string) plan {
	f.Helper()
	r := f.must(0, append([]string{"plan", "-o", "json"}, args...)...)
	var p plan
	if err := json.Unmarshal([]byte(r.stdout), &p); err != nil {
		f.Fatal(err)
	}
	return p
}

// steps lists a plan's steps as "action who reasons", with "held" behind those that are.
func (p plan) steps() []string {
	out := []string{}
	for _, s := range p.Steps {
		l := strings.TrimSpace(s.Action + " " + s.User + s.Group + " " + strings.Join(s.Reasons, ","))
		if s.Held != "" {
			l += " held"
		}
		out = append(out, l)
	}
	return out
}

func (p plan) note(kind, user string) bool {
	for _, n := range p.Notes {
		if n.Kind == kind && n.User == user {
			return true
		}
	}
	return false
}

// kubectl runs the real kubectl as this fixture's identity and fails the test unless it succeeds.
func (f *fixture) kubectl(args ...string) string {
	f.Helper()
	out, err := f.tryKubectl(f.kubeconfig, args...)
	if err != nil {
		f.Fatal(err)
	}
	return out
}

func (f *fixture) tryKubectl(kubeconfig string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	stdout, stderr, err := f.servers.Kubectl(ctx, kubeconfig, args...)
	if err != nil {
		return stdout, errors.New(strings.TrimSpace(stderr))
	}
	return stdout, nil
}

// apply applies YAML through kubectl.
func (f *fixture) apply(yaml string) {
	f.Helper()
	path := filepath.Join(f.TempDir(), "object.yaml")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(yaml, "OWNER", f.owner)), 0o600); err != nil {
		f.Fatal(err)
	}
	f.kubectl("apply", "-f", path)
}

// namespace makes a namespace that no other test uses, and returns its name.
func (f *fixture) namespace(name string) string {
	f.Helper()
	name += "-" + f.owner
	f.kubectl("create", "namespace", name)
	return name
}

// userKubeconfig saves the kubeconfig out of Vault as a file, as `vault kv get -field=kubeconfig` would.
func (f *fixture) userKubeconfig(user string) string {
	f.Helper()
	data := f.kv("users/" + user)
	text, ok := data["kubeconfig"].(string)
	if !ok {
		f.Fatalf("users/%s holds no kubeconfig but %d fields", user, len(data))
	}
	path := filepath.Join(f.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		f.Fatal(err)
	}
	return path
}

// kv reads the current version of a secret, or nil.
func (f *fixture) kv(path string) map[string]any {
	f.Helper()
	s, err := f.vault.KVv2("secret").Get(context.Background(), "certsync/"+f.owner+"/"+path)
	if errors.Is(err, api.ErrSecretNotFound) {
		return nil
	}
	if err != nil {
		f.Fatal(err)
	}
	return s.Data
}

// sorted is for comparing lists whose order does not matter.
func sorted(list []string) []string {
	out := slices.Clone(list)
	slices.Sort(out)
	return out
}
