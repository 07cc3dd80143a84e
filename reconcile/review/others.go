package review

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/status"
)

// maxSubjects is how many subjects of one namespace are listed, the strongest first. An admin of the namespace can bind a role to
// thousands of names. Subjects that are bound cluster-wide or in kube-system are all listed: only administrators bind those.
const maxSubjects = 500

// Other is a subject of bindings that is not certsync's. ServiceAccounts are listed only if they are as good as cluster-admin.
type Other struct {
	Kind      string `json:"kind"` // User, Group or ServiceAccount
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Of is who had the name, if it is an earlier one of somebody in the review.
	Of string `json:"of,omitempty"`
	// Kubernetes: it has nothing but what Kubernetes itself binds to it.
	Kubernetes bool     `json:"kubernetes"`
	Everybody  bool     `json:"everybody,omitempty"` // it stands for all who reach the API server, or for all service accounts
	Power      []string `json:"power"`
	Access     []Access `json:"access"`
	Unlisted   int      `json:"unlisted,omitempty"` // roles beside those in Access
}

// everybody are the subjects that stand for people whom nobody has named.
var everybody = []string{"system:authenticated", "system:unauthenticated", "system:anonymous", "system:serviceaccounts"}

// others reviews everybody whom a binding names, but for certsync's people in certsync's bindings and under their present names. It
// also returns how many are not listed.
func (s survey) others(people []Person) (listed []Other, more int) {
	known, present := map[string]bool{}, map[string]bool{}
	for _, p := range people {
		known[p.Name], present[p.Username] = true, true
	}
	bound := s.boundToOthers(known)
	in := map[string][]Other{} // by the namespace where they are strongest
	for _, subject := range slices.SortedFunc(maps.Keys(bound), compareSubjects) {
		if subject.Kind == "User" && present[subject.Name] {
			continue
		}
		o := s.other(subject, bound[subject])
		if person := subject.Person(); known[person] {
			o.Of = person
		}
		if subject.Kind != "ServiceAccount" || len(o.Power) > 0 {
			where := o.home()
			in[where] = append(in[where], o)
		}
	}
	listed = []Other{}
	for where, all := range in {
		if n := len(all) - maxSubjects; n > 0 && where != "" {
			slices.SortStableFunc(all, func(a, b Other) int { return cmp.Compare(b.Access[0].Strength, a.Access[0].Strength) })
			all, more = all[:maxSubjects], more+n
		}
		listed = append(listed, all...)
	}
	slices.SortFunc(listed, func(a, b Other) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return listed, more
}

// home is "" for a subject that is bound cluster-wide or in kube-system, and else the namespace of the strongest access.
func (o Other) home() string {
	for _, a := range o.Access {
		if a.Namespace == "" || a.Namespace == "kube-system" {
			return ""
		}
	}
	return o.Access[0].Namespace
}

// other reviews one subject.
func (s survey) other(subject reconcile.Subject, bindings []reconcile.Binding) Other {
	o := Other{Kind: subject.Kind, Namespace: reconcile.Shown(subject.Namespace), Name: reconcile.Shown(subject.Name), Kubernetes: true,
		Everybody: slices.ContainsFunc(everybody, func(n string) bool { return subject.Name == n || strings.HasPrefix(subject.Name, n+":") })}
	var list []Access
	for _, b := range bindings {
		a := s.foreign(b, "")
		if _, ours := s.Ours[b.Object()]; ours {
			a.Status = status.IsUnwanted
		}
		o.Kubernetes = o.Kubernetes && ofKubernetes(subject, b)
		list = append(list, a)
	}
	o.Power = powers(list)
	o.Access, o.Unlisted = strongest(list)
	return o
}

// ofKubernetes reports whether a binding is one that Kubernetes or kubeadm makes, to a subject that it makes it for. Only administrators
// can make bindings cluster-wide, and in the namespaces of Kubernetes.
func ofKubernetes(s reconcile.Subject, b reconcile.Binding) bool {
	own := b.Namespace == "" || b.Namespace == "kube-system" || b.Namespace == "kube-public"
	switch {
	case !own || b.RoleRef.Name != b.Name && b.Name != "kubeadm:cluster-admins" && b.Name != "system::extension-apiserver-authentication-reader":
		return false
	case s.Kind == "Group" && (s.Name == "system:authenticated" || s.Name == "system:unauthenticated"):
		return slices.Contains([]string{"system:basic-user", "system:discovery", "system:public-info-viewer"}, b.Name)
	case s.Kind == "Group" && s.Name == "system:serviceaccounts":
		return b.Name == "system:service-account-issuer-discovery"
	case b.Name == "cluster-admin":
		return s.Kind == "Group" && s.Name == "system:masters"
	case b.Name == "kubeadm:cluster-admins":
		return s.Kind == "Group" && s.Name == "kubeadm:cluster-admins" && b.RoleRef.Name == "cluster-admin"
	}
	mine := strings.HasPrefix(b.Name, "system:") || strings.HasPrefix(b.Name, "kubeadm:")
	return mine && (strings.HasPrefix(s.Name, "system:") || s.Kind == "ServiceAccount" && s.Namespace == "kube-system")
}

// boundToOthers has the bindings for each subject that they name, as the authorizer sees it. Of certsync's own bindings it has only
// the subjects who are none of certsync's people: somebody else put them there.
func (s survey) boundToOthers(known map[string]bool) map[reconcile.Subject][]reconcile.Binding {
	bound := map[reconcile.Subject][]reconcile.Binding{}
	for _, b := range s.Observed.Bindings {
		_, ours := s.Ours[b.Object()]
		for _, subject := range b.Subjects {
			subject = reconcile.Authorized(subject)
			if !served(subject) || ours && known[subject.Person()] {
				continue
			}
			if of := bound[subject]; len(of) == 0 || !of[len(of)-1].Same(b) {
				bound[subject] = append(of, b)
			}
		}
	}
	return bound
}

// served reports whether a binding gives something to a subject of this kind.
func served(s reconcile.Subject) bool {
	switch s.Kind {
	case "User", "Group":
		return s.APIGroup == reconcile.RBACGroup
	case "ServiceAccount":
		return s.APIGroup == ""
	}
	return false
}

func compareSubjects(a, b reconcile.Subject) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.APIGroup, b.APIGroup))
}

// roles reviews each role that somebody in a review has, is to have, or had.
func (s survey) roles(r Review) []Role {
	seen := map[reconcile.Role]Role{}
	note := func(list []Access) {
		for _, a := range list {
			shown := roleOf(a.Kind, a.Namespace, a.Role)
			known, ok := seen[shown]
			if !ok {
				role := s.rated[shown]
				rules, exists := s.Observed.Rules[role]
				known = Role{Kind: a.Kind, Namespace: shown.Namespace, Name: shown.Name, Exists: exists, Power: reconcile.OrEmpty(s.RolePower(role, role.Namespace)), Rules: reconcile.OrEmpty(rules)}
			}
			known.Strength = max(known.Strength, a.Strength)
			seen[shown] = known
		}
	}
	for _, p := range r.People {
		note(p.Access)
	}
	for _, o := range r.Others {
		note(o.Access)
	}
	return slices.SortedFunc(maps.Values(seen), func(a, b Role) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
}

// strongest joins access by the same role in the same place to one row, and returns at most access.MaxRoles rows of a namespace, the
// strongest ones. It also returns how many roles there are more.
func strongest(list []Access) (listed []Access, more int) {
	type what struct {
		kind, role, namespace, group, owner string
		through                             Through
		status                              status.BindingStatus
	}
	slices.SortFunc(list, compareAccess)
	rows, in := map[what]int{}, map[string]int{}
	for _, a := range list {
		key := what{a.Kind, a.Role, a.Namespace, a.Group, a.Owner, a.Through, a.Status}
		if i, twice := rows[key]; twice {
			listed[i].Also++
			continue
		}
		if in[a.Namespace]++; in[a.Namespace] > access.MaxRoles && a.Namespace != "" && a.Namespace != "kube-system" {
			more++
			continue
		}
		rows[key] = len(listed)
		listed = append(listed, a)
	}
	return listed, more
}
