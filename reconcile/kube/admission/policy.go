package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/api"
	"github.com/certsync/certsync/reconcile/kube/deploy"
	"github.com/certsync/certsync/reconcile/revocation"
)

// Read returns the owner's policy, or nil if the cluster has none: it was never deployed, or the cluster is older than 1.30.
// An account that may not read it works as if there were none; whether there was one before, the state knows.
func Read(ctx context.Context, server *api.Server, owner string) (*reconcile.RevocationPolicy, error) {
	ctx, cancel := api.WithTimeout(ctx)
	defer cancel()
	name := reconcile.RevocationPolicyName(owner)
	got, err := server.Client.AdmissionregistrationV1().ValidatingAdmissionPolicies().Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case apierrors.IsForbidden(err):
		return &reconcile.RevocationPolicy{Problem: "certsync may not read it"}, nil
	case err != nil:
		return nil, server.Failed("reading ValidatingAdmissionPolicy "+name, err)
	}
	p := &reconcile.RevocationPolicy{UID: string(got.UID), ResourceVersion: got.ResourceVersion}
	var expressions []string
	for _, v := range got.Spec.Validations {
		expressions = append(expressions, v.Expression)
	}
	var exact bool
	p.Entries, exact = revocation.ParseDenials(expressions)
	p.Changed = !exact || !equality.Semantic.DeepEqual(got.Spec.Validations, deploy.RevocationValidations(p.Entries))
	binding, err := server.Client.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		p.Problem = "its binding does not exist"
	case apierrors.IsForbidden(err):
		p.Problem = "certsync may not read its binding"
	case err != nil:
		return nil, server.Failed("reading ValidatingAdmissionPolicyBinding "+name, err)
	default:
		p.Problem = problem(owner, got, binding)
	}
	return p, nil
}

// problem says how a policy or its binding differs from the manifests, apart from the list, or is "".
func problem(owner string, policy *admissionv1.ValidatingAdmissionPolicy, binding *admissionv1.ValidatingAdmissionPolicyBinding) string {
	objects := deploy.RevocationPolicy(owner, nil)
	want, bound := objects[0].(*admissionv1.ValidatingAdmissionPolicy), objects[1].(*admissionv1.ValidatingAdmissionPolicyBinding)
	has := policy.Spec.DeepCopy()
	has.Validations = nil
	if c := has.MatchConstraints; c != nil { // the API server adds what means everything
		everything := &metav1.LabelSelector{}
		if equality.Semantic.DeepEqual(c.NamespaceSelector, everything) {
			c.NamespaceSelector = nil
		}
		if equality.Semantic.DeepEqual(c.ObjectSelector, everything) {
			c.ObjectSelector = nil
		}
		for i := range c.ResourceRules {
			if scope := c.ResourceRules[i].Scope; scope != nil && *scope == admissionv1.AllScopes {
				c.ResourceRules[i].Scope = nil
			}
		}
	}
	switch {
	case policy.DeletionTimestamp != nil || binding.DeletionTimestamp != nil:
		return "it is being deleted"
	case !equality.Semantic.DeepEqual(*has, want.Spec):
		return "its spec differs from the manifests"
	case binding.Spec.PolicyName != bound.Spec.PolicyName || binding.Spec.ParamRef != nil || binding.Spec.MatchResources != nil ||
		!slices.Contains(binding.Spec.ValidationActions, admissionv1.Deny):
		return "its binding differs from the manifests"
	}
	return ""
}

var _ reconcile.PolicyWriter = Policies{}

// Policies writes the lists in owners' policies.
type Policies struct{ server *api.Server }

// NewPolicies returns the writer. It sends nothing.
func NewPolicies(server *api.Server) Policies { return Policies{server} }

// validationsPatch is a JSON merge patch. The API server refuses it for another object, and for one that has changed.
type validationsPatch struct {
	Metadata struct {
		UID             string `json:"uid"`
		ResourceVersion string `json:"resourceVersion"`
	} `json:"metadata"`
	Spec struct {
		Validations []admissionv1.Validation `json:"validations"`
	} `json:"spec"`
}

// WriteRevocations writes the list into the policy, and changes nothing else of it.
func (w Policies) WriteRevocations(ctx context.Context, owner string, p reconcile.RevocationPolicy, entries []reconcile.RevokedCertificate) (reconcile.RevocationPolicy, error) {
	name := reconcile.RevocationPolicyName(owner)
	doing := "updating ValidatingAdmissionPolicy " + name
	if p.UID == "" || p.ResourceVersion == "" {
		return p, fmt.Errorf("%s: it was never observed", doing)
	}
	var patch validationsPatch
	patch.Metadata.UID, patch.Metadata.ResourceVersion = p.UID, p.ResourceVersion
	patch.Spec.Validations = deploy.RevocationValidations(entries)
	body, err := json.Marshal(patch)
	if err != nil {
		return p, fmt.Errorf("%s: %w", doing, err)
	}
	ctx, cancel := api.WithTimeout(ctx)
	defer cancel()
	made, err := w.server.Client.AdmissionregistrationV1().ValidatingAdmissionPolicies().Patch(ctx, name, types.MergePatchType, body, metav1.PatchOptions{})
	const manifests = "apply the manifests again; `certsync manifests --revocation` prints them"
	switch {
	case api.IsGone(err):
		return p, reconcile.WithHint(fmt.Errorf("%s: %w: %w", doing, reconcile.ErrPrecondition, api.Brief(err)), manifests)
	case apierrors.IsConflict(err):
		return p, fmt.Errorf("%s: %w: %w", doing, reconcile.ErrPrecondition, api.Brief(err))
	case api.RejectionOf(err).By == api.ByRBAC:
		return p, reconcile.WithHint(w.server.Failed(doing, err), manifests+", which has the right to it")
	case err != nil:
		return p, w.server.Failed(doing, err)
	case !equality.Semantic.DeepEqual(made.Spec.Validations, patch.Spec.Validations):
		return p, reconcile.WithHint(fmt.Errorf("%s: the API server stored something else", doing),
			"find the mutating admission webhook or policy that changes admission policies")
	}
	return reconcile.RevocationPolicy{UID: p.UID, ResourceVersion: made.ResourceVersion, Entries: entries, Problem: p.Problem}, nil
}
