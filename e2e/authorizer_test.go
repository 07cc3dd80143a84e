package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/e2e/harness"
)

// TestAlwaysAllow: where the API server allows everything to everybody, bindings decide nothing, and a leaver's certificate would
// keep all access. Nothing is issued there. Leavers lose their bindings and credentials all the same.
func TestAlwaysAllow(t *testing.T) {
	t.Parallel()
	servers := ownServers(t, harness.Options{})
	f := newFixture(t, servers)
	o := f.owner
	f.write("cluster: CLUSTER\nusers: [{name: alice@OWNER, clusterRoles: [view]}, {name: bob@OWNER, clusterRoles: [view]}]")
	f.must(0, "apply", "--yes")
	if bad := notWell(f.preflight(0, "--issue")); !slices.Equal(bad, []string{onLoopback}) {
		t.Errorf("with RBAC: %q", bad)
	}
	check(t, servers.AllowAlways(t.Context()))
	f.write("cluster: CLUSTER\nusers: [{name: bob@OWNER, clusterRoles: [view]}, {name: carol@OWNER, clusterRoles: [view]}]")

	for _, flags := range [][]string{nil, {"--issue"}} {
		checks := f.preflight(1, flags...)
		if diff := cmp.Diff([]string{"authorizer: failed", "signer: not-checked", onLoopback, "users' login: not-checked"}, notWell(checks)); diff != "" {
			t.Errorf("%q: %s", flags, diff)
		}
		if c := checks["authorizer"]; !strings.Contains(c.Detail, "bindings have no effect in this cluster") || !strings.Contains(c.Hint, "--authorization-mode=Node,RBAC") {
			t.Errorf("%+v", c)
		}
	}
	r := f.must(1, "apply", "--yes", "--max-removals=100%")
	for _, want := range []string{"issue carol@" + o + ": held: certsync requests no certificate: bindings have no effect in this cluster", "--authorization-mode=Node,RBAC"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("%q is not in: %s", want, r.stdout)
		}
	}
	if f.kv("users/carol@"+o) != nil || f.kv("users/alice@"+o) != nil || f.kv("users/bob@"+o) == nil {
		t.Error("alice and carol should have no credential, and bob should keep his")
	}
	if left := f.kubectl("get", "csr", "-o", "jsonpath={.items[*].spec.username}"); strings.Count(left, " ") > 1 {
		t.Errorf("there were requests: %s", left)
	}
	want := []string{"certsync:" + o + ":user:bob@" + o + ":view"}
	if got := strings.Fields(f.kubectl("get", "clusterrolebindings", "-l", "certsync.dev/owner="+o, "-o", "jsonpath={.items[*].metadata.name}")); !slices.Equal(got, want) {
		t.Errorf("bindings: %q", got)
	}
}

// TestEverybodyIsAdministrator: a binding of cluster-admin to everybody is as bad, and the API server says which one it is.
func TestEverybodyIsAdministrator(t *testing.T) {
	t.Parallel()
	f := newFixture(t, ownServers(t, harness.Options{}))
	f.kubectl("create", "clusterrolebinding", "open-house", "--clusterrole=cluster-admin", "--group=system:authenticated")
	f.write("cluster: CLUSTER\nusers: [{name: alice@OWNER}]")
	eventually(t, time.Minute, "the binding to count", func() bool {
		_, err := f.tryKubectl(f.kubeconfig, "auth", "can-i", "*", "*", "--as=somebody", "--as-group=system:authenticated")
		return err == nil
	})
	checks := f.preflight(1, "--issue")
	if c := checks["authorizer"]; !strings.Contains(c.Detail, `ClusterRoleBinding \"open-house\"`) {
		t.Errorf("%+v", c)
	}
	if c := checks["open access"]; c.Result != "warning" || !strings.Contains(c.Detail, "ClusterRoleBinding open-house is as good as cluster-admin (may do everything)") {
		t.Errorf("%+v", c)
	}
	f.must(1, "apply", "--yes")
	f.nothingStored()
	if r := f.must(0, "status"); !strings.Contains(r.stdout, "Everybody who reaches the API server is as good as cluster-admin") {
		t.Error(r.stdout)
	}
	noted := false
	for _, n := range f.plan().Notes {
		noted = noted || n.Kind == "existing-access" && n.Group == "system:authenticated" && n.Object == "ClusterRoleBinding open-house"
	}
	if !noted {
		t.Error("plan does not note the binding")
	}
}
