package review

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
)

// maxOthers is how many subjects that are not certsync's are listed, the strongest first.
const maxOthers = 10000

// Other is a subject of bindings that is not certsync's. ServiceAccounts are listed only if they are as good as cluster-admin.
type Other struct {
	Kind      string `json:"kind"` // User, Group or ServiceAccount
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Of is who had the name, if it is an earlier one of somebody in the review.
	Of string `json:"of,omitempty"`
	// Kubernetes: the name begins with "system:", Kubernetes' own installer gives it, or it is a controller of Kubernetes.
	Kubernetes bool     `json:"kubernetes"`
	Power      []string `json:"power"`
	Access     []Access `json:"access"`
	Unlisted   int      `json:"unlisted,omitempty"` // bindings beside those in Access
}

// others reviews everybody whom a binding of others names, but for people under their present names. It returns at most maxOthers, and
// how many there are more.
func (s survey) others(people []Person) (listed []Other, more int) {
	present, known := map[string]bool{}, map[string]bool{}
	for _, p := range people {
		present[p.Username], known[p.Name] = true, true
	}
	all := []Other{}
	bound := s.boundByOthers()
	for _, subject := range slices.SortedFunc(maps.Keys(bound), compareSubjects) {
		if subject.Kind == "User" && present[subject.Name] {
			continue
		}
		o := Other{Kind: subject.Kind, Namespace: reconcile.Shown(subject.Namespace), Name: reconcile.Shown(subject.Name),
			Kubernetes: strings.HasPrefix(subject.Name, "system:") || subject.Name == "kubeadm:cluster-admins"}
		if person := subject.Person(); known[person] {
			o.Of = person
		}
		var list []Access
		for _, b := range bound[subject] {
			list = append(list, s.foreign(b, ""))
		}
		o.Kubernetes = o.Kubernetes || ofController(subject, list)
		o.Power = powers(list)
		if o.Access, o.Unlisted = strongest(list); subject.Kind != "ServiceAccount" || len(o.Power) > 0 {
			all = append(all, o)
		}
	}
	if len(all) <= maxOthers {
		return all, 0
	}
	more = len(all) - maxOthers
	slices.SortStableFunc(all, func(a, b Other) int { return -cmp.Compare(a.strength(), b.strength()) })
	all = all[:maxOthers]
	slices.SortFunc(all, func(a, b Other) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return all, more
}

// strength is that of the strongest access.
func (o Other) strength() access.Strength {
	if len(o.Access) == 0 {
		return access.GivesNothing
	}
	return o.Access[0].Strength
}

// ofController reports whether a subject is a service account of Kubernetes' own controllers, with no role but Kubernetes' own.
func ofController(s reconcile.Subject, list []Access) bool {
	return s.Kind == "ServiceAccount" && s.Namespace == "kube-system" && !slices.ContainsFunc(list, func(a Access) bool { return !strings.HasPrefix(a.Role, "system:") })
}

// boundByOthers has the bindings of others for each subject that they name, as the authorizer sees it.
func (s survey) boundByOthers() map[reconcile.Subject][]reconcile.Binding {
	bound := access.Others(s.Inventory.Owner, s.Observed.Bindings)
	for _, b := range s.Observed.Bindings {
		if _, ours := s.Ours[b.Object()]; ours {
			continue
		}
		for _, subject := range b.Subjects {
			of := bound[subject]
			if subject.Kind == "ServiceAccount" && (len(of) == 0 || !of[len(of)-1].Same(b)) {
				bound[subject] = append(of, b)
			}
		}
	}
	return bound
}

func compareSubjects(a, b reconcile.Subject) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.APIGroup, b.APIGroup))
}

// roles reviews each role that somebody in a review has, is to have, or had.
func (s survey) roles(r Review) []Role {
	seen := map[reconcile.Role]Role{}
	note := func(list []Access) {
		for _, a := range list {
			role := roleOf(a.Kind, a.Namespace, a.Role)
			known, ok := seen[role]
			if !ok {
				rules, exists := s.Observed.Rules[role]
				known = Role{Kind: a.Kind, Namespace: role.Namespace, Name: role.Name, Exists: exists, Power: reconcile.OrEmpty(s.RolePower(role, role.Namespace)), Rules: reconcile.OrEmpty(rules)}
			}
			known.Strength = max(known.Strength, a.Strength)
			seen[role] = known
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
