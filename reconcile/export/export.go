package export

import (
	"cmp"
	"maps"
	"slices"
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
	// Uneven has, by group, the users whom bindings of certsync's serve in a part of the group's roles only, sorted. They are no
	// members: the inventory gives them those roles as their own.
	Uneven map[string][]string
	// ByLabel is the label whose values selectors ask for, if JoinByLabel has joined anything.
	ByLabel string
	// LeftOut is what an inventory cannot say, by the reason; only reasons that there are.
	LeftOut []LeftOut
}

// Bindings makes an inventory of bindings, whoever made them. A binding with certsync's name for a group becomes the group's
// role, and its subjects members if all bindings of the group agree on them; any other User subject's binding the user's own
// role; a Group subject's the role of a group whose members somebody has to name.
//
// Whoever is admin of a namespace can make RoleBindings with any name there. So nobody becomes a member by RoleBindings alone of
// a group that is bound as a Group too: what that has elsewhere, they do not.
func Bindings(owner string, bindings []reconcile.Binding) Result {
	x := exporter{users: map[string]*inventory.User{}, groups: map[string]*inventory.Group{},
		asGroup: map[string]bool{}, served: map[string]map[reconcile.Grant]map[string]bool{}, left: map[string]*LeftOut{}}
	bindings = slices.SortedFunc(slices.Values(bindings), func(a, b reconcile.Binding) int { return cmp.Compare(a.Object(), b.Object()) })
	var all []exportedSubject
	for _, b := range bindings {
		all = append(all, x.expressible(b)...)
	}
	kept := oneOfCase(all)
	all = slices.DeleteFunc(all, func(s exportedSubject) bool {
		if kept[fold(s.Subject)] == s.Name && (s.group == "" || kept[fold(s.member())] == s.group) {
			return false
		}
		x.leave(differInCaseOnly, s.binding, s.Subject)
		return true
	})
	for _, s := range all {
		x.serve(s)
	}
	for _, s := range all {
		x.take(s)
	}
	return x.export(owner)
}

// exporter gathers users and groups by name.
type exporter struct {
	users   map[string]*inventory.User
	groups  map[string]*inventory.Group
	asGroup map[string]bool
	served  map[string]map[reconcile.Grant]map[string]bool // by group and grant: whom certsync's bindings serve
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
	_, certsyncs := reconcile.ParseBindingName(b.OwnerOf(), b.Namespace, b.Name)
	seen := map[reconcile.Subject]bool{}
	for _, s := range b.Subjects {
		s = reconcile.Authorized(s)
		if certsyncs && s.Kind == "User" {
			s.Name, _ = reconcile.Person(s.Name) // an inventory says who, and not in which epoch
		}
		if seen[s] {
			continue
		}
		seen[s] = true
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
	g, ours := reconcile.ParseBindingName(b.OwnerOf(), b.Namespace, b.Name)
	if !ours || g.For != reconcile.ForGroup || b.RoleRef != g.RoleRef() {
		return ""
	}
	return g.Subject
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

// serve notes whom a group's bindings serve, and which groups are bound as such.
func (x *exporter) serve(s exportedSubject) {
	if s.Kind == "Group" {
		x.asGroup[s.Name] = true
	}
	if s.group == "" {
		return
	}
	if x.served[s.group] == nil {
		x.served[s.group] = map[reconcile.Grant]map[string]bool{}
	}
	if x.served[s.group][s.grant()] == nil {
		x.served[s.group][s.grant()] = map[string]bool{}
	}
	x.served[s.group][s.grant()][s.Name] = true
}

func (s exportedSubject) grant() reconcile.Grant {
	g := reconcile.Grant{Namespace: s.binding.Namespace, Role: s.binding.RoleRef.Name}
	if s.binding.RoleRef.Kind == reconcile.NamespaceRole.String() {
		g.RoleKind = reconcile.NamespaceRole
	}
	return g
}

// isMember reports whether all bindings of a group serve a user.
func (x *exporter) isMember(group, user string) bool {
	wide := false
	for g, users := range x.served[group] {
		if !users[user] {
			return false
		}
		wide = wide || g.Namespace == ""
	}
	return len(x.served[group]) > 0 && (wide || !x.asGroup[group])
}

// take adds what a binding gives to one subject.
func (x *exporter) take(s exportedSubject) {
	g := s.grant()
	if s.Kind == "Group" {
		x.addToGroup(s.Name, g)
		return
	}
	u := x.users[s.Name]
	if u == nil {
		u = &inventory.User{Name: s.Name}
		x.users[s.Name] = u
	}
	if s.group == "" || !x.isMember(s.group, s.Name) {
		addRole(&u.ClusterRoles, &u.Namespaces, g)
		return
	}
	x.addToGroup(s.group, g)
	if !slices.Contains(u.Groups, s.group) {
		u.Groups = append(u.Groups, s.group)
	}
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
	role := inventory.Grant{ClusterRole: g.Role}
	if g.RoleKind == reconcile.NamespaceRole {
		role = inventory.Grant{Role: g.Role}
	}
	add := func(roles []inventory.Grant) []inventory.Grant {
		if slices.Contains(roles, role) {
			return roles
		}
		return append(roles, role)
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
	}
	for name, grants := range x.served {
		for _, users := range grants {
			for user := range users {
				if !x.isMember(name, user) {
					e.Uneven[name] = append(e.Uneven[name], user)
				}
			}
		}
		if len(e.Uneven[name]) > 0 {
			e.Uneven[name] = reconcile.SortedSet(e.Uneven[name])
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
	byName := func(a, b inventory.Grant) int {
		return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.ClusterRole, b.ClusterRole))
	}
	slices.SortFunc(cluster, byName)
	for _, roles := range namespaces {
		slices.SortFunc(roles, byName)
	}
}
