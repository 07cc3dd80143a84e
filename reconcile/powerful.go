package reconcile

import (
	"slices"
	"strings"
)

// Rule is a rule of a ClusterRole, as far as it is about resources.
type Rule struct {
	Verbs, Groups, Resources []string
	Names                    []string // of single objects; none: all of them
}

// Power says, in a few words, what makes who has a ClusterRole as good as cluster-admin; "" if nothing does.
type Power struct {
	Everywhere string // bound cluster-wide
	InSystem   string // bound in a namespace where the cluster's own service accounts are, or certsync's
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
	reads  = []string{"get", "list", "watch"}
	writes = []string{"create", "update", "patch"}
)

// powers is the whole definition, the worst first. Each is one step away from cluster-admin: by giving oneself a role, by
// being somebody else, or by what a service account of the cluster's own may do, whose tokens are in Secrets, and as
// which a pod runs. Ways that take a second weakness are not here: a list that names every role is not read.
var powers = []power{
	{[]string{"*"}, "*", []string{"*"}, nil, true, "may do everything"},
	{[]string{"bind", "escalate"}, RBACGroup, []string{"clusterroles", "roles"}, []string{"cluster-admin"}, true, "may give out any role"},
	{[]string{"impersonate"}, "", []string{"users", "groups", "serviceaccounts"}, []string{"system:masters"}, true, "may act as somebody else"},
	{[]string{"approve", "sign"}, "certificates.k8s.io", []string{"signers"},
		[]string{"kubernetes.io/kube-apiserver-client", "kubernetes.io/*"}, false, "may have a certificate issued for any name"},
	{reads, "", []string{"secrets"}, nil, true, "may read Secrets, tokens among them"},
	{[]string{"create"}, "", []string{"serviceaccounts/token"}, nil, true, "may make tokens of service accounts"},
	{writes, "", []string{"pods", "pods/ephemeralcontainers", "replicationcontrollers"}, nil, true, runsAnything},
	{[]string{"create", "get"}, "", []string{"pods/exec", "pods/attach"}, nil, true, runsAnything},
	{writes, "apps", []string{"deployments", "daemonsets", "statefulsets", "replicasets"}, nil, true, runsAnything},
	{writes, "batch", []string{"jobs", "cronjobs"}, nil, true, runsAnything},
	{[]string{"create", "get"}, "", []string{"nodes/proxy"}, nil, false, "may run anything in any pod, through its node"},
	{writes, "admissionregistration.k8s.io", []string{"mutatingwebhookconfigurations", "mutatingadmissionpolicies", "mutatingadmissionpolicybindings"},
		nil, false, "may change what others write"},
}

const runsAnything = "may run anything as a service account of the cluster's"

// PowerOf says what a ClusterRole with these rules makes of those who have it.
func PowerOf(rules []Rule) Power {
	var p Power
	for _, row := range powers {
		if !slices.ContainsFunc(rules, row.given) {
			continue
		}
		if p.Everywhere == "" {
			p.Everywhere = row.means
		}
		if p.InSystem == "" && row.inSystem {
			p.InSystem = row.means
		}
	}
	return p
}

// given reports whether a rule gives a power.
func (p power) given(r Rule) bool {
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

// powerByName is for a role whose rules nobody has read, since it is not there yet: what Kubernetes has under that name.
func powerByName(role string) Power {
	switch {
	case role == "cluster-admin", role == "admin", role == "edit", strings.HasPrefix(role, "system:"):
		const means = "by its name: it is not there, and its rules cannot be seen"
		return Power{Everywhere: means, InSystem: means}
	}
	return Power{}
}

// Powerful says why those to whom a step gives a role become as good as cluster-admin by it, or "": by the role's rules,
// cluster-wide or in a namespace that matters (kube-system, certsync's own).
func (p Plan) Powerful(s Step) string {
	g, ok := p.Grant(s)
	gives := s.Action == Bind || s.Action == Update && s.Detail != nil && len(s.Detail.Add) > 0
	if !ok || !gives {
		return ""
	}
	power, known := p.powers[g.Role]
	if !known {
		power = powerByName(g.Role)
	}
	switch g.Namespace {
	case "":
		return power.Everywhere
	case "kube-system", p.ownNamespace:
		return power.InSystem
	}
	return ""
}
