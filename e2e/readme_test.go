package e2e

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var updateReadme = flag.Bool("update-readme", false, "write the README's session from a real run")

const readmePath = "../README.md"

func readme(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(readmePath)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestReadmeSession runs the commands of the README's session, and compares what they print. -update-readme writes it
// (make session).
func TestReadmeSession(t *testing.T) {
	f := newFixture(t, shared)
	f.kubeconfig = shared.AdminKubeconfig
	for _, namespace := range []string{"staging", "payments"} {
		f.kubectl("create", "namespace", namespace)
		t.Cleanup(func() { f.kubectl("delete", "namespace", namespace) })
	}
	f.owner = "demo" // the example's
	example, err := os.ReadFile("../examples/users.yaml")
	if err != nil {
		t.Fatal(err)
	}
	example = append(example, "\ncluster: {server: "+shared.KubeURL+"}\n"...)
	if err := os.WriteFile(filepath.Join(f.dir, "users.yaml"), example, 0o600); err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	for name, path := range map[string]string{"certsync": certsync, "kubectl": shared.KubectlPath, "vault": testBinary(t)} {
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	var got strings.Builder
	for _, command := range []string{
		"certsync plan",
		"certsync apply --yes > /dev/null",
		"umask 077; certsync kubeconfig --owner demo --user alice@example.com > alice.kubeconfig",
		"vault kv get -field=kubeconfig secret/certsync/demo/users/alice@example.com | cmp - alice.kubeconfig",
		"kubectl --kubeconfig alice.kubeconfig auth whoami",
	} {
		cmd := f.command(t.Context(), "-c", command)
		cmd.Path, cmd.Args[0] = "/bin/sh", "sh"
		cmd.Env = append(cmd.Env, "PATH="+bin+":"+os.Getenv("PATH"))
		r := f.wait(cmd)
		if r.code != 0 {
			t.Fatalf("%s: exit %d\n%s", command, r.code, r.stderr)
		}
		// The user's own file: nothingOnDisk looks for certsync's.
		defer os.Remove(filepath.Join(f.dir, "alice.kubeconfig"))
		fmt.Fprintf(&got, "$ %s\n%s", command, sameEveryTime(loopbackNote.ReplaceAllString(r.stdout, "")))
	}
	const before = "<!-- session -->\n```console\n"
	head, rest, ok := strings.Cut(readme(t), before)
	shown, tail, ok2 := strings.Cut(rest, "```\n")
	if !ok || !ok2 {
		t.Fatal("the README has no session")
	}
	if *updateReadme {
		if err := os.WriteFile(readmePath, []byte(head+before+got.String()+"```\n"+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(shown, got.String()); diff != "" {
		t.Errorf("the README shows something else (-update-readme): %s", diff)
	}
}

// loopbackNote is what plan says of these servers, which are on loopback. A reader's are not.
var loopbackNote = regexp.MustCompile(`Notes\n  \* endpoint-local: [^\n]*\n(    [^\n]*\n)*\n`)

// sameEveryTime replaces what differs from run to run, and trims what kubectl pads.
func sameEveryTime(text string) string {
	text = regexp.MustCompile(`[0-9a-f]{64}`).ReplaceAllString(text, "4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce")
	return regexp.MustCompile(` +\n`).ReplaceAllString(text, "\n")
}

// testBinary is this test's own executable, which is a vault CLI under the name vault: see vaultCLI.
func testBinary(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
