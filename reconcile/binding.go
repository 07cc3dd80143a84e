package reconcile

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certsync/certsync/inventory"
)

// ManagedByLabel and OwnerLabel mark every object that certsync makes. They are for people and for selectors. Only the
// name of a binding says whose it is (see ParseBindingName): a name cannot be changed, and whoever may write a binding can
// change its labels.
const (
	ManagedByLabel = "app.kubernetes.io/managed-by"
	ManagedByValue = "certsync"
	OwnerLabel     = "certsync.dev/owner"
)

// RBACGroup is the API group of roles, and of User and Group subjects.
const RBACGroup = "rbac.authorization.k8s.io"

// BindingKind is ClusterRoleBinding or RoleBinding.
type BindingKind string

// The two kinds of binding.
const (
	ClusterRoleBinding BindingKind = "ClusterRoleBinding"
	RoleBinding        BindingKind = "RoleBinding"
)

// Subject is who a binding serves. User and Group subjects have RBACGroup as APIGroup, ServiceAccounts have a namespace.
type Subject struct {
	Kind      string // User, Group or ServiceAccount
	APIGroup  string
	Namespace string
	Name      string
}

// UserSubject is the subject that a certificate with this CN authenticates as.
func UserSubject(name string) Subject {
	return Subject{Kind: "User", APIGroup: RBACGroup, Name: name}
}

// maxShown is how many bytes of a name that others chose plans and notes show. Names of subjects and of objects have no
// limit in Kubernetes but that of a request, which is above a million.
const maxShown = 300

// Shown is text that others chose, as plans and notes show it: at most its first bytes.
func Shown(text string) string { return inventory.Shorten(text, maxShown) }

// String is how plans show a subject: a plain name for a User, kind and name for anything else. It is shortened.
func (s Subject) String() string {
	s.Kind, s.APIGroup, s.Namespace, s.Name = Shown(s.Kind), Shown(s.APIGroup), Shown(s.Namespace), Shown(s.Name)
	switch {
	case s == UserSubject(s.Name):
		return s.Name
	case s.Namespace != "":
		return s.Kind + "/" + s.Namespace + "/" + s.Name
	case s.Kind == "User" || s.Kind == "Group" && s.APIGroup != RBACGroup:
		// Another API group's User is nobody that RBAC knows.
		return s.Kind + "/" + s.Name + " (apiGroup " + strconv.Quote(s.APIGroup) + ")"
	}
	return s.Kind + "/" + s.Name
}

// RoleRef is what a binding grants. It is immutable in Kubernetes.
type RoleRef struct {
	Kind string // ClusterRole or Role
	Name string
}

// Binding is a ClusterRoleBinding or RoleBinding as far as certsync looks at it.
type Binding struct {
	Kind            BindingKind
	Namespace       string // empty for a ClusterRoleBinding
	Name            string
	UID             string // empty before it exists
	ResourceVersion string // empty before it exists
	ManagedBy       string // value of ManagedByLabel
	Owner           string // value of OwnerLabel
	RoleRef         RoleRef
	Subjects        []Subject
	// Terminating: deleted, but a finalizer keeps it. It goes on granting what it grants.
	Terminating bool
	CreatedAt   time.Time // zero: the binding does not exist yet
	// Copied: a RoleBinding without the annotation that keeps the Hierarchical Namespace Controller from copying it.
	Copied bool
}

// Object is how plans, events and errors name a binding.
func (b Binding) Object() string { return objectName(b.Kind, b.Namespace, b.Name) }

func objectName(kind BindingKind, namespace, name string) string {
	if kind == RoleBinding {
		return string(kind) + " " + namespace + "/" + name
	}
	return string(kind) + " " + name
}

// OwnerOf is the owner in the name of a binding of certsync's, whichever owner's it is, or "".
func (b Binding) OwnerOf() string {
	rest, ok := strings.CutPrefix(b.Name, "certsync:")
	owner, _, cut := strings.Cut(rest, ":")
	if !ok || !cut || !inventory.ValidOwner(owner) {
		return ""
	}
	return owner
}

// Labelled reports whether a binding has the labels of an owner.
func (b Binding) Labelled(owner string) bool {
	return b.ManagedBy == ManagedByValue && b.Owner == owner && !b.Copied
}

// NewBinding is the binding for g as it should be.
func NewBinding(owner string, g Grant, users []string) Binding {
	b := Binding{
		Kind: ClusterRoleBinding, Namespace: g.Namespace, Name: BindingName(owner, g),
		ManagedBy: ManagedByValue, Owner: owner,
		RoleRef: g.RoleRef(),
	}
	if g.Namespace != "" {
		b.Kind = RoleBinding
	}
	for _, u := range users {
		b.Subjects = append(b.Subjects, UserSubject(u))
	}
	return b
}

// Rebase works out what a binding's subjects become when it should change from observed to target, and is at current
// meanwhile: what was to go goes, what was to come comes, and what somebody else added stays for the next plan.
func Rebase(observed, target, current []Subject) []Subject {
	was, stays, has := setOf(observed), setOf(target), setOf(current)
	out := slices.DeleteFunc(slices.Clone(current), func(s Subject) bool { return was[s] && !stays[s] })
	for _, s := range target {
		if !has[s] && !was[s] {
			has[s], out = true, append(out, s)
		}
	}
	return out
}

func setOf(subjects []Subject) map[Subject]bool {
	set := map[Subject]bool{}
	for _, s := range subjects {
		set[s] = true
	}
	return set
}

// Authorized is a subject as the API server's authorizer sees it, which ignores the namespace of Users and Groups.
func Authorized(s Subject) Subject {
	if s.Kind == "User" || s.Kind == "Group" {
		s.Namespace = ""
	}
	return s
}

// Role is the role that a binding grants.
func (b Binding) Role() Role {
	if b.RoleRef.Kind == "Role" {
		return Role{b.Namespace, b.RoleRef.Name}
	}
	return Role{Name: b.RoleRef.Name}
}

// Same reports whether two bindings are one object.
func (b Binding) Same(other Binding) bool { return b.Object() == other.Object() }

// UserSubjects makes subjects of names.
func UserSubjects(names []string) []Subject {
	var subjects []Subject
	for _, name := range names {
		subjects = append(subjects, UserSubject(name))
	}
	return subjects
}

// SubjectNames is how subjects appear in a plan.
func SubjectNames(subjects []Subject) []string {
	var out []string
	for _, s := range subjects {
		out = append(out, s.String())
	}
	return out
}
