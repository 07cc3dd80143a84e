package e2e

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// event is what a CI runs for: a pull request, which comes from branch or from a fork's, or a push to main.
type event struct {
	push   bool
	branch string
	fork   bool
	edit   func(file string) string // what the branch makes of the CI's own file
}

// ciRun is what came of an event. There is no approve where nothing waits for approval.
type ciRun struct {
	jobs    map[string]jobRun
	approve func() jobRun
}

// jobRun is how a job ended.
type jobRun struct {
	code    int
	log     string
	outputs map[string]string
}

// runner is a machine that runs a CI's jobs, and has none of the test's rights.
type runner struct {
	*fixture
	forge *forge
	bin   string // what stands for programs that not every machine has
	runs  int
}

func (f *fixture) newRunner(g *forge) *runner {
	f.Helper()
	r := &runner{fixture: f, forge: g, bin: f.TempDir()}
	for _, name := range []string{"curl", "gh"} {
		if err := os.Symlink(testBinary(f), filepath.Join(r.bin, name)); err != nil {
			f.Fatal(err)
		}
	}
	return r
}

// example reads a file of an example, as somebody would fit it to their own names.
func (r *runner) example(path string) string {
	r.Helper()
	text, err := os.ReadFile("../examples/" + path)
	if err != nil {
		r.Fatal(err)
	}
	return strings.NewReplacer(
		"https://downloads.example.com/certsync/certsync_v1.0.0_linux_amd64.tar.gz", r.forge.URL+"/certsync.tar.gz",
		strings.Repeat("0", 64), r.forge.checksum(),
		"https://vault.example.com:8200", r.servers.VaultAddr,
		"https://token.actions.githubusercontent.com", r.forge.URL,
		"https://gitlab.example.com", r.forge.URL,
		`"bound_issuer"`, `"oidc_discovery_ca_pem": `+strconv.Quote(string(r.forge.caPEM()))+`, "bound_issuer"`,
		"prod-eu", r.owner,
		"/dev/shm", r.dir,
	).Replace(string(text))
}

// setUp runs setup.sh as an administrator of Vault and the cluster.
func (r *runner) setUp(path string) {
	r.Helper()
	for name, program := range map[string]string{"vault": testBinary(r), "kubectl": r.servers.KubectlPath} {
		if err := os.Symlink(program, filepath.Join(r.bin, name)); err != nil {
			r.Fatal(err)
		}
		defer os.Remove(filepath.Join(r.bin, name)) // jobs have neither
	}
	cmd := r.command(r.Context())
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh"}
	cmd.Stdin = strings.NewReader(r.example(path))
	cmd.Env = append(cmd.Env, "PATH="+r.bin+":"+os.Getenv("PATH"))
	if run := r.wait(cmd); run.code != 0 {
		r.Fatalf("%s: exit %d\n%s%s", path, run.code, run.stdout, run.stderr)
	}
}

// checkOut makes a folder for a job: with a commit in "work", and an empty one for its temporary files.
func (r *runner) checkOut(commit string) (dir string) {
	r.Helper()
	r.runs++
	dir = filepath.Join(r.dir, "runs", strconv.Itoa(r.runs))
	if err := os.MkdirAll(filepath.Join(dir, "temp"), 0o700); err != nil {
		r.Fatal(err)
	}
	work := filepath.Join(dir, "work")
	r.git("clone", "--quiet", "--no-checkout", filepath.Join(r.dir, "origin"), work)
	r.git("-C", work, "checkout", "--quiet", commit)
	return dir
}

// shell runs a script in a job's folder. All that it has beyond env is what the machine has.
func (r *runner) shell(dir string, env []string, command ...string) (code int, log string) {
	r.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = filepath.Join(dir, "work")
	temp := filepath.Join(dir, "temp")
	cmd.Env = append([]string{
		"PATH=" + r.bin + ":" + os.Getenv("PATH"), "HOME=" + temp, "TMPDIR=" + temp, "CI=true",
		"VAULT_CACERT=" + r.servers.VaultCACert, "CURL_CA_BUNDLE=" + r.forge.ca, forgeURL + "=" + r.forge.URL,
		"GORACE=atexit_sleep_ms=0",
	}, env...)
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		r.Fatal(err)
	}
	if err := r.keepSecrets(); err != nil {
		r.Fatal(err)
	}
	var shown strings.Builder
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "::add-mask::") { // GitHub takes these
			shown.WriteString(line)
		}
	}
	r.seen.WriteString(shown.String())
	return cmd.ProcessState.ExitCode(), shown.String()
}

// tidy takes the links to the program out of a job's folder, which is then looked through for secrets.
func (r *runner) tidy(dir string) {
	r.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type() == fs.ModeSymlink {
			err = os.Remove(path)
		}
		return err
	})
	if err != nil {
		r.Fatal(err)
	}
}

// commit puts an inventory on a branch of the repository, and makes it this fixture's.
func (f *fixture) commit(branch, inventory string) {
	f.Helper()
	f.write(inventory)
	origin := filepath.Join(f.dir, "origin")
	if _, err := os.Stat(origin); err != nil {
		f.git("init", "--quiet", "--initial-branch=main", origin)
		f.git("-C", origin, "commit", "--quiet", "--allow-empty", "--message=begin")
	}
	text, err := os.ReadFile(filepath.Join(f.dir, "users.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	if branch == "main" {
		f.git("-C", origin, "checkout", "--quiet", "main")
	} else {
		f.git("-C", origin, "checkout", "--quiet", "-B", branch, "main")
	}
	if err := os.WriteFile(filepath.Join(origin, "users.yaml"), text, 0o600); err != nil {
		f.Fatal(err)
	}
	f.git("-C", origin, "add", "users.yaml")
	f.git("-C", origin, "commit", "--quiet", "--allow-empty", "--message=change")
}

// head is the commit that a branch is at.
func (f *fixture) head(branch string) string {
	return strings.TrimSpace(f.git("-C", filepath.Join(f.dir, "origin"), "rev-parse", "refs/heads/"+branch))
}

func (f *fixture) git(args ...string) string {
	cmd := exec.Command("git", args...)
	cmd.Env = append(os.Environ(), "HOME="+f.dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=alice", "GIT_AUTHOR_EMAIL=alice@example.com",
		"GIT_COMMITTER_NAME=alice", "GIT_COMMITTER_EMAIL=alice@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		f.Errorf("git %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// condition evaluates as much of GitHub's and GitLab's conditions as the examples use: comparisons with && between them,
// and || between those. value is that of a name.
func condition(text string, value func(name string) string) bool {
	operand := func(text string) string {
		text = strings.TrimSpace(text)
		if quoted := strings.Trim(text, `'"`); quoted != text || text == "''" {
			return quoted
		}
		return value(text)
	}
	for _, one := range strings.Split(text, "||") {
		all := true
		for _, comparison := range strings.Split(one, "&&") {
			left, right, unequal := strings.Cut(comparison, "!=")
			if !unequal {
				left, right, _ = strings.Cut(comparison, "==")
			}
			all = all && (operand(left) == operand(right)) != unequal
		}
		if all {
			return true
		}
	}
	return false
}
