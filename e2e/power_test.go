package e2e

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// harmlessRules and widenedRules are what a ClusterRole holds when its plan is reviewed, and before that is applied.
const (
	harmlessRules = `[{apiGroups: [""], resources: [configmaps], verbs: [get]}]`
	widenedRules  = `[{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]`
)

// role writes a ClusterRole whose name ends in the owner's, and returns its name.
func (f *fixture) role(name, rules string) string {
	f.Helper()
	f.apply(`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: ` + name + `-OWNER}, rules: ` + rules + `}`)
	return name + "-" + f.owner
}

// widening is what happens between a review and its apply. Without functions, the ClusterRole ops-OWNER is widened and narrowed.
type widening struct {
	before, after string // inventories
	prepare       func(*fixture)
	widen, narrow func(*fixture)
}

func (c widening) run(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.role("ops", harmlessRules)
	f.write(c.before)
	f.must(0, "apply", "--yes", "--allow-empty")
	if c.prepare != nil {
		c.prepare(f)
	}
	if c.widen == nil {
		c.widen = func(f *fixture) { f.role("ops", widenedRules) }
	}
	if c.narrow == nil {
		c.narrow = func(f *fixture) { f.role("ops", harmlessRules) }
	}
	f.write(c.after)
	reviewed := f.plan()
	c.widen(f)
	kube, vault := f.size(shared.KubeAuditLog), f.size(shared.VaultAuditLog)
	if r := f.must(3, "apply", "--expect", reviewed.Digest); !strings.Contains(r.stderr, "not the expected "+reviewed.Digest) {
		t.Errorf("apply says: %s", r.stderr)
	}
	f.noWrites(kube, vault)
	if text := f.must(0, "plan", "-o", "json").stdout; !strings.Contains(text, `"power":["may `) {
		t.Errorf("the plan does not say what the role makes of bob: %s", text)
	}
	c.narrow(f)
	f.must(0, "apply", "--expect", reviewed.Digest)
	if p := f.plan(); p.Changes {
		t.Errorf("left: %q", p.steps())
	}
}

// aggregated waits until the controller has filled the ClusterRole ops-OWNER, or emptied it.
func (f *fixture) aggregated(filled bool) {
	f.Helper()
	eventually(f, 2*time.Minute, "the aggregated rules", func() bool {
		return strings.Contains(f.kubectl("get", "clusterrole", "ops-"+f.owner, "-o", "jsonpath={.rules}"), "*") == filled
	})
}

// TestWidenedRole: a ClusterRole that is widened between the review of a plan and `apply --expect` is another plan, wherever the
// plan gives it. Nothing is written then, and what was reviewed applies once the role is as it was.
func TestWidenedRole(t *testing.T) {
	t.Parallel()
	const roles = "groups: [{name: devs-OWNER, clusterRoles: [ops-OWNER]}]\nusers:\n  - {name: bob@OWNER, groups: [devs-OWNER]}\n"
	for sentence, c := range map[string]widening{
		"newcomer": {before: "users: []", after: roles},
		"member":   {before: roles, after: roles + "  - {name: carol@OWNER, groups: [devs-OWNER]}\n"},
		"own role": {before: "users: [{name: bob@OWNER}]", after: "users: [{name: bob@OWNER, clusterRoles: [ops-OWNER]}]"},
		// A certificate for another key, for what its user has by a binding that stays as it is.
		"another key": {before: roles, after: strings.Replace(roles, "groups: [devs-OWNER]}", "groups: [devs-OWNER], request: bob.csr}", 1),
			prepare: func(f *fixture) { f.makeKey("bob.csr", "bob@"+f.owner, "devs-"+f.owner) }},
		"constrained impersonation": {before: "users: []", after: roles,
			widen: func(f *fixture) {
				f.role("ops", `[{apiGroups: [authentication.k8s.io], resources: [users], verbs: ["impersonate:user-info"]}]`)
			}},
		"made between": {before: "users: []", after: roles,
			prepare: func(f *fixture) { f.kubectl("delete", "clusterrole", "ops-"+f.owner) },
			narrow:  func(f *fixture) { f.kubectl("delete", "clusterrole", "ops-"+f.owner) }},
		"aggregated": {before: "users: []", after: roles,
			prepare: func(f *fixture) {
				f.kubectl("delete", "clusterrole", "ops-"+f.owner)
				f.apply(`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: ops-OWNER}, rules: [],` +
					` aggregationRule: {clusterRoleSelectors: [{matchLabels: {into: ops-OWNER}}]}}`)
			},
			widen: func(f *fixture) {
				part := f.role("part", widenedRules)
				f.kubectl("label", "clusterrole", part, "into=ops-"+f.owner)
				f.aggregated(true)
			},
			narrow: func(f *fixture) {
				f.kubectl("delete", "clusterrole", "part-"+f.owner)
				f.aggregated(false)
			}},
		"binding of others": {before: "users: []", after: "users: [{name: bob@OWNER}]",
			prepare: func(f *fixture) {
				f.kubectl("create", "clusterrolebinding", "others-"+f.owner, "--clusterrole=ops-"+f.owner, "--user=bob@"+f.owner)
			}},
	} {
		t.Run(sentence, c.run)
	}
}

// TestConstrainedImpersonation: what certsync takes for as good as cluster-admin in constrained impersonation is: whoever may act
// as an administrator, and make bindings as them, makes themselves one. What it does not take for that is not.
func TestConstrainedImpersonation(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	admin, admins := "admin@"+f.owner, "admins-"+f.owner
	f.kubectl("create", "clusterrolebinding", "admin-"+f.owner, "--clusterrole=cluster-admin", "--user="+admin)
	f.kubectl("create", "clusterrolebinding", admins, "--clusterrole=cluster-admin", "--group="+admins)
	be := func(resource, verb string, names ...string) string {
		text, err := json.Marshal(names)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf(`{apiGroups: [authentication.k8s.io], resources: [%s], verbs: ["%s"], resourceNames: %s}`, resource, verb, text)
	}
	do := func(verb string) string {
		return `{apiGroups: [rbac.authorization.k8s.io], resources: [clusterrolebindings], verbs: ["` + verb + `"]}`
	}
	const makes, nobody, user = "impersonate-on:user-info:create", "nobody@example.com", "impersonate:user-info"
	asAdmin := []string{"--as=" + admin}
	asAdmins := []string{"--as=" + nobody, "--as-group=" + admins}
	amongMany := append(asAdmins, "--as-group=a", "--as-group=b", "--as-group=c")
	for name, c := range map[string]struct {
		rules    []string
		as       []string
		powerful bool // what certsync says, and
		works    bool // what the API server does
	}{
		"any-user":                {[]string{be("users", user), do(makes)}, asAdmin, true, true},
		"any-user-alone":          {[]string{be("users", user)}, asAdmin, true, false},
		"making-alone":            {[]string{do(makes)}, asAdmin, true, false},
		"any-group":               {[]string{be("users", user, nobody), be("groups", user), do(makes)}, asAdmins, true, true},
		"the-group-asterisk":      {[]string{be("users", user, nobody), be("groups", user, "*")}, amongMany, true, false},
		"many-groups":             {[]string{be("users", user, nobody), be("groups", user, "*"), do(makes)}, amongMany, true, true},
		"one-user":                {[]string{be("users", user, nobody), `{apiGroups: [""], resources: [pods], verbs: ["impersonate-on:user-info:list"]}`}, asAdmin, false, false},
		"a-verb-with-an-asterisk": {[]string{be("users", user, admin), do("impersonate-on:user-info:*")}, asAdmin, false, false},
	} {
		role := f.role(name, "["+strings.Join(c.rules, ", ")+"]")
		person := name + "@" + f.owner
		f.kubectl("create", "clusterrolebinding", role, "--clusterrole="+role, "--user="+person)
		kubeconfig, err := shared.UserKubeconfig(person, nil)
		if err != nil {
			t.Fatal(err)
		}
		args := append([]string{"create", "clusterrolebinding", "made-" + role, "--clusterrole=cluster-admin", "--user=" + person, "--dry-run=server"}, c.as...)
		if c.works && f.constrainsImpersonation() {
			f.allowed(kubeconfig, args...)
		} else {
			f.forbidden(kubeconfig, args...)
		}
		f.write("users: [{name: alice@OWNER, clusterRoles: [" + role + "]}]")
		if text := f.must(0, "plan").stdout; strings.Contains(text, "as good as cluster-admin") != c.powerful {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// constrainsImpersonation reports whether the API server knows the verbs of constrained impersonation: by default since 1.36.
func (f *fixture) constrainsImpersonation() bool {
	f.Helper()
	version, err := f.client().Discovery().ServerVersion()
	if err != nil {
		f.Fatal(err)
	}
	minor, err := strconv.Atoi(version.Minor)
	if err != nil {
		f.Fatal(err)
	}
	return minor >= 36
}
