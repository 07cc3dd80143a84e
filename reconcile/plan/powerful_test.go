package plan_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/plan"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

const (
	somebodyElse = "may act as somebody else"
	secrets      = "may read Secrets, tokens among them"
	tokens       = "may make tokens of service accounts"
)

const anything = "may run anything as a service account of the cluster's"

func both(means ...string) access.Power {
	return access.Power{Everywhere: means, InSystem: means}
}
func wide(means ...string) access.Power { return access.Power{Everywhere: means} }

type powerCase struct {
	rules []reconcile.Rule
	want  access.Power
}

func (c powerCase) check(t *testing.T) {
	if diff := cmp.Diff(c.want, access.PowerOf(c.rules)); diff != "" {
		t.Error(diff)
	}
}

// TestPowerOf: each way to cluster-admin is known, and what looks like one and is none is not taken for it.
func TestPowerOf(t *testing.T) {
	none := access.Power{}
	for sentence, c := range map[string]powerCase{
		"no rules":                {nil, none},
		"what view allows":        {[]reconcile.Rule{{Verbs: []string{"get", "list", "watch"}, Groups: []string{""}, Resources: []string{"pods", "configmaps", "pods/log"}}}, none},
		"all on all":              {[]reconcile.Rule{reconciletest.Rule("*", "*", "*")}, both("may do everything")},
		"all on all of one group": {[]reconcile.Rule{reconciletest.Rule("*", "example.com", "*")}, none},
		"all on all of the core group": {[]reconcile.Rule{reconciletest.Rule("*", "", "*")}, access.Power{
			Everywhere: []string{somebodyElse, secrets, tokens, anything, "may run anything in any pod, through its node"},
			InSystem:   []string{somebodyElse, secrets, tokens, anything}}},
		"all on all, of one name": {[]reconcile.Rule{reconciletest.Rule("*", "*", "*", "one")}, none},
		"reading all, which is exec too": {[]reconcile.Rule{reconciletest.Rule("get", "*", "*")}, access.Power{
			Everywhere: []string{secrets, anything, "may run anything in any pod, through its node"}, InSystem: []string{secrets, anything}}},
		"bind":                          {[]reconcile.Rule{reconciletest.Rule("bind", reconcile.RBACGroup, "clusterroles")}, both("may give out any role")},
		"bind on harmless roles":        {[]reconcile.Rule{reconciletest.Rule("bind", reconcile.RBACGroup, "clusterroles", "view", "edit")}, none},
		"bind on cluster-admin":         {[]reconcile.Rule{reconciletest.Rule("bind", reconcile.RBACGroup, "clusterroles", "view", "cluster-admin")}, both("may give out any role")},
		"escalate":                      {[]reconcile.Rule{reconciletest.Rule("escalate", reconcile.RBACGroup, "roles")}, both("may give out any role")},
		"making bindings, without bind": {[]reconcile.Rule{reconciletest.Rule("create", reconcile.RBACGroup, "clusterrolebindings")}, none},
		"impersonate":                   {[]reconcile.Rule{reconciletest.Rule("impersonate", "", "users")}, both("may act as somebody else")},
		"impersonate one user":          {[]reconcile.Rule{reconciletest.Rule("impersonate", "", "users", "bot")}, none},
		"impersonate system:masters":    {[]reconcile.Rule{reconciletest.Rule("impersonate", "", "groups", "system:masters")}, both("may act as somebody else")},
		"impersonate kubeadm's admins":  {[]reconcile.Rule{reconciletest.Rule("impersonate", "", "groups", "kubeadm:cluster-admins")}, both(somebodyElse)},
		"approve for the clients' signer": {[]reconcile.Rule{reconciletest.Rule("approve", "certificates.k8s.io", "signers", "kubernetes.io/kube-apiserver-client")},
			wide("may have a certificate issued for any name")},
		"approve for another signer":      {[]reconcile.Rule{reconciletest.Rule("approve", "certificates.k8s.io", "signers", "example.com/mine")}, none},
		"sign for all of Kubernetes' own": {[]reconcile.Rule{reconciletest.Rule("sign", "certificates.k8s.io", "signers", "kubernetes.io/*")}, wide("may have a certificate issued for any name")},
		"one Secret":                      {[]reconcile.Rule{reconciletest.Rule("get", "", "secrets", "one")}, none},
		"writing Secrets":                 {[]reconcile.Rule{reconciletest.Rule("create", "", "secrets")}, none},
		"Secrets of another group":        {[]reconcile.Rule{reconciletest.Rule("get", "example.com", "secrets")}, none},
		"watching Secrets":                {[]reconcile.Rule{reconciletest.Rule("watch", "", "secrets")}, both("may read Secrets, tokens among them")},
		"tokens":                          {[]reconcile.Rule{reconciletest.Rule("create", "", "serviceaccounts/token")}, both("may make tokens of service accounts")},
		"any token subresource":           {[]reconcile.Rule{reconciletest.Rule("create", "", "*/token")}, both("may make tokens of service accounts")},
		"service accounts alone":          {[]reconcile.Rule{reconciletest.Rule("create", "", "serviceaccounts")}, none},
		"Pods":                            {[]reconcile.Rule{reconciletest.Rule("create", "", "pods")}, both(anything)},
		"exec":                            {[]reconcile.Rule{reconciletest.Rule("get", "", "pods/exec")}, both(anything)},
		"Deployments":                     {[]reconcile.Rule{reconciletest.Rule("patch", "apps", "deployments")}, both(anything)},
		"scaling Deployments":             {[]reconcile.Rule{reconciletest.Rule("patch", "apps", "deployments/scale")}, none},
		"CronJobs":                        {[]reconcile.Rule{reconciletest.Rule("update", "batch", "cronjobs")}, both(anything)},
		"deleting Pods":                   {[]reconcile.Rule{reconciletest.Rule("delete", "", "pods")}, none},
		"nodes/proxy":                     {[]reconcile.Rule{reconciletest.Rule("get", "", "nodes/proxy")}, wide("may run anything in any pod, through its node")},
		"webhooks":                        {[]reconcile.Rule{reconciletest.Rule("update", "admissionregistration.k8s.io", "mutatingwebhookconfigurations")}, wide("may change what others write")},
		"all of several, the worst first, and those in a namespace": {
			[]reconcile.Rule{reconciletest.Rule("get", "", "nodes/proxy"), reconciletest.Rule("create", "", "pods"), reconciletest.Rule("sign", "certificates.k8s.io", "signers"), reconciletest.Rule("create", "batch", "jobs")},
			access.Power{Everywhere: []string{"may have a certificate issued for any name", anything, "may run anything in any pod, through its node"}, InSystem: []string{anything}}},
		"a verb of one rule and a resource of another": {[]reconcile.Rule{reconciletest.Rule("get", "", "pods"), reconciletest.Rule("create", "", "secrets")}, none},
	} {
		t.Run(sentence, c.check)
	}
}

// TestPowerOfConstrainedImpersonation: whom to be and what to do as them count each by itself.
func TestPowerOfConstrainedImpersonation(t *testing.T) {
	none := access.Power{}
	for sentence, c := range map[string]powerCase{
		"impersonate in the group of constrained impersonation": {[]reconcile.Rule{reconciletest.Rule("impersonate", "authentication.k8s.io", "users")}, none},
		"constrained: any user":                                 {[]reconcile.Rule{reconciletest.Rule("impersonate:user-info", "authentication.k8s.io", "users")}, both(somebodyElse)},
		"constrained: one user":                                 {[]reconcile.Rule{reconciletest.Rule("impersonate:user-info", "authentication.k8s.io", "users", "bot")}, none},
		"constrained: any group":                                {[]reconcile.Rule{reconciletest.Rule("impersonate:user-info", "authentication.k8s.io", "groups")}, both(somebodyElse)},
		"constrained: the group *, which is all of them":        {[]reconcile.Rule{reconciletest.Rule("impersonate:user-info", "authentication.k8s.io", "groups", "*")}, both(somebodyElse)},
		"constrained: kubeadm's admins":                         {[]reconcile.Rule{reconciletest.Rule("impersonate:user-info", "authentication.k8s.io", "groups", "kubeadm:cluster-admins")}, both(somebodyElse)},
		"constrained: any service account":                      {[]reconcile.Rule{reconciletest.Rule("impersonate:serviceaccount", "authentication.k8s.io", "serviceaccounts")}, both(somebodyElse)},
		"constrained: any node":                                 {[]reconcile.Rule{reconciletest.Rule("impersonate:arbitrary-node", "authentication.k8s.io", "nodes")}, both(somebodyElse)},
		"constrained: the node of a pod, which no user has":     {[]reconcile.Rule{reconciletest.Rule("impersonate:associated-node", "authentication.k8s.io", "nodes")}, none},
		"constrained: of the core group":                        {[]reconcile.Rule{reconciletest.Rule("impersonate:user-info", "", "users")}, none},
		"all on all of authentication.k8s.io":                   {[]reconcile.Rule{reconciletest.Rule("*", "authentication.k8s.io", "*")}, both(somebodyElse)},
		"reading Secrets as somebody else":                      {[]reconcile.Rule{reconciletest.Rule("impersonate-on:user-info:get", "", "secrets")}, both(secrets)},
		"making Pods as a service account":                      {[]reconcile.Rule{reconciletest.Rule("impersonate-on:serviceaccount:create", "", "pods")}, both(anything)},
		"exec as a node":                                        {[]reconcile.Rule{reconciletest.Rule("impersonate-on:arbitrary-node:get", "", "pods/exec")}, both(anything)},
		"making bindings as somebody else":                      {[]reconcile.Rule{reconciletest.Rule("impersonate-on:user-info:create", reconcile.RBACGroup, "clusterrolebindings")}, both("may write roles and bindings as somebody else")},
		"approving as somebody else": {[]reconcile.Rule{reconciletest.Rule("impersonate-on:user-info:update", "certificates.k8s.io", "certificatesigningrequests/approval")},
			wide("may approve certificates as somebody else")},
		"listing Pods as somebody else": {[]reconcile.Rule{reconciletest.Rule("impersonate-on:user-info:list", "", "pods")}, none},
	} {
		t.Run(sentence, c.check)
	}
}

// TestPowerful: only what gives a role is marked, and only where the role is as good as cluster-admin.
func TestPowerful(t *testing.T) {
	const text = `
groups: [{name: devs, clusterRoles: [secret-reader, view], namespaces: {kube-system: [deployer], certsync: [deployer], staging: [deployer, cluster-admin]}}]
users: [{name: alice, groups: [devs], clusterRoles: [system:gone, gone, approver], namespaces: {kube-system: [approver]}}]
`
	w := reconciletest.NewWorld(t)
	w.Roles = map[string]bool{"secret-reader": true, "view": true, "deployer": true, "cluster-admin": true, "approver": true}
	w.Spaces = map[string]bool{"kube-system": true, "certsync": true, "staging": true}
	inv := reconciletest.Parse(t, text)
	o, err := reconcile.Observe(t.Context(), "test", w, w, func() time.Time { return w.Now })
	if err != nil {
		t.Fatal(err)
	}
	o.Rules = map[reconcile.Role][]reconcile.Rule{
		{Name: "secret-reader"}: []reconcile.Rule{reconciletest.Rule("get", "", "secrets")}, {Name: "view"}: {}, {Name: "deployer"}: []reconcile.Rule{reconciletest.Rule("create", "apps", "deployments")},
		{Name: "cluster-admin"}: []reconcile.Rule{reconciletest.Rule("*", "*", "*")}, {Name: "approver"}: []reconcile.Rule{reconciletest.Rule("approve", "certificates.k8s.io", "signers")},
	}
	plan := plan.Diff(inv, o, reconcile.Rules{Namespace: "certsync"})
	got := map[string]string{}
	for _, s := range plan.Steps {
		if why := plan.Powerful(s); why != "" {
			g, _ := plan.Grant(s)
			got[g.Subject+": "+g.String()] = why
		}
	}
	want := map[string]string{
		`devs: ClusterRole "secret-reader" cluster-wide`:          "may read Secrets, tokens among them",
		`devs: ClusterRole "deployer" in namespace "kube-system"`: anything,
		`devs: ClusterRole "deployer" in namespace "certsync"`:    anything,
		`alice: ClusterRole "approver" cluster-wide`:              "may have a certificate issued for any name",
		`alice: ClusterRole "system:gone" cluster-wide`:           "by its name: the role does not exist yet, so its rules are unknown",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestTakingIsNotPowerful: an unbind and an update that only takes out give nobody anything.
func TestTakingIsNotPowerful(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, "groups: [{name: devs, clusterRoles: [admin]}]\nusers: [{name: alice, groups: [devs], clusterRoles: [edit]}, {name: bob, groups: [devs]}]"))
	plan := w.Plan(reconciletest.Parse(t, "groups: [{name: devs, clusterRoles: [admin]}]\nusers: [{name: alice}, {name: bob, groups: [devs]}]"))
	taken := 0
	for _, s := range plan.Steps {
		if s.Action == reconcile.Unbind || s.Action == reconcile.Update {
			taken++
		}
		if why := plan.Powerful(s); why != "" {
			t.Errorf("%s %s is said to make somebody powerful: %s", s.Action, s.Object(), why)
		}
	}
	if taken != 2 {
		t.Errorf("%d steps take something, want 2: %q", taken, reconciletest.Lines(plan))
	}
}
