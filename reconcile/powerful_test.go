package reconcile

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	somebodyElse = "may act as somebody else"
	secrets      = "may read Secrets, tokens among them"
	tokens       = "may make tokens of service accounts"
)

const anything = "may run anything as a service account of the cluster's"

func both(means ...string) Power { return Power{means, means} }
func wide(means ...string) Power { return Power{Everywhere: means} }

type powerCase struct {
	rules []Rule
	want  Power
}

func (c powerCase) check(t *testing.T) {
	if diff := cmp.Diff(c.want, PowerOf(c.rules)); diff != "" {
		t.Error(diff)
	}
}

// TestPowerOf: each way to cluster-admin is known, and what looks like one and is none is not taken for it.
func TestPowerOf(t *testing.T) {
	none := Power{}
	for sentence, c := range map[string]powerCase{
		"no rules":                {nil, none},
		"what view allows":        {[]Rule{{Verbs: []string{"get", "list", "watch"}, Groups: []string{""}, Resources: []string{"pods", "configmaps", "pods/log"}}}, none},
		"all on all":              {[]Rule{rule("*", "*", "*")}, both("may do everything")},
		"all on all of one group": {[]Rule{rule("*", "example.com", "*")}, none},
		"all on all of the core group": {[]Rule{rule("*", "", "*")}, Power{
			[]string{somebodyElse, secrets, tokens, anything, "may run anything in any pod, through its node"},
			[]string{somebodyElse, secrets, tokens, anything}}},
		"all on all, of one name": {[]Rule{rule("*", "*", "*", "one")}, none},
		"reading all, which is exec too": {[]Rule{rule("get", "*", "*")}, Power{
			[]string{secrets, anything, "may run anything in any pod, through its node"}, []string{secrets, anything}}},
		"bind":                          {[]Rule{rule("bind", RBACGroup, "clusterroles")}, both("may give out any role")},
		"bind on harmless roles":        {[]Rule{rule("bind", RBACGroup, "clusterroles", "view", "edit")}, none},
		"bind on cluster-admin":         {[]Rule{rule("bind", RBACGroup, "clusterroles", "view", "cluster-admin")}, both("may give out any role")},
		"escalate":                      {[]Rule{rule("escalate", RBACGroup, "roles")}, both("may give out any role")},
		"making bindings, without bind": {[]Rule{rule("create", RBACGroup, "clusterrolebindings")}, none},
		"impersonate":                   {[]Rule{rule("impersonate", "", "users")}, both("may act as somebody else")},
		"impersonate one user":          {[]Rule{rule("impersonate", "", "users", "bot")}, none},
		"impersonate system:masters":    {[]Rule{rule("impersonate", "", "groups", "system:masters")}, both("may act as somebody else")},
		"impersonate kubeadm's admins":  {[]Rule{rule("impersonate", "", "groups", "kubeadm:cluster-admins")}, both(somebodyElse)},
		"approve for the clients' signer": {[]Rule{rule("approve", "certificates.k8s.io", "signers", "kubernetes.io/kube-apiserver-client")},
			wide("may have a certificate issued for any name")},
		"approve for another signer":      {[]Rule{rule("approve", "certificates.k8s.io", "signers", "example.com/mine")}, none},
		"sign for all of Kubernetes' own": {[]Rule{rule("sign", "certificates.k8s.io", "signers", "kubernetes.io/*")}, wide("may have a certificate issued for any name")},
		"one Secret":                      {[]Rule{rule("get", "", "secrets", "one")}, none},
		"writing Secrets":                 {[]Rule{rule("create", "", "secrets")}, none},
		"Secrets of another group":        {[]Rule{rule("get", "example.com", "secrets")}, none},
		"watching Secrets":                {[]Rule{rule("watch", "", "secrets")}, both("may read Secrets, tokens among them")},
		"tokens":                          {[]Rule{rule("create", "", "serviceaccounts/token")}, both("may make tokens of service accounts")},
		"any token subresource":           {[]Rule{rule("create", "", "*/token")}, both("may make tokens of service accounts")},
		"service accounts alone":          {[]Rule{rule("create", "", "serviceaccounts")}, none},
		"Pods":                            {[]Rule{rule("create", "", "pods")}, both(anything)},
		"exec":                            {[]Rule{rule("get", "", "pods/exec")}, both(anything)},
		"Deployments":                     {[]Rule{rule("patch", "apps", "deployments")}, both(anything)},
		"scaling Deployments":             {[]Rule{rule("patch", "apps", "deployments/scale")}, none},
		"CronJobs":                        {[]Rule{rule("update", "batch", "cronjobs")}, both(anything)},
		"deleting Pods":                   {[]Rule{rule("delete", "", "pods")}, none},
		"nodes/proxy":                     {[]Rule{rule("get", "", "nodes/proxy")}, wide("may run anything in any pod, through its node")},
		"webhooks":                        {[]Rule{rule("update", "admissionregistration.k8s.io", "mutatingwebhookconfigurations")}, wide("may change what others write")},
		"all of several, the worst first, and those in a namespace": {
			[]Rule{rule("get", "", "nodes/proxy"), rule("create", "", "pods"), rule("sign", "certificates.k8s.io", "signers"), rule("create", "batch", "jobs")},
			Power{[]string{"may have a certificate issued for any name", anything, "may run anything in any pod, through its node"}, []string{anything}}},
		"a verb of one rule and a resource of another": {[]Rule{rule("get", "", "pods"), rule("create", "", "secrets")}, none},
	} {
		t.Run(sentence, c.check)
	}
}

// TestPowerOfConstrainedImpersonation: whom to be and what to do as them count each by itself.
func TestPowerOfConstrainedImpersonation(t *testing.T) {
	none := Power{}
	for sentence, c := range map[string]powerCase{
		"impersonate in the group of constrained impersonation": {[]Rule{rule("impersonate", "authentication.k8s.io", "users")}, none},
		"constrained: any user":                                 {[]Rule{rule("impersonate:user-info", "authentication.k8s.io", "users")}, both(somebodyElse)},
		"constrained: one user":                                 {[]Rule{rule("impersonate:user-info", "authentication.k8s.io", "users", "bot")}, none},
		"constrained: any group":                                {[]Rule{rule("impersonate:user-info", "authentication.k8s.io", "groups")}, both(somebodyElse)},
		"constrained: the group *, which is all of them":        {[]Rule{rule("impersonate:user-info", "authentication.k8s.io", "groups", "*")}, both(somebodyElse)},
		"constrained: kubeadm's admins":                         {[]Rule{rule("impersonate:user-info", "authentication.k8s.io", "groups", "kubeadm:cluster-admins")}, both(somebodyElse)},
		"constrained: any service account":                      {[]Rule{rule("impersonate:serviceaccount", "authentication.k8s.io", "serviceaccounts")}, both(somebodyElse)},
		"constrained: any node":                                 {[]Rule{rule("impersonate:arbitrary-node", "authentication.k8s.io", "nodes")}, both(somebodyElse)},
		"constrained: the node of a pod, which no user has":     {[]Rule{rule("impersonate:associated-node", "authentication.k8s.io", "nodes")}, none},
		"constrained: of the core group":                        {[]Rule{rule("impersonate:user-info", "", "users")}, none},
		"all on all of authentication.k8s.io":                   {[]Rule{rule("*", "authentication.k8s.io", "*")}, both(somebodyElse)},
		"reading Secrets as somebody else":                      {[]Rule{rule("impersonate-on:user-info:get", "", "secrets")}, both(secrets)},
		"making Pods as a service account":                      {[]Rule{rule("impersonate-on:serviceaccount:create", "", "pods")}, both(anything)},
		"exec as a node":                                        {[]Rule{rule("impersonate-on:arbitrary-node:get", "", "pods/exec")}, both(anything)},
		"making bindings as somebody else":                      {[]Rule{rule("impersonate-on:user-info:create", RBACGroup, "clusterrolebindings")}, both("may write roles and bindings as somebody else")},
		"approving as somebody else": {[]Rule{rule("impersonate-on:user-info:update", "certificates.k8s.io", "certificatesigningrequests/approval")},
			wide("may approve certificates as somebody else")},
		"listing Pods as somebody else": {[]Rule{rule("impersonate-on:user-info:list", "", "pods")}, none},
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
	w := newWorld(t)
	w.roles = map[string]bool{"secret-reader": true, "view": true, "deployer": true, "cluster-admin": true, "approver": true}
	w.spaces = map[string]bool{"kube-system": true, "certsync": true, "staging": true}
	inv := parse(t, text)
	o, err := Observe(t.Context(), "test", w, w, func() time.Time { return w.now })
	if err != nil {
		t.Fatal(err)
	}
	o.Powers = map[string]Power{
		"secret-reader": PowerOf([]Rule{rule("get", "", "secrets")}), "view": {}, "deployer": PowerOf([]Rule{rule("create", "apps", "deployments")}),
		"cluster-admin": PowerOf([]Rule{rule("*", "*", "*")}), "approver": PowerOf([]Rule{rule("approve", "certificates.k8s.io", "signers")}),
	}
	plan := Diff(inv, o, Rules{Namespace: "certsync"})
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
		`alice: ClusterRole "system:gone" cluster-wide`:           "by its name: it is not there, and its rules cannot be seen",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestTakingIsNotPowerful: an unbind and an update that only takes out give nobody anything.
func TestTakingIsNotPowerful(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, "groups: [{name: devs, clusterRoles: [admin]}]\nusers: [{name: alice, groups: [devs], clusterRoles: [edit]}, {name: bob, groups: [devs]}]"))
	plan := w.plan(parse(t, "groups: [{name: devs, clusterRoles: [admin]}]\nusers: [{name: alice}, {name: bob, groups: [devs]}]"))
	taken := 0
	for _, s := range plan.Steps {
		if s.Action == Unbind || s.Action == Update {
			taken++
		}
		if why := plan.Powerful(s); why != "" {
			t.Errorf("%s %s is said to make somebody powerful: %s", s.Action, s.Object, why)
		}
	}
	if taken != 2 {
		t.Errorf("%d steps take something, want 2: %q", taken, lines(plan))
	}
}
