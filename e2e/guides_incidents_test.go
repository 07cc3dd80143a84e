package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestByHand: with kubectl alone, somebody loses access while the job is stopped. The job would give it back.
func TestByHand(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.namespace("staging")
	f.namespace("payments")
	user := "al+ice@" + f.owner
	f.write("cluster: CLUSTER\n" + strings.ReplaceAll(team, "alice@", "al+ice@"))
	f.must(0, "apply", "--yes")
	namespace := f.deploy()
	alice, pods := f.userKubeconfig(user), []string{"get", "pods", "--all-namespaces"}
	job := func(kind, field string) string {
		t.Helper()
		name := map[string]string{"cronjob": "certsync-" + f.owner, "job": "certsync-now"}[kind]
		return f.kubectl("get", kind, name, "-n", namespace, "-o", "jsonpath={"+field+"}")
	}
	f.kubectl("create", "rolebinding", "anothers", "-n", namespace, "--clusterrole=view", "--user=m"+user)
	f.kubectl("create", "rolebinding", "numbered", "-n", namespace, "--clusterrole=view", "--user=bob", "--user="+user+"#2")
	g := f.guide("incidents/by-hand.md", "", append([]string{"alice@", "al+ice@"}, f.job()...)...)

	ended := f.running()
	g.next(0)
	ended()
	if is := job("cronjob", ".spec.suspend"); is != "true" {
		t.Errorf("suspend: %q", is)
	}
	if r := g.next(0); !strings.Contains(r.stdout, "certsync:"+f.owner+":") || !strings.Contains(r.stdout, "numbered") || strings.Contains(r.stdout, "anothers") {
		t.Errorf("the user's bindings: %s", r.stdout)
	}
	g.next(0)
	if is := job("cronjob", ".spec.suspend"); is != "false" {
		t.Errorf("suspend: %q", is)
	}
	g.next(0)
	f.allowed(alice, pods...)
	g.next(0)
	f.forbidden(alice, pods...)
	f.must(0, "apply", "--yes", "--drift", "--hold") // as the job does
	f.allowed(alice, pods...)
	for range 2 { // the second time, a job of that name is there
		g.done = len(g.commands) - 1
		g.next(0)
		if args := job("job", ".spec.template.spec.containers[0].args"); args != `["apply","--yes","--hold","--removals-only"]` {
			t.Error(args)
		}
	}
}

// TestBreakGlass: a login that certsync did not make works as the guide says, and the review shows it.
func TestBreakGlass(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	user := "break-glass@" + f.owner
	f.write("cluster: CLUSTER\nusers: [{name: alice@OWNER, clusterRoles: [view]}]")
	f.must(0, "apply", "--yes")
	kubeconfig := filepath.Join(f.dir, "break-glass.conf")
	text, err := os.ReadFile(f.handMade(user))
	check(t, err)
	check(t, os.WriteFile(kubeconfig, text, 0o600))
	defer os.Remove(kubeconfig) // in which noSecrets would find a key
	g := f.guide("incidents/break-glass.md", "", f.job()...)

	f.forbidden(kubeconfig, "get", "secrets", "--all-namespaces")
	g.next(0)
	g.shows(user, "yes")
	if p := f.plan(); p.Changes || p.note("existing-access", user) {
		t.Errorf("the plan has changes or a note: %+v", p)
	}
	g.next(0)
	if text := f.text(filepath.Join(f.dir, "review.csv")); !strings.Contains(text, user) {
		t.Errorf("not in the review: %s", text)
	}
	administrator := f.kubeconfig
	f.kubeconfig = kubeconfig
	f.must(0, "apply", "--yes", "--removals-only")
	f.kubeconfig = administrator
	f.kubectl("delete", "clusterrolebinding", "break-glass")
	f.forbidden(kubeconfig, "get", "secrets", "--all-namespaces")
}

// TestCINamesGuide: after a revocation of CI's users, setup.sh's bindings name the wrong ones, until an administrator changes them.
func TestCINamesGuide(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	plan, apply := "ci-plan@"+f.owner, "ci-apply@"+f.owner
	f.write("cluster: CLUSTER\nusers: [{name: ci-plan@OWNER}, {name: ci-apply@OWNER}]")
	f.deploy()
	setup := strings.ReplaceAll(f.text("../examples/github-actions/setup.sh"), "prod-eu", f.owner)
	for line := range strings.Lines(setup) {
		if command, found := strings.CutPrefix(line, "kubectl "); found {
			f.kubectl(strings.Fields(command)...)
		}
	}
	f.must(0, "apply", "--yes")
	old := f.userKubeconfig(apply)
	revoke := []string{"--revoke=" + plan, "--revoke=" + apply}
	if p := f.planWith(revoke...); !p.note("access-left-behind", plan) || !p.note("access-left-behind", apply) {
		t.Errorf("the plan does not note the bindings: %+v", p.Notes)
	}
	f.must(0, append([]string{"apply", "--yes"}, revoke...)...)
	list, lease := []string{"get", "clusterrolebindings"}, []string{"get", "lease", "certsync-" + f.owner, "-n", "kube-system"}
	f.allowed(old, list...) // which is why the guide warns of it
	for _, user := range []string{plan, apply} {
		f.forbidden(f.userKubeconfig(user), list...)
	}

	g := f.guide("git/README.md", "When a CI user gets another name", f.job()...)
	g.shows(plan+"#3", apply+"#2")
	for _, user := range []string{plan, apply} {
		f.allowed(f.userKubeconfig(user), list...)
		f.allowed(f.userKubeconfig(user), lease...)
	}
	f.forbidden(old, list...)
}
