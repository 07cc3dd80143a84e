package access

import (
	"cmp"
	"slices"

	"github.com/certsync/certsync/reconcile"
)

// Authenticated is the group of everybody who has a certificate or a token.
const Authenticated = "system:authenticated"

// Given is what one binding gives an identity.
type Given struct {
	Binding   string           `json:"binding"`             // kind, namespace and name
	Owner     string           `json:"owner,omitempty"`     // the owner in its name, if it is certsync's for another owner
	Namespace string           `json:"namespace,omitempty"` // empty: cluster-wide
	Subject   string           `json:"subject"`             // "User/alice" or "Group/developers": by which the binding serves the identity
	Role      string           `json:"role"`                // "ClusterRole/view" or "Role/deployer"
	Rules     []reconcile.Rule `json:"rules"`
	// Also is how many further bindings give the same role there to the same subject.
	Also int `json:"also,omitempty"`
	// More is how many roles of the namespace are not listed after this one.
	More int `json:"more,omitempty"`
}

// MaxRoles is how many roles are listed for one namespace. Whoever is admin of a namespace can make thousands, there alone.
const MaxRoles = 50

// Lookup finds what bindings give. It works out the rules of each role once: a ledger record can have a thousand certificates, which
// have every group that is bound.
type Lookup struct {
	serving   func(reconcile.Subject) []*reconcile.Binding
	rules     map[reconcile.Role][]reconcile.Rule
	effective map[bound][]reconcile.Rule
}

// bound is a role as a binding of a kind gives it.
type bound struct {
	kind reconcile.BindingKind
	role reconcile.Role
}

// NewLookup makes a Lookup. serving returns the bindings that name a subject.
func NewLookup(serving func(reconcile.Subject) []*reconcile.Binding, rules map[reconcile.Role][]reconcile.Rule) *Lookup {
	return &Lookup{serving, rules, map[bound][]reconcile.Rule{}}
}

// Served returns the subjects of a certificate's holder to which bindings give something. The holder has a username, groups, and
// system:authenticated.
func (l *Lookup) Served(username string, groups []string) []reconcile.Subject {
	subjects := []reconcile.Subject{reconcile.UserSubject(username)}
	for _, g := range reconcile.SortedSet(append(slices.Clone(groups), Authenticated)) {
		subjects = append(subjects, reconcile.Subject{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: g})
	}
	return slices.DeleteFunc(subjects, func(s reconcile.Subject) bool {
		return !slices.ContainsFunc(l.serving(s), func(b *reconcile.Binding) bool { return len(l.rulesOf(b)) > 0 })
	})
}

// Of lists what bindings give to subjects. It leaves out access that Kubernetes gives everybody by default, and bindings whose role
// gives nothing or does not exist. The lists share their rules.
func (l *Lookup) Of(subjects []reconcile.Subject) []Given {
	type what struct {
		subject reconcile.Subject
		role    reconcile.Role
		where   string
	}
	all, listed := []Given{}, map[what]int{}
	for _, s := range subjects {
		for _, b := range l.serving(s) {
			key := what{s, b.Role(), b.Namespace}
			if i, twice := listed[key]; twice {
				all[i].Also++
				continue
			}
			given := l.rulesOf(b)
			if len(given) == 0 {
				continue
			}
			listed[key] = len(all)
			all = append(all, Given{
				Binding: reconcile.Shown(b.Object()), Owner: b.OwnerOf(), Namespace: b.Namespace,
				Subject: s.Kind + "/" + reconcile.Shown(s.Name), Role: b.RoleRef.Kind + "/" + reconcile.Shown(b.RoleRef.Name), Rules: given,
			})
		}
	}
	slices.SortFunc(all, compareGiven)
	return limited(all)
}

func compareGiven(a, b Given) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Binding, b.Binding), cmp.Compare(a.Subject, b.Subject))
}

// limited leaves out the weakest roles of each namespace that has more than MaxRoles. Bindings cluster-wide, and those of
// kube-system, only administrators make: they are all listed.
func limited(sorted []Given) []Given {
	kept := []Given{}
	for len(sorted) > 0 {
		namespace := sorted[0].Namespace
		n := 0
		for n < len(sorted) && sorted[n].Namespace == namespace {
			n++
		}
		here := sorted[:n]
		sorted = sorted[n:]
		if more := n - MaxRoles; more > 0 && namespace != "" && namespace != "kube-system" {
			slices.SortStableFunc(here, func(a, b Given) int { return cmp.Compare(StrengthOf(b.Rules, nil), StrengthOf(a.Rules, nil)) })
			here = here[:MaxRoles]
			slices.SortFunc(here, compareGiven)
			here[MaxRoles-1].More = more
		}
		kept = append(kept, here...)
	}
	return kept
}

// rulesOf returns the rules that a binding gives, without those of byDefault. A RoleBinding gives nothing on URLs.
func (l *Lookup) rulesOf(b *reconcile.Binding) []reconcile.Rule {
	key := bound{b.Kind, b.Role()}
	all, known := l.effective[key]
	if known {
		return all
	}
	for _, r := range l.rules[key.role] {
		if b.Kind == reconcile.RoleBinding {
			r.URLs = nil
		}
		empty := len(r.Verbs) == 0 || len(r.URLs) == 0 && (len(r.Groups) == 0 || len(r.Resources) == 0)
		if !empty && !byDefaultOnly(r) {
			all = append(all, r)
		}
	}
	l.effective[key] = all
	return all
}

// byDefault is what Kubernetes' own ClusterRoles system:basic-user, system:discovery and system:public-info-viewer give to
// everybody who is authenticated.
var byDefault = []reconcile.Rule{
	{Verbs: []string{"create"}, Groups: []string{"authorization.k8s.io"}, Resources: []string{"selfsubjectaccessreviews", "selfsubjectrulesreviews"}},
	{Verbs: []string{"create"}, Groups: []string{"authentication.k8s.io"}, Resources: []string{"selfsubjectreviews"}},
	{Verbs: []string{"get"}, URLs: []string{"/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version", "/version/"}},
}

// Within reports whether a rule gives nothing that another rule does not.
func Within(r, other reconcile.Rule) bool {
	subset := func(a, b []string) bool {
		return slices.Contains(b, "*") || !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) })
	}
	if len(other.Names) > 0 && (len(r.Names) == 0 || !subset(r.Names, other.Names)) {
		return false
	}
	return subset(r.Verbs, other.Verbs) && subset(r.Groups, other.Groups) && subset(r.Resources, other.Resources) && subset(r.URLs, other.URLs)
}

// Others indexes the bindings that are not an owner's by the subjects that they name, as the API server's authorizer sees them. The
// index points into bindings, since others may name thousands of subjects in one.
func Others(owner string, bindings []reconcile.Binding) map[reconcile.Subject][]*reconcile.Binding {
	serves := map[reconcile.Subject][]*reconcile.Binding{}
	for i := range bindings {
		b := &bindings[i]
		if _, ours := reconcile.ParseBindingName(owner, b.Namespace, b.Name); ours {
			continue
		}
		for _, s := range b.Subjects {
			// A subject can be there twice. Of a thousand bindings, only the last can be this one.
			s = reconcile.Authorized(s)
			if all := serves[s]; s.APIGroup == reconcile.RBACGroup && (len(all) == 0 || all[len(all)-1] != b) {
				serves[s] = append(all, b)
			}
		}
	}
	return serves
}
