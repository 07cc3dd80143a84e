package export

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

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

// The reasons to leave a subject out, in the order in which they are checked and reported.
const (
	ofKubernetes     = "named system:…, which is Kubernetes' own"
	serviceAccounts  = "of kind ServiceAccount, which needs no certificate"
	unknownSubjects  = "of a kind or API group that RBAC does not know"
	beingDeleted     = "of bindings that are being deleted"
	unnameableRoles  = "bound to a role or in a namespace with a name that an inventory cannot hold"
	unnameable       = "with a name that an inventory cannot hold: over 64 characters, or with other characters than A-Z a-z 0-9 . _ @ + -"
	differInCaseOnly = "with a name that differs from another one's in letter case only"
)

var leftOutReasons = []string{ofKubernetes, serviceAccounts, unknownSubjects, beingDeleted, unnameableRoles, unnameable, differInCaseOnly}

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
	case b.RoleRef.Kind != "ClusterRole" && (b.RoleRef.Kind != "Role" || b.Kind != reconcile.RoleBinding):
		return unnameableRoles // the API server accepts none
	case !inventory.ValidRole(b.RoleRef.Name) || b.Kind == reconcile.RoleBinding && !inventory.ValidNamespace(b.Namespace):
		return unnameableRoles
	case !inventory.ValidName(s.Name):
		return unnameable
	}
	return ""
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
