package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
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

// blocks returns the fenced blocks of the README in one language.
func blocks(t testing.TB, language string) []string {
	t.Helper()
	var found []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(readme(t), -1) {
		found = append(found, m[1])
	}
	return found
}

// TestReadmeInventory: the inventory in the README is one.
func TestReadmeInventory(t *testing.T) {
	for _, text := range blocks(t, "yaml") {
		if strings.Contains(text, "kind: Inventory") {
			if _, err := inventory.Parse("README.md", []byte(text), nil); err != nil {
				t.Error(err)
			}
			return
		}
	}
	t.Error("the README shows no inventory")
}

// TestReadmeFlags: the README names every flag that there is, and none that there isn't.
func TestReadmeFlags(t *testing.T) {
	flags := regexp.MustCompile(`--[a-z][a-z-]+[a-z]`)
	var there []string
	for _, command := range commands(t) {
		out, err := exec.Command(certsync, command, "--help").Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(out), "\n") {
			if m := regexp.MustCompile(`^ {2,6}(-[a-z], )?(--[a-z-]+)`).FindStringSubmatch(line); m != nil && m[2] != "--help" {
				there = append(there, m[2])
			}
		}
	}
	_, table, _ := strings.Cut(readme(t), "### Flags")
	table, _, _ = strings.Cut(table, "Every flag")
	want := slices.Compact(sorted(there))
	if diff := cmp.Diff(want, slices.Compact(sorted(flags.FindAllString(table, -1)))); diff != "" {
		t.Error(diff)
	}
}

// commands are those that certsync --help lists.
func commands(t testing.TB) []string {
	t.Helper()
	help, err := exec.Command(certsync, "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(help), "\nCommands:\n")
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z]+)`).FindAllStringSubmatch(list, -1) {
		names = append(names, m[1])
	}
	if !slices.Contains(names, "plan") {
		t.Fatalf("certsync --help lists %q", names)
	}
	return names
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
		"certsync kubeconfig --owner demo --user alice@example.com > alice.kubeconfig",
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
