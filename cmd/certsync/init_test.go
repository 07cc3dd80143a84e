//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
)

// initWorld is a folder with a kubeconfig, and a Vault that answers.
func initWorld(t *testing.T) (dir string, env []string, places map[string]string) {
	t.Helper()
	cluster, ca := newCluster(t)
	places = map[string]string{"$CLUSTER": cluster, "$CA": ca, "$VAULT": newVault(t)}
	dir = t.TempDir()
	copyFolder(t, "testdata/plan", dir, places)
	env = linesOf(t, dir, "env")
	if err := os.Remove(filepath.Join(dir, "users.yaml")); err != nil {
		t.Fatal(err)
	}
	return dir, env, places
}

// TestInit: the inventory holds what the flags, the kubeconfig and the servers say, and certsync validate accepts it.
func TestInit(t *testing.T) {
	tests := map[string]struct {
		args   []string
		env    []string
		schema string
	}{
		"cluster-and-vault":  {args: []string{"--user=bob@example.com", "--user=007"}, schema: "schema/inventory.json"},
		"no-users":           {schema: "users.schema.json"},
		"another-server":     {args: []string{"--server=https://k8s.example.com:6443", "--owner=prod-eu", "--user=alice@example.com"}},
		"no-cluster":         {args: []string{"--owner=prod-eu", "--vault-mount=other"}, env: []string{"KUBECONFIG=none"}},
		"no-cluster-no-user": {args: []string{"--owner=123", "--server=https://k8s.example.com"}, env: []string{"KUBECONFIG=none", "VAULT_TOKEN=wrong"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, env, places := initWorld(t)
			if tt.schema != "" {
				if err := os.MkdirAll(filepath.Join(dir, "schema"), 0o700); err != nil {
					t.Fatal(err)
				}
				fixture.WriteFile(t, filepath.Join(dir, tt.schema), []byte("{}"), 0o600)
			}
			r := run(t, process(t, dir, append(env, tt.env...), append([]string{"init"}, tt.args...)))
			if r.code != exitOK || r.stdout != "" {
				t.Errorf("exit %d, %q", r.code, r.stdout)
			}
			text, err := os.ReadFile(filepath.Join(dir, "users.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			fixture.Golden(t, "testdata/inventories/"+name+".yaml", sameEveryTime(string(text), dir, places))
			fixture.Golden(t, "testdata/inventories/"+name+".stderr", sameEveryTime(r.stderr, dir, places))
			if r := run(t, process(t, dir, nil, []string{"validate"})); r.code != exitOK {
				t.Errorf("validate: exit %d, %s", r.code, r.stderr)
			}
		})
	}
}

// TestInitRefuses: after a refusal there is no new file, and an existing one is as it was.
func TestInitRefuses(t *testing.T) {
	tests := map[string]struct {
		before func(dir string) error
		args   []string
		code   int
		want   []string
	}{
		"a file": {
			before: func(dir string) error { return os.WriteFile(filepath.Join(dir, "users.yaml"), []byte("mine"), 0o600) },
			code:   exitError, want: []string{`"users.yaml" already exists`, "hint: name another file with -f FILE"},
		},
		"a link to nothing": {
			before: func(dir string) error { return os.Symlink("nothing", filepath.Join(dir, "users.yaml")) },
			code:   exitError, want: []string{`"users.yaml" already exists`},
		},
		"a folder":             {args: []string{"-f", "."}, code: exitError, want: []string{`"." already exists`}},
		"no folder":            {args: []string{"-f", "none/users.yaml"}, code: exitError, want: []string{"writing the inventory: ", "no such file", "hint: check that the folder exists"}},
		"no owner":             {args: []string{"-f", "users.yaml"}, before: func(dir string) error { return os.Remove(filepath.Join(dir, "kubeconfig")) }, code: exitUsage, want: []string{"--owner is required", "hint: give --owner NAME"}},
		"a bad owner":          {args: []string{"--owner=A"}, code: exitUsage, want: []string{"--owner: "}},
		"a bad user":           {args: []string{"--user=system:admin"}, code: exitUsage, want: []string{"--user: letters"}},
		"a bad server":         {args: []string{"--server=http://k8s"}, code: exitUsage, want: []string{"--server: is not a URL that begins with https://"}},
		"a missing kubeconfig": {args: []string{"--kubeconfig=none"}, code: exitError, want: []string{"none"}},
		"a missing context":    {args: []string{"--context=none"}, code: exitError, want: []string{`context "none" does not exist`}},
		"one user twice":       {args: []string{"--user=bob", "--user=Bob"}, code: exitError, want: []string{"users[1]"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, env, _ := initWorld(t)
			if tt.before != nil {
				if err := tt.before(dir); err != nil {
					t.Fatal(err)
				}
			}
			before := contents(t, dir)
			r := run(t, process(t, dir, env, append([]string{"init"}, tt.args...)))
			if r.code != tt.code || r.stdout != "" {
				t.Errorf("exit %d, want %d: %s%s", r.code, tt.code, r.stdout, r.stderr)
			}
			for _, want := range tt.want {
				if !strings.Contains(r.stderr, want) {
					t.Errorf("%q is not in %s", want, r.stderr)
				}
			}
			if after := contents(t, dir); after != before {
				t.Errorf("the folder held %s and holds %s", before, after)
			}
		})
	}
}

// contents lists the files of a folder, with what stands in them.
func contents(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range entries {
		text, _ := os.ReadFile(filepath.Join(dir, e.Name())) // a link to nothing has none
		b.WriteString(e.Name() + ": " + string(text) + "\n")
	}
	return b.String()
}
