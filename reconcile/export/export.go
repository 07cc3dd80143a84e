package export

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// Result is what stands in a cluster's bindings, as an inventory to start from.
type Result struct {
	Inventory *inventory.Inventory
	// AsGroup has the groups that are bound as Groups, sorted. Such a binding does not tell who is in the group, so the
	// inventory has no members of it but those whom certsync itself has bound.
	AsGroup []string
	// Uneven has, by group, the members whom bindings of certsync's serve in a part of the group's roles only, sorted. The
	// inventory gives them all.
	Uneven map[string][]string
	// LeftOut is what an inventory cannot say, by the reason; only reasons that there are.
	LeftOut []LeftOut
}

// LeftOut counts what is not in an exported inventory for one reason.
type LeftOut struct {
	Reason   string
	Count    int      // of subjects, each once for every binding that serves it
	Examples []string // the first of them, one line each; none for what nobody would look for
}

// maxExamples is how many examples a LeftOut has, and maxExample how many bytes of a name are in one: whoever may
// write bindings must not fill somebody's file.
const (
	maxExamples = 5
	maxExample  = 64
)

// What an inventory cannot say, in the order in which it is looked for and reported.
const (
	ofKubernetes     = "named system:…, which is Kubernetes' own"
	serviceAccounts  = "of kind ServiceAccount, which needs no certificate"
	unknownSubjects  = "of a kind or API group that RBAC does not know"
	beingDeleted     = "of bindings that are being deleted"
	boundToRoles     = "bound to a Role: certsync grants ClusterRoles only"
	unnameableRoles  = "bound to a role or in a namespace with a name that an inventory cannot hold"
	unnameable       = "with a name that an inventory cannot hold: over 64 characters, or with other characters than A-Z a-z 0-9 . _ @ + -"
	differInCaseOnly = "with a name that differs from another one's in letter case only"
)

var leftOutReasons = []string{ofKubernetes, serviceAccounts, unknownSubjects, beingDeleted, boundToRoles, unnameableRoles, unnameable, differInCaseOnly}

// Bindings makes an inventory of bindings, whoever made them. A binding that certsync made for a group becomes the
// group's role and its subjects' membership; any other User subject's binding the user's own role; a Group subject's
// the role of a group whose members somebody has to name.
func Bindings(owner string, bindings []reconcile.Binding) Result {
	x := exporter{users: map[string]*inventory.User{}, groups: map[string]*inventory.Group{},
		asGroup: map[string]bool{}, served: map[string]map[string]map[reconcile.Grant]bool{}, left: map[string]*LeftOut{}}
	bindings = slices.SortedFunc(slices.Values(bindings), func(a, b reconcile.Binding) int { return cmp.Compare(a.Object(), b.Object()) })
	var all []exportedSubject
	for _, b := range bindings {
		all = append(all, x.expressible(b)...)
	}
	kept := oneOfCase(all)
	for _, s := range all {
		if kept[fold(s.Subject)] != s.Name || s.group != "" && kept[fold(s.member())] != s.group {
			x.leave(differInCaseOnly, s.binding, s.Subject)
			continue
		}
		x.take(s)
	}
	return x.export(owner)
}

// exporter gathers users and groups by name.
type exporter struct {
	users   map[string]*inventory.User
	groups  map[string]*inventory.Group
	asGroup map[string]bool
	served  map[string]map[string]map[reconcile.Grant]bool // by group and member: the grants whose bindings serve them
	left    map[string]*LeftOut
}

// exportedSubject is a subject that an inventory can say.
type exportedSubject struct {
	reconcile.Subject
	binding reconcile.Binding
	group   string // whose role it is, in a binding that certsync made for a group
}

// fold is what no two names of a kind may share.
func fold(s reconcile.Subject) reconcile.Subject {
	return reconcile.Subject{Kind: s.Kind, Name: strings.ToLower(s.Name)}
}

// member is the group as a subject.
func (s exportedSubject) member() reconcile.Subject {
	return reconcile.Subject{Kind: "Group", Name: s.group}
}

// expressible returns the subjects of a binding that an inventory can say, and counts the others.
func (x *exporter) expressible(b reconcile.Binding) []exportedSubject {
	var out []exportedSubject
	group := groupOf(b)
	for i, s := range b.Subjects {
		s = reconcile.Authorized(s)
		if slices.ContainsFunc(b.Subjects[:i], func(other reconcile.Subject) bool { return reconcile.Authorized(other) == s }) {
			continue
		}
		if reason := inexpressible(b, s); reason != "" {
			x.leave(reason, b, s)
			continue
		}
		e := exportedSubject{Subject: s, binding: b}
		if s.Kind == "User" {
			e.group = group
		}
		out = append(out, e)
	}
	return out
}

// groupOf is the group that certsync made a binding for, whichever owner's, or "".
func groupOf(b reconcile.Binding) string {
	ownership, g := reconcile.Classify(b.Owner, b)
	if ownership != reconcile.Ours || g.For != reconcile.ForGroup || !inventory.ValidName(g.Subject) || b.RoleRef.Name != g.Role {
		return ""
	}
	return g.Subject
}

// inexpressible says why an inventory cannot say that b serves s, or "".
func inexpressible(b reconcile.Binding, s reconcile.Subject) string {
	switch {
	case s.Kind == "ServiceAccount":
		return serviceAccounts
	case s.Kind != "User" && s.Kind != "Group" || s.APIGroup != reconcile.RBACGroup:
		return unknownSubjects
	case strings.HasPrefix(strings.ToLower(s.Name), "system:"):
		return ofKubernetes
	case b.Terminating:
		return beingDeleted
	case b.RoleRef.Kind != "ClusterRole":
		return boundToRoles
	case !inventory.ValidClusterRole(b.RoleRef.Name) || b.Kind == reconcile.RoleBinding && !inventory.ValidNamespace(b.Namespace):
		return unnameableRoles
	case !inventory.ValidName(s.Name):
		return unnameable
	}
	return ""
}

// oneOfCase picks one of the names that differ in letter case only: the one that is bound most often, so that nobody
// displaces a user by a binding for another spelling of theirs.
func oneOfCase(all []exportedSubject) map[reconcile.Subject]string {
	times := map[reconcile.Subject]int{}
	for _, s := range all {
		times[reconcile.Subject{Kind: s.Kind, Name: s.Name}]++
		if s.group != "" {
			times[s.member()]++
		}
	}
	kept := map[reconcile.Subject]string{}
	for s, n := range times {
		first, ok := kept[fold(s)]
		most := times[reconcile.Subject{Kind: s.Kind, Name: first}]
		if !ok || n > most || n == most && s.Name < first {
			kept[fold(s)] = s.Name
		}
	}
	return kept
}

func (x *exporter) leave(reason string, b reconcile.Binding, s reconcile.Subject) {
	l := x.left[reason]
	if l == nil {
		l = &LeftOut{Reason: reason}
		x.left[reason] = l
	}
	l.Count++
	if reason != ofKubernetes && reason != serviceAccounts && len(l.Examples) < maxExamples {
		where := "cluster-wide"
		if b.Kind == reconcile.RoleBinding {
			where = "in namespace " + brief(b.Namespace)
		}
		l.Examples = append(l.Examples, fmt.Sprintf("%.20s %s: %.20s %s %s", s.Kind, brief(s.Name), b.RoleRef.Kind, brief(b.RoleRef.Name), where))
	}
}

// brief quotes a name of any length and content.
func brief(s string) string {
	return strconv.Quote(inventory.Shorten(s, maxExample))
}

// take adds what a binding gives to one subject.
func (x *exporter) take(s exportedSubject) {
	g := reconcile.Grant{Namespace: s.binding.Namespace, Role: s.binding.RoleRef.Name}
	if s.Kind == "Group" {
		x.asGroup[s.Name] = true
		x.addToGroup(s.Name, g)
		return
	}
	u := x.users[s.Name]
	if u == nil {
		u = &inventory.User{Name: s.Name}
		x.users[s.Name] = u
	}
	if s.group == "" {
		addRole(&u.ClusterRoles, &u.Namespaces, g)
		return
	}
	x.addToGroup(s.group, g)
	if x.served[s.group] == nil {
		x.served[s.group] = map[string]map[reconcile.Grant]bool{}
	}
	if x.served[s.group][s.Name] == nil {
		x.served[s.group][s.Name] = map[reconcile.Grant]bool{}
		u.Groups = append(u.Groups, s.group)
	}
	x.served[s.group][s.Name][g] = true
}

func (x *exporter) addToGroup(name string, g reconcile.Grant) {
	group := x.groups[name]
	if group == nil {
		group = &inventory.Group{Name: name}
		x.groups[name] = group
	}
	addRole(&group.ClusterRoles, &group.Namespaces, g)
}

// addRole adds a role where it is bound, unless it is there.
func addRole(cluster *[]inventory.Grant, namespaces *map[string][]inventory.Grant, g reconcile.Grant) {
	add := func(roles []inventory.Grant) []inventory.Grant {
		if slices.ContainsFunc(roles, func(r inventory.Grant) bool { return r.ClusterRole == g.Role }) {
			return roles
		}
		return append(roles, inventory.Grant{ClusterRole: g.Role})
	}
	if g.Namespace == "" {
		*cluster = add(*cluster)
		return
	}
	if *namespaces == nil {
		*namespaces = map[string][]inventory.Grant{}
	}
	(*namespaces)[g.Namespace] = add((*namespaces)[g.Namespace])
}

// export puts what was gathered in order.
func (x *exporter) export(owner string) Result {
	e := Result{Inventory: &inventory.Inventory{Owner: owner}, AsGroup: slices.Sorted(maps.Keys(x.asGroup)), Uneven: map[string][]string{}}
	for _, name := range slices.Sorted(maps.Keys(x.groups)) {
		g := *x.groups[name]
		sortRoles(g.ClusterRoles, g.Namespaces)
		e.Inventory.Groups = append(e.Inventory.Groups, g)
		grants := map[reconcile.Grant]bool{}
		for _, served := range x.served[name] {
			maps.Copy(grants, served)
		}
		for _, member := range slices.Sorted(maps.Keys(x.served[name])) {
			if len(x.served[name][member]) < len(grants) {
				e.Uneven[name] = append(e.Uneven[name], member)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(x.users)) {
		u := *x.users[name]
		slices.Sort(u.Groups)
		sortRoles(u.ClusterRoles, u.Namespaces)
		e.Inventory.Users = append(e.Inventory.Users, u)
	}
	for _, reason := range leftOutReasons {
		if l := x.left[reason]; l != nil {
			e.LeftOut = append(e.LeftOut, *l)
		}
	}
	return e
}

func sortRoles(cluster []inventory.Grant, namespaces map[string][]inventory.Grant) {
	byName := func(a, b inventory.Grant) int { return cmp.Compare(a.ClusterRole, b.ClusterRole) }
	slices.SortFunc(cluster, byName)
	for _, roles := range namespaces {
		slices.SortFunc(roles, byName)
	}
}
