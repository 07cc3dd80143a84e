package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certsync/certsync/e2e/harness"
)

func TestDemo(t *testing.T) {
	t.Chdir(".") // and back at the end: run changes the folder
	t.Setenv("KEEP", "")
	if err := run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestExports: a shell takes what KEEP=1 prints, and finds the programs of the session then.
func TestExports(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "my $servers")
	programs := map[string]string{}
	for _, name := range []string{"certsync", "kubectl"} {
		programs[name] = filepath.Join(dir, name+"s", name)
		if err := os.MkdirAll(filepath.Dir(programs[name]), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(programs[name], []byte("#!/bin/sh\necho \"$0 $KUBECONFIG $DEMO\"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	term := &terminal{servers: &harness.Servers{Dir: dir, AdminKubeconfig: filepath.Join(dir, "kubeconfig")}, folder: filepath.Join(dir, "demo"), programs: programs}
	var script strings.Builder
	for _, export := range term.exports() {
		script.WriteString("export " + export + "\n")
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", script.String()+"certsync && kubectl && ls / > /dev/null").CombinedOutput()
	want := ""
	for _, name := range []string{"certsync", "kubectl"} {
		want += programs[name] + " " + filepath.Join(dir, "kubeconfig") + " " + filepath.Join(dir, "demo") + "\n"
	}
	if err != nil || string(out) != want {
		t.Errorf("%v: %q, want %q; %s", err, out, want, script.String())
	}
}
