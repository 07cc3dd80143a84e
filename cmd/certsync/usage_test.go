package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// within runs a command line in this process.
func within(t *testing.T, ctx context.Context, args ...string) result {
	t.Helper()
	dir := t.TempDir()
	file := func(name string) *os.File {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	p := program{stdin: file("in"), stdout: file("out"), stderr: file("err")}
	code := p.Run(ctx, args)
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	return result{read("out"), read("err"), code}
}

// commands has the flags of every command.
func commands(t *testing.T) map[string][]string {
	t.Helper()
	parser, err := kong.New(&cli{})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, command := range parser.Model.Children {
		all[command.Name] = nil
		for _, flags := range command.AllFlags(true) {
			for _, f := range flags {
				all[command.Name] = append(all[command.Name], f.Name)
			}
		}
	}
	return all
}

// TestTypingErrors changes one letter of each flag of each command, and each letter of it with one of the commands: never is the
// flag ignored, or another one taken.
func TestTypingErrors(t *testing.T) {
	tried, whole := 0, map[string]bool{}
	for command, flags := range commands(t) {
		for _, flag := range flags {
			for i := range flag {
				if whole[flag] && i != len(flag)/2 {
					continue
				}
				typo := "--" + flag[:i] + "q" + flag[i+1:]
				r := within(t, t.Context(), command, typo+"=x")
				_, suggested, _ := strings.Cut(r.stderr, "did you mean")
				if r.code != exitUsage || !strings.Contains(suggested, `"--`+flag+`"`) || r.stdout != "" {
					t.Errorf("%s %s: exit %d, %s", command, typo, r.code, r.stderr)
				}
				tried++
			}
			whole[flag] = true
		}
	}
	if tried < 150 {
		t.Errorf("only %d typing errors were tried", tried)
	}
}

// TestVariables: every flag is also a variable of certsync's own, and none is Vault's or kubectl's.
func TestVariables(t *testing.T) {
	parser, err := kong.New(&cli{}, kong.DefaultEnvars(envPrefix))
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range parser.Model.Children {
		for _, f := range command.Flags {
			want := "CERTSYNC_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
			own := map[string][]string{"init": {"owner", "user"}, "status": {"user"}, "export": {"owner"}}
			if slices.Contains(own[command.Name], f.Name) {
				if len(f.Envs) != 0 { // those of the user's own access, which may be to another cluster
					t.Errorf("%s --%s is %q in the environment", command.Name, f.Name, f.Envs)
				}
				continue
			}
			// The commit is what the CI calls it, if nobody says otherwise.
			if len(f.Envs) == 0 || f.Envs[0] != want || len(f.Envs) > 1 && f.Name != "revision" {
				t.Errorf("%s --%s is %q in the environment", command.Name, f.Name, f.Envs)
			}
		}
	}
}

// TestInterruptedBefore: a run whose context has ended already does nothing, and says why.
func TestInterruptedBefore(t *testing.T) {
	cluster, ca := newCluster(t)
	dir := t.TempDir()
	copyFolder(t, "testdata/plan", dir, map[string]string{"$CLUSTER": cluster, "$CA": ca})
	t.Setenv("KUBECONFIG", filepath.Join(dir, "kubeconfig"))
	t.Setenv("VAULT_ADDR", newVault(t))
	t.Setenv("VAULT_TOKEN", "token")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{{"plan"}, {"apply", "--yes"}} {
		r := within(t, ctx, append(args, "-f", filepath.Join(dir, "users.yaml"))...)
		if r.code != exitInterrupted || r.stdout != "" || r.stderr != "certsync: interrupted\n" {
			t.Errorf("%q: exit %d, %q, %q", args, r.code, r.stdout, r.stderr)
		}
	}
}
