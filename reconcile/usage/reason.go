package usage

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/certsync/certsync/reconcile"
)

// Binding is what allowed a request, as the API server's RBAC authorizer names it.
type Binding struct {
	Kind      reconcile.BindingKind
	Namespace string // of a RoleBinding
	Name      string
	Role      reconcile.RoleRef
}

// compareBindings puts ClusterRoleBindings first. Only administrators can make them, so a tenant who makes many RoleBindings
// does not push them out of a Log.
func compareBindings(a, b Binding) int {
	return cmp.Or(
		cmp.Compare(a.Kind, b.Kind), // ClusterRoleBinding comes before RoleBinding
		cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name),
		cmp.Compare(a.Role.Kind, b.Role.Kind), cmp.Compare(a.Role.Name, b.Role.Name),
	)
}

// maxReason is far above the reasons for certsync's bindings. Kubernetes has no limit for names of bindings.
const maxReason = 4 << 10

// parseReason reads such a reason of the RBAC authorizer, whose names Go has quoted:
//
//	RBAC: allowed by ClusterRoleBinding "x" of ClusterRole "y" to User "z"
//	RBAC: allowed by RoleBinding "name/namespace" of Role "r" to Group "g"
func parseReason(text string) (b Binding, ok bool) {
	text, ok = strings.CutPrefix(text, "RBAC: allowed by ")
	if !ok || len(text) > maxReason {
		return Binding{}, false
	}
	kind, text, _ := strings.Cut(text, " ")
	name, text, ok := unquote(text)
	if !ok {
		return Binding{}, false
	}
	text, ok = strings.CutPrefix(text, " of ")
	if !ok {
		return Binding{}, false
	}
	b.Kind, b.Name = reconcile.BindingKind(kind), name
	b.Role.Kind, text, _ = strings.Cut(text, " ")
	if b.Role.Name, text, ok = unquote(text); !ok || !strings.HasPrefix(text, " to ") {
		return Binding{}, false
	}
	switch b.Kind {
	case reconcile.ClusterRoleBinding:
		return b, true
	case reconcile.RoleBinding:
		slash := strings.LastIndexByte(name, '/')
		if slash < 0 {
			return Binding{}, false
		}
		b.Name, b.Namespace = name[:slash], name[slash+1:]
		return b, true
	}
	return Binding{}, false
}

func unquote(text string) (name, rest string, ok bool) {
	prefix, err := strconv.QuotedPrefix(text)
	if err != nil {
		return "", "", false
	}
	name, err = strconv.Unquote(prefix)
	return name, text[len(prefix):], err == nil
}
