package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInitAsks: on a terminal, init asks for what no flag gives, and leaves no file unless all questions have answers.
func TestInitAsks(t *testing.T) {
	const owner, server, users = "in Vault [prod]: ", "/]: ", "between them: "
	tests := map[string]struct {
		args    []string
		prompts []string
		keys    []string
		code    int
		want    []string // in the file
		shown   string
	}{
		"the defaults":    {nil, []string{owner, server, users}, []string{"\n", "\n", "\n"}, exitOK, []string{"owner: prod\n", "users: []"}, "certsync: wrote users.yaml for owner prod"},
		"answers":         {nil, []string{owner, server, users}, []string{"dev\n", "https://k8s.example.com\n", " alice  bob@example.com\n"}, exitOK, []string{"owner: dev\n", "  server: https://k8s.example.com\n", "- name: alice\n", "- name: bob@example.com\n"}, "certsync preflight"},
		"faults":          {[]string{"--server=https://k8s.example.com"}, []string{owner, owner, users, users}, []string{"A\n", "a\n", "system:x\n", "x\n"}, exitOK, []string{"owner: a\n", "- name: x\n"}, "a-z, 0-9 and - are allowed"},
		"flags for all":   {[]string{"--server=https://k8s.example.com", "--owner=a", "--user=b"}, nil, nil, exitOK, []string{"owner: a\n", "- name: b\n"}, "Next:"},
		"Ctrl-C":          {nil, []string{owner, server}, []string{"\n", "\x03"}, exitInterrupted, nil, "certsync: interrupted"},
		"the end of file": {nil, []string{owner, server, users}, []string{"\n", "\n", "\x04"}, exitError, nil, "the input ended before the last answer"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, env, _ := initWorld(t)
			cmd := process(t, dir, env, append([]string{"init"}, tt.args...))
			s := onTTY(t, cmd)
			for i, prompt := range tt.prompts {
				if prompt == server {
					prompt = "users reach it [" + clusterOf(t, dir) + "]: "
				}
				s.typeAt(prompt, tt.keys[i])
			}
			r := s.end()
			if r.code != tt.code || !strings.Contains(r.stdout, tt.shown) {
				t.Errorf("exit %d, want %d and %q: %q", r.code, tt.code, tt.shown, r.stdout)
			}
			text, err := os.ReadFile(filepath.Join(dir, "users.yaml"))
			if (err == nil) != (tt.code == exitOK) {
				t.Errorf("exit %d: %v", r.code, err)
			}
			for _, want := range tt.want {
				if !strings.Contains(string(text), want) {
					t.Errorf("%q is not in %s", want, text)
				}
			}
		})
	}
}

// clusterOf is the address in the kubeconfig.
func clusterOf(t *testing.T, dir string) string {
	t.Helper()
	for _, line := range linesOf(t, dir, "kubeconfig") {
		if address, ok := strings.CutPrefix(line, "      server: "); ok {
			return address
		}
	}
	t.Fatal("no server")
	return ""
}

// TestNextStepOnTTY: a person sees the next command, and not behind JSON.
func TestNextStepOnTTY(t *testing.T) {
	tests := map[string]struct {
		folder string
		args   []string
		want   string
	}{
		"validate":       {"validate", []string{"validate"}, "certsync preflight"},
		"preflight":      {"preflight", []string{"preflight", "--context=prod"}, "certsync plan --context=prod"},
		"plan":           {"plan", []string{"plan", "-f", "users.yaml"}, "certsync apply -f users.yaml"},
		"plan as JSON":   {"plan", []string{"plan", "-o", "json"}, ""},
		"apply":          {"apply-no-users-allowed", []string{"apply", "--yes", "--allow-empty"}, "certsync manifests --vault"},
		"apply, as JSON": {"apply-no-users-allowed", []string{"apply", "--yes", "--allow-empty", "-o", "json"}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := begin(t, tt.folder, []string{"TERM=dumb"}, tt.args...).end()
			_, next, shown := strings.Cut(r.stdout, "\r\n\r\nNext:\r\n  ")
			if r.code != exitOK || shown != (tt.want != "") || !strings.HasPrefix(next, tt.want) {
				t.Errorf("exit %d, want %q: %q", r.code, tt.want, r.stdout)
			}
		})
	}
}

// TestInitOnAFullDisk: without room, init says so and leaves no part of the file.
func TestInitOnAFullDisk(t *testing.T) {
	dir, env, _ := initWorld(t)
	cmd := process(t, dir, env, []string{"init"})
	// A block is 512 bytes in some shells and 1,024 in others.
	cmd.Args = append([]string{"sh", "-c", `ulimit -f 1; exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	r := run(t, cmd)
	if r.code != exitError || !strings.Contains(r.stderr, "file too large\nhint: check that the folder exists, that you may write there, and that the disk has room") {
		t.Errorf("exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
	if _, err := os.Lstat(filepath.Join(dir, "users.yaml")); !os.IsNotExist(err) {
		t.Errorf("a file is left: %v", err)
	}
}
