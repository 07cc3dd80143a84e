package reconcile

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/certsync/certsync/inventory"
)

// SubjectKind says whom a binding of ours is for.
type SubjectKind string

// A grant is a user's own or a group's.
const (
	ForUser  SubjectKind = "user"
	ForGroup SubjectKind = "group"
)

// RoleKind tells a ClusterRole from a Role, which belongs to one namespace.
type RoleKind string

// The kinds of role. ClusterRole is the zero value.
const (
	ClusterRole   RoleKind = ""
	NamespaceRole RoleKind = "Role"
)

// String is the kind as Kubernetes calls it.
func (k RoleKind) String() string {
	if k == NamespaceRole {
		return "Role"
	}
	return "ClusterRole"
}

// Grant is what the name of one of our bindings says. Together with the owner, a Grant and a name map to each other
// one to one: owners, users and groups hold no ':', roles hold no '#'.
type Grant struct {
	For       SubjectKind
	Subject   string   // the user's or group's name
	Namespace string   // empty: cluster-wide
	RoleKind  RoleKind // a Role is in the namespace, which is not empty
	Role      string
	Part      int // 1 and up; parts of a group's binding hold at most MaxSubjects members each
}

// Of is the grant with the role that an inventory names.
func (g Grant) Of(r inventory.Grant) Grant {
	if g.RoleKind, g.Role = ClusterRole, r.ClusterRole; r.Role != "" {
		g.RoleKind, g.Role = NamespaceRole, r.Role
	}
	return g
}

// RoleRef is what a binding for the grant refers to.
func (g Grant) RoleRef() RoleRef { return RoleRef{Kind: g.RoleKind.String(), Name: g.Role} }

// Bound is the role that a binding for the grant gives.
func (g Grant) Bound() Role {
	if g.RoleKind == NamespaceRole {
		return Role{g.Namespace, g.Role}
	}
	return Role{Name: g.Role}
}

// String is how a grant reads in a sentence.
func (g Grant) String() string {
	if g.Namespace == "" {
		return fmt.Sprintf("%s %q cluster-wide", g.RoleKind, g.Role)
	}
	return fmt.Sprintf("%s %q in namespace %q", g.RoleKind, g.Role, g.Namespace)
}

// MaxSubjects is how many members one part of a group's binding holds. The API server walks all bindings on every
// request, and all subjects of a binding; etcd limits an object's size.
const MaxSubjects = 1000

// BindingPrefix begins the names of all bindings of an owner, and of no other's.
func BindingPrefix(owner string) string { return "certsync:" + owner + ":" }

// ofRole is what stands in a name after the kind of subject.
var ofRole = map[RoleKind]string{ClusterRole: "", NamespaceRole: "-role"}

// BindingName is the name of the binding that makes g true.
func BindingName(owner string, g Grant) string {
	name := BindingPrefix(owner) + string(g.For) + ofRole[g.RoleKind] + ":" + g.Subject + ":" + g.Role
	if g.Part > 1 {
		name += "#" + strconv.Itoa(g.Part)
	}
	return name
}

// ParseBindingName is the inverse of BindingName, and says which bindings are this owner's. It reports false for every name
// that BindingName would not give: of another owner, of a user or group whose name no inventory can hold, or for such a role.
func ParseBindingName(owner, namespace, name string) (Grant, bool) {
	rest, ok := strings.CutPrefix(name, BindingPrefix(owner))
	if !ok {
		return Grant{}, false
	}
	kind, rest, ok := strings.Cut(rest, ":")
	kind, isRole := strings.CutSuffix(kind, ofRole[NamespaceRole])
	if !ok || isRole && namespace == "" || kind != string(ForUser) && kind != string(ForGroup) {
		return Grant{}, false
	}
	subject, rest, ok := strings.Cut(rest, ":")
	if !ok || !inventory.ValidName(subject) {
		return Grant{}, false
	}
	role, part, numbered := strings.Cut(rest, "#")
	g := Grant{For: SubjectKind(kind), Subject: subject, Namespace: namespace, Role: role, Part: 1}
	if isRole {
		g.RoleKind = NamespaceRole
	}
	if numbered {
		n, err := strconv.Atoi(part)
		if err != nil || n < 2 {
			return Grant{}, false
		}
		g.Part = n
	}
	if !inventory.ValidRole(role) || g.For == ForUser && g.Part > 1 {
		return Grant{}, false
	}
	return g, BindingName(owner, g) == name
}

// GrantsOf lists what the bindings of an owner give by their names, each with Part 0.
func GrantsOf(owner string, bindings []Binding) []Grant {
	var all []Grant
	for _, b := range bindings {
		if g, ours := ParseBindingName(owner, b.Namespace, b.Name); ours {
			g.Part = 0
			all = append(all, g)
		}
	}
	return all
}
