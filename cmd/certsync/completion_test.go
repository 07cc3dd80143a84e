package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/cmd/certsync/internal/completion"
)

// TestBashCompletion has bash run the function that `certsync completion bash` defines, as bash calls it at a Tab: with
// the words as it splits them, at = and @ and : too, and the number of the one at the cursor.
func TestBashCompletion(t *testing.T) {
	for what, test := range map[string]struct {
		words string // for bash to read
		want  string
	}{
		"a command":                           {"certsync pre", "preflight"},
		"all commands":                        {"certsync ''", strings.Join(offers(t, ""), " ")},
		"a flag":                              {"certsync apply --ho", "--hold"},
		"a value":                             {"certsync apply -o j", "json"},
		"values behind =":                     {"certsync apply --policy =", "sync upsert-only create-only"},
		"the beginning of a value behind =":   {"certsync apply --policy = up", "upsert-only"},
		"in one word, as in bash 3.2":         {"certsync apply --policy=up", "upsert-only"},
		"behind a value with =":               {"certsync apply --policy = sync --po", "compopt +o default"},
		"behind a = without a value":          {"certsync apply --policy = ''", strings.Join(offers(t, "apply", "--policy=", ""), " ")},
		"behind a name with @":                {"certsync apply --retry alice @ example.com --ho", "--hold"},
		"behind an address":                   {"certsync manifests --vault-addr https : //vault --sched", "--schedule"},
		"nothing, so that files are not":      {"certsync apply -- --", "compopt +o default"},
		"files, which readline completes":     {"certsync plan -f us", ""},
		"files behind =":                      {"certsync plan --file = us", ""},
		"what would be run if it were":        {`certsync plan --context '$(touch run)' -o j`, "json"},
		"a program by its path":               {"./bin/certsync pre", "preflight"},
		"a program in the home folder":        {"'~/bin/certsync' pre", "preflight"},
		"a program that is not there":         {"./certsync pre", ""},
		"a word that is a glob, and no files": {"certsync plan -o '*'", "compopt +o default"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			stdout, stderr := bash(t, `
				source certsync.bash
				compopt() { echo "compopt $*"; }
				COMP_WORDBREAKS=$' \t\n"\'@><=;|&(:'
				COMP_WORDS=(`+test.words+`)
				COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
				_certsync "${COMP_WORDS[0]}"
				echo "${COMPREPLY[*]}"`)
			if got := strings.TrimSpace(stdout); got != test.want || stderr != "" {
				t.Errorf("%q, want %q; %s", got, test.want, stderr)
			}
		})
	}
}

// TestBashCompletionQuotes: where bash does not break words at =, the whole word is replaced.
func TestBashCompletionQuotes(t *testing.T) {
	stdout, stderr := bash(t, `
		source certsync.bash
		COMP_WORDBREAKS=$' \t\n'
		COMP_WORDS=(certsync apply --policy=up)
		COMP_CWORD=2
		_certsync certsync
		echo "${COMPREPLY[*]}"
		complete -p certsync`)
	if diff := cmp.Diff("--policy=upsert-only\ncomplete -o default -F _certsync certsync\n", stdout); diff != "" || stderr != "" {
		t.Errorf("%s %s", diff, stderr)
	}
}

// bashCommand is bash in a folder with certsync.bash, and with certsync in its path.
func bashCommand(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "bin", "certsync")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "certsync.bash"), completion.Script("bash"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := "PATH=" + filepath.Join(dir, "bin") + string(filepath.ListSeparator) + os.Getenv("PATH")
	cmd := process(t, dir, []string{path, "CERTSYNC_NOBODYS=1"}, append([]string{"--norc", "--noprofile"}, args...))
	cmd.Path, cmd.Args[0] = bash, "bash"
	return cmd
}

// bash runs a script where certsync and its completion are.
func bash(t *testing.T, script string) (stdout, stderr string) {
	t.Helper()
	dir := t.TempDir()
	r := run(t, bashCommand(t, dir, "-uc", script))
	if _, err := os.Stat(filepath.Join(dir, "run")); err == nil {
		t.Error("a word of the command line was run")
	}
	if r.code != 0 {
		t.Errorf("exit %d", r.code)
	}
	return r.stdout, r.stderr
}
