package e2e

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// secretReader makes a Role that may read Secrets in a namespace.
func (f *fixture) secretReader(namespace, name string) {
	f.Helper()
	f.kubectl("create", "role", name, "--verb=get,list", "--resource=secrets", "-n", namespace)
}

// TestRoles: a Role of a namespace is bound, a note says that one does not exist, and a Role that the inventory takes goes alone.
func TestRoles(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	staging, o := f.namespace("staging"), f.owner
	f.secretReader(staging, "deployer")
	const text = `
groups: [{name: devs-OWNER, namespaces: {staging-OWNER: [view, {role: deployer}, {role: missing}]}}]
users: [{name: alice@OWNER, groups: [devs-OWNER], namespaces: {staging-OWNER: [{role: view}]}}]
`
	f.write(text)
	p := f.plan()
	if !p.note("role-missing", "") || !p.note("role-missing", "alice@"+o) {
		t.Errorf("%+v", p.Notes)
	}
	f.must(0, "apply", "--yes")
	f.must(0, "plan", "--detailed-exitcode")
	alice := f.userKubeconfig("alice@" + o)
	f.allowed(alice, "get", "secrets", "-n", staging)
	f.allowed(alice, "get", "pods", "-n", staging)
	f.forbidden(alice, "delete", "pod", "x", "-n", staging)
	f.secretReader(staging, "missing")
	if p := f.plan(); p.note("role-missing", "") || p.Changes {
		t.Errorf("%+v", p)
	}
	if got := f.must(0, "export").stdout; !strings.Contains(got, "{role: deployer}") {
		t.Errorf("export: %s", got)
	}
	f.write(strings.Replace(text, ", {role: deployer}, {role: missing}", "", 1))
	if diff := cmp.Diff([]string{"unbind devs-" + o + " roles-changed", "unbind devs-" + o + " roles-changed"}, f.plan().steps()); diff != "" {
		t.Error(diff)
	}
	f.must(0, "apply", "--yes", "--max-removals=100%")
	f.forbidden(alice, "get", "secrets", "-n", staging)
	f.allowed(alice, "get", "pods", "-n", staging)
	f.must(0, "plan", "--detailed-exitcode")
}

// TestSelectors: the job follows the labels of namespaces. A namespace that is labelled between a plan and its apply is another plan.
func TestSelectors(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	first, second, o := f.namespace("first"), f.namespace("second"), f.owner
	third := f.namespace("third")
	label := func(namespace, label string) { f.kubectl("label", "namespace", namespace, label, "--overwrite") }
	label(first, "team="+o)
	label(third, "other="+o)
	f.kubectl("label", "namespace", "kube-system", "team-"+o+"=yes")
	t.Cleanup(func() { f.kubectl("label", "namespace", "kube-system", "team-"+o+"-") })
	f.write(`
groups: [{name: devs-OWNER, namespaces: [{selector: {team: OWNER}, clusterRoles: [edit]}, {selector: {team-OWNER: "yes"}, clusterRoles: [edit]}]}]
users: [{name: alice@OWNER, groups: [devs-OWNER]}]
`)
	if p := f.plan(); !p.note("selector-empty", "") {
		t.Errorf("a selector may match kube-system: %+v", p)
	}
	f.must(0, "apply", "--yes")
	alice := f.userKubeconfig("alice@" + o)
	f.allowed(alice, "get", "secrets", "-n", first)
	f.forbidden(alice, "get", "secrets", "-n", second)
	f.forbidden(alice, "get", "secrets", "-n", "kube-system")

	label(second, "team="+o)
	p := f.plan()
	if diff := cmp.Diff([]string{"bind devs-" + o + " namespace-selected"}, p.steps()); diff != "" {
		t.Error(diff)
	}
	label(third, "team="+o)
	if r := f.must(3, "apply", "--expect", p.Digest); !strings.Contains(r.stderr, "not the expected") {
		t.Error(r.stderr)
	}
	f.forbidden(alice, "get", "secrets", "-n", second)
	f.must(0, "apply", "--yes", "--drift", "--hold")
	for _, namespace := range []string{first, second, third} {
		f.allowed(alice, "get", "secrets", "-n", namespace)
	}
	if got := f.must(0, "export", "--by-label=team").stdout; !strings.Contains(got, "- selector: {team: "+o+"}\n        clusterRoles: [edit]\n") || strings.Contains(got, "name: "+first) {
		t.Errorf("export: %s", got)
	}

	label(first, "team=nobody")
	f.kubectl("delete", "namespace", third)
	if diff := cmp.Diff([]string{"unbind devs-" + o + " namespace-unselected"}, f.plan().steps()); diff != "" {
		t.Error(diff)
	}
	f.must(0, "apply", "--yes", "--drift", "--hold")
	f.forbidden(alice, "get", "secrets", "-n", first)
	f.allowed(alice, "get", "secrets", "-n", second)
	if p := f.plan(); p.Changes {
		t.Errorf("%q", p.steps())
	}
}
