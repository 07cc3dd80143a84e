package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
)

// TestWarnings: a warning that the API server sends with every answer is shown once, on stderr, and cannot pretend to be
// another line.
func TestWarnings(t *testing.T) {
	for name, warns := range map[string]bool{"no warning": false, "a warning": true} {
		address, ca := newClusterThat(t, func(w http.ResponseWriter, r *http.Request) {
			if warns {
				w.Header().Add("Warning", `299 - "bindings to people end in May`+"\u202e"+`"`)
			}
			answerAsCluster(w, r)
		})
		dir := t.TempDir()
		copyFolder(t, "testdata/plan", dir, map[string]string{"$CLUSTER": address, "$CA": ca, "$VAULT": newVault(t)})
		fixture.WriteFile(t, dir+"/users.yaml", []byte("apiVersion: certsync.dev/v1\nkind: Inventory\nowner: prod-eu\nusers: [{name: alice}]\n"), 0o600)
		r := run(t, process(t, dir, linesOf(t, dir, "env"), []string{"plan"}))
		if r.code != exitOK {
			t.Fatalf("%s: exit %d\n%s", name, r.code, r.stderr)
		}
		const want = `certsync: the API server warns: bindings to people end in May\u202e` + "\n"
		if n := strings.Count(r.stderr, want); warns != (n == 1) || strings.Contains(r.stdout, "warns") {
			t.Errorf("%s: %d times\n%s\n%s", name, n, r.stdout, r.stderr)
		}
	}
}

// TestWarningsInClusters: of several clusters, a warning names the one that sent it.
func TestWarningsInClusters(t *testing.T) {
	address, ca := newClusterThat(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Warning", `299 - "bindings to people end in May"`)
		answerAsCluster(w, r)
	})
	dir := t.TempDir()
	copyFolder(t, "testdata/plan-clusters", dir, map[string]string{"$CLUSTER": address, "$CA": ca, "$VAULT": newVault(t), "$CLOSED": fixture.ClosedAddress(t)})
	for _, command := range []string{"plan", "status", "review", "preflight", "revocations"} {
		r := run(t, process(t, dir, linesOf(t, dir, "env"), []string{command}))
		if !strings.Contains(r.stderr, "certsync: the API server warns: dev: bindings to people end in May\n") {
			t.Errorf("%s: exit %d\n%s", command, r.code, r.stderr)
		}
	}
}
