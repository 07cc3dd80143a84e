package access

import (
	"context"
	"fmt"

	"github.com/certsync/certsync/reconcile"
)

// Authorizer asks the API server's authorizer what anybody may do who has a certificate.
type Authorizer interface {
	// Anybody asks about a name that nobody has, in the group system:authenticated. No binding can name it.
	Anybody(ctx context.Context) (Decision, error)
}

// Decision is what the authorizer lets anybody do who has a certificate.
type Decision struct {
	Everything bool   // bindings decide nothing
	Secrets    bool   // read the Secrets of kube-system
	Why        string // what the API server says to that: RBAC names the binding; "": it says nothing
	Unasked    string // why it could not be asked; "": it was
}

// MayEverything and MayReadSecrets are what an Authorizer asks about.
var (
	MayEverything  = reconcile.Permission{Verb: "*", Group: "*", Resource: "*"}
	MayReadSecrets = reconcile.Permission{Verb: "get", Resource: "secrets", Namespace: "kube-system"}
)

// AskPermission is what an Authorizer takes. A run goes on without it, and says what it did not check.
var AskPermission = reconcile.Permission{Verb: "create", Group: "authorization.k8s.io", Resource: "subjectaccessreviews"}

// Refusal is why nobody may get a certificate, with a hint, or nil.
func (d Decision) Refusal() error {
	if !d.Everything {
		return nil
	}
	return reconcile.WithHint(fmt.Errorf("bindings have no effect in this cluster: every user with a certificate may do everything%s", d.because()),
		"start kube-apiserver with --authorization-mode=Node,RBAC (AlwaysAllow is the default of some distributions); "+
			"if a binding gives everybody cluster-admin, find it with `kubectl get clusterrolebindings -o wide` and delete it")
}

// Doubt is what a run should say and go on: the authorizer was not asked, or lets anybody read Secrets. Else it is "".
func (d Decision) Doubt() string {
	switch {
	case d.Secrets:
		return "every user with a certificate may read the Secrets of kube-system, tokens among them" + d.because()
	case d.Unasked != "":
		return "certsync did not check that bindings limit what a certificate may do (certsync preflight --issue checks it with a certificate): " + d.Unasked
	}
	return ""
}

func (d Decision) because() string {
	if d.Why == "" {
		return ""
	}
	return fmt.Sprintf(" (the API server says %q)", reconcile.Shown(d.Why))
}
