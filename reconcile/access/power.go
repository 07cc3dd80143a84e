package access

import (
	"cmp"
	"slices"
	"strings"

	"github.com/certsync/certsync/reconcile"
)

// Power lists, in a few words each, why a user with a ClusterRole is as good as cluster-admin: the worst first, empty if
// nothing makes them so.
type Power struct {
	Everywhere []string // bound cluster-wide
	InSystem   []string // bound in a namespace where the cluster's own service accounts are, or certsync's
}

// power is a row of what is as good as cluster-admin: any of these verbs on any of these resources, of all objects or of
// one with such a name.
type power struct {
	verbs     []string
	group     string
	resources []string
	names     []string
	inSystem  bool // in one namespace too, if that is one that matters
	means     string
}

var (
	reads      = []string{"get", "list", "watch"}
	writes     = []string{"create", "update", "patch"}
	privileged = []string{"system:masters", "kubeadm:cluster-admins", "system:kube-controller-manager"}
)

// asOther are the verbs of constrained impersonation that let a user do the same while they act as somebody else. A mode is
// left out: associated-node is for service accounts, and certsync's users are none.
func asOther(verbs ...string) []string {
	var on []string
	for _, mode := range []string{"user-info", "serviceaccount", "arbitrary-node"} {
		for _, v := range verbs {
			on = append(on, "impersonate-on:"+mode+":"+v)
		}
	}
	return on
}

// either are the verbs, for a user as themselves and as somebody else.
func either(verbs ...string) []string { return slices.Concat(verbs, asOther(verbs...)) }

// powers is the whole definition, the worst first. Each is one step away from cluster-admin: a user can give themselves a
// role, act as somebody else, or use the rights of the cluster's own service accounts. The tokens of these accounts are in
// Secrets, and pods run as them. Ways that need a second weakness are left out, since nobody would read a list of every role.
// Constrained impersonation takes two rights: whom to be, and what to do as them. Each counts, since they may come from two
// roles.
var powers = []power{
	{[]string{"*"}, "*", []string{"*"}, nil, true, "may do everything"},
	{[]string{"bind", "escalate"}, reconcile.RBACGroup, []string{"clusterroles", "roles"}, []string{"cluster-admin"}, true, "may give out any role"},
	{[]string{"impersonate"}, "", []string{"users", "groups", "serviceaccounts"}, privileged, true, "may act as somebody else"},
	// For four groups or more at once, the API server asks about one that is called *.
	{[]string{"impersonate:user-info", "impersonate:serviceaccount", "impersonate:arbitrary-node"}, "authentication.k8s.io",
		[]string{"users", "groups", "serviceaccounts", "nodes"}, append([]string{"*"}, privileged...), true, "may act as somebody else"},
	{asOther(writes...), reconcile.RBACGroup, []string{"clusterrolebindings", "rolebindings", "clusterroles", "roles"}, nil, true, "may write roles and bindings as somebody else"},
	{asOther("update", "patch"), "certificates.k8s.io", []string{"certificatesigningrequests/approval", "certificatesigningrequests/status"},
		nil, false, "may approve certificates as somebody else"},
	{[]string{"approve", "sign"}, "certificates.k8s.io", []string{"signers"},
		[]string{"kubernetes.io/kube-apiserver-client", "kubernetes.io/*"}, false, "may have a certificate issued for any name"},
	{either(reads...), "", []string{"secrets"}, nil, true, "may read Secrets, tokens among them"},
	{either("create"), "", []string{"serviceaccounts/token"}, nil, true, "may make tokens of service accounts"},
	{either(writes...), "", []string{"pods", "pods/ephemeralcontainers", "replicationcontrollers"}, nil, true, runsAnything},
	{either("create", "get"), "", []string{"pods/exec", "pods/attach"}, nil, true, runsAnything},
	{either(writes...), "apps", []string{"deployments", "daemonsets", "statefulsets", "replicasets"}, nil, true, runsAnything},
	{either(writes...), "batch", []string{"jobs", "cronjobs"}, nil, true, runsAnything},
	{either("create", "get"), "", []string{"nodes/proxy"}, nil, false, "may run anything in any pod, through its node"},
	{either(writes...), "admissionregistration.k8s.io", []string{"mutatingwebhookconfigurations", "mutatingadmissionpolicies", "mutatingadmissionpolicybindings"},
		nil, false, "may change what others write"},
}

const runsAnything = "may run anything as a service account of the cluster's"

// PowerOf says what a ClusterRole with these rules makes of those who have it.
func PowerOf(rules []reconcile.Rule) Power {
	var p Power
	for i, row := range powers {
		if !slices.ContainsFunc(rules, row.given) {
			continue
		}
		p.Everywhere = append(p.Everywhere, row.means)
		if row.inSystem {
			p.InSystem = append(p.InSystem, row.means)
		}
		if i == 0 {
			break // everything: all other rows say less
		}
	}
	return Power{slices.Compact(p.Everywhere), slices.Compact(p.InSystem)}
}

// Severity orders reasons why somebody is as good as cluster-admin: the lower, the worse. It is -1 where no rules were read.
func Severity(why string) int {
	return slices.IndexFunc(powers, func(p power) bool { return p.means == why })
}

// Worst sorts reasons, the worst first, and has each once.
func Worst(reasons []string) []string {
	slices.SortFunc(reasons, func(a, b string) int {
		return cmp.Or(cmp.Compare(Severity(a), Severity(b)), cmp.Compare(a, b))
	})
	return slices.Compact(reasons)
}

// given reports whether a rule gives a power.
func (p power) given(r reconcile.Rule) bool {
	has := func(list []string, wanted ...string) bool {
		return slices.Contains(list, "*") || slices.ContainsFunc(wanted, func(w string) bool { return slices.Contains(list, w) })
	}
	resource := func(name string) bool {
		_, sub, _ := strings.Cut(name, "/")
		return has(r.Resources, name) || sub != "" && slices.Contains(r.Resources, "*/"+sub)
	}
	named := len(r.Names) == 0 || slices.ContainsFunc(p.names, func(n string) bool { return slices.Contains(r.Names, n) })
	return named && has(r.Verbs, p.verbs...) && has(r.Groups, p.group) && slices.ContainsFunc(p.resources, resource)
}

// PowerByName is for a role whose rules nobody has read, since it is not there yet: what Kubernetes has under that name.
func PowerByName(role string) Power {
	switch {
	case role == "cluster-admin", role == "admin", role == "edit", strings.HasPrefix(role, "system:"):
		const means = "by its name: the role does not exist yet, so its rules are unknown"
		return Power{Everywhere: []string{means}, InSystem: []string{means}}
	}
	return Power{}
}
