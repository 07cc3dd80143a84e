package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/api"
)

var _ reconcile.BindingWriter = (*Bindings)(nil)

// Bindings changes ClusterRoleBindings and RoleBindings.
type Bindings struct{ server *api.Server }

// Bindings returns the writer of the cluster's bindings.
func (c *Cluster) Bindings() *Bindings { return &Bindings{c.server} }

// CreateBinding creates b with its labels. The error is ErrPrecondition if a binding of that name exists. A conflict is one of
// counting against a quota, when others create objects in the namespace at the same time: then CreateBinding tries again.
func (w *Bindings) CreateBinding(ctx context.Context, b reconcile.Binding) (reconcile.Binding, error) {
	doing := "creating " + b.Object()
	var made *reconcile.Binding
	err := api.RetryOnConflict(updateTries, func() (err error) {
		made, err = w.send(ctx, w.creation(b))
		return err
	})
	if err != nil {
		return reconcile.Binding{}, w.failed(doing, b, err)
	}
	return *made, asMeant(doing, b, b.Owner, b.Subjects, *made)
}

func (w *Bindings) creation(b reconcile.Binding) *rest.Request {
	var o runtime.Object = toClusterRoleBinding(b)
	if b.Kind == reconcile.RoleBinding {
		o = toRoleBinding(b)
	}
	return w.request("POST", b).Body(o)
}

// updateTries bounds the writes of one binding that somebody else changes all the time.
const updateTries = 10

// UpdateBinding turns b.Subjects into subjects, puts the labels of the owner in its name and the annotation back, and changes
// nothing else. If the binding has changed meanwhile, UpdateBinding applies the same removals and additions to its current subjects. The error is
// ErrPrecondition if it is another object, or does not exist any more.
func (w *Bindings) UpdateBinding(ctx context.Context, b reconcile.Binding, subjects []reconcile.Subject) (reconcile.Binding, error) {
	doing := "updating " + b.Object()
	if err := observed(b); err != nil {
		return reconcile.Binding{}, fmt.Errorf("%s: %w", doing, err)
	}
	version, target := b.ResourceVersion, subjects
	// This is no api.RetryOnConflict: a conflict with another object ends the loop.
	for try := 1; ; try++ {
		made, err := w.patch(ctx, b, version, target)
		if err == nil {
			return *made, asMeant(doing, b, b.OwnerOf(), target, *made)
		}
		if !apierrors.IsConflict(err) || try == updateTries {
			return reconcile.Binding{}, w.failed(doing, b, err)
		}
		current, getErr := w.send(ctx, w.request("GET", b).Name(b.Name))
		switch {
		case getErr != nil:
			return reconcile.Binding{}, w.failed(doing, b, getErr)
		case current.UID != b.UID:
			return reconcile.Binding{}, w.failed(doing, b, err)
		}
		version, target = current.ResourceVersion, reconcile.Rebase(b.Subjects, subjects, current.Subjects)
	}
}

// subjectsPatch is a JSON merge patch. The API server refuses it if the object is not at that resourceVersion. An object
// that was made anew under the same name has another resourceVersion and another uid.
type subjectsPatch struct {
	Metadata struct {
		UID             string            `json:"uid"`
		ResourceVersion string            `json:"resourceVersion"`
		Labels          map[string]string `json:"labels"`
		Annotations     map[string]string `json:"annotations,omitempty"`
	} `json:"metadata"`
	Subjects []rbacv1.Subject `json:"subjects"`
}

func (w *Bindings) patch(ctx context.Context, b reconcile.Binding, version string, subjects []reconcile.Subject) (*reconcile.Binding, error) {
	p := subjectsPatch{Subjects: toSubjects(subjects)}
	p.Metadata.UID, p.Metadata.ResourceVersion, p.Metadata.Labels = b.UID, version, api.Labels(b.OwnerOf())
	p.Metadata.Annotations = annotations(b)
	return w.send(ctx, w.mergePatch(b, p))
}

func (w *Bindings) mergePatch(b reconcile.Binding, patch any) *rest.Request {
	body, err := json.Marshal(patch)
	if err != nil {
		panic(err) // strings only
	}
	return w.request("PATCH", b).SetHeader("Content-Type", string(types.MergePatchType)).Name(b.Name).Body(body)
}

// DeleteBinding deletes the object with b.UID, also if it has changed since. Otherwise anybody with the right to patch a
// binding could keep it. A binding that finalizers keep still gives access, so DeleteBinding removes them. A binding that
// does not exist any more is no error.
func (w *Bindings) DeleteBinding(ctx context.Context, b reconcile.Binding) error {
	doing := "deleting " + b.Object()
	if err := observed(b); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	uid := types.UID(b.UID)
	left, err := w.do(ctx, w.request("DELETE", b).Name(b.Name).Body(&metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}}))
	for try := 1; err == nil && left != nil && left.GetUID() == uid && len(left.GetFinalizers()) > 0; try++ {
		if try > updateTries {
			return reconcile.WithHint(fmt.Errorf("%s: its finalizers %q are still there after %d tries", doing, api.Shorten(strings.Join(left.GetFinalizers(), ", ")), updateTries),
				"find the admission webhook that restores them, or the controller that keeps writing the binding")
		}
		left, err = w.release(ctx, b)
	}
	if err == nil || api.IsGone(err) {
		return nil
	}
	failed := w.failed(doing, b, err)
	if b.Kind == reconcile.RoleBinding && api.RejectionOf(err).By == api.ByAdmission {
		return reconcile.WithHint(failed, reconcile.Hint(failed)+copied)
	}
	return failed
}

// copied is for a RoleBinding that may not be deleted.
const copied = "; if a controller copied the binding into this namespace (HNC, Kyverno), exclude certsync's bindings there"

// finalizersPatch is a JSON merge patch that removes all finalizers. It changes nothing else: otherwise the API server
// would check whether certsync may bind the role. With the uid, the API server refuses the patch for another object.
type finalizersPatch struct {
	Metadata struct {
		UID        string   `json:"uid"`
		Finalizers []string `json:"finalizers"`
	} `json:"metadata"`
}

// release removes the finalizers of a binding that is being deleted. The API server allows nobody to add new ones. release
// returns the object that has the name afterwards, and an error if it is still the same object and cannot be written.
func (w *Bindings) release(ctx context.Context, b reconcile.Binding) (metav1.Object, error) {
	var p finalizersPatch
	p.Metadata.UID = b.UID
	left, err := w.do(ctx, w.mergePatch(b, p))
	// For another object the API server says that the uid is immutable, or that certsync may not grant the role.
	if !apierrors.IsConflict(err) && !apierrors.IsInvalid(err) && !apierrors.IsForbidden(err) {
		return left, err
	}
	current, getErr := w.do(ctx, w.request("GET", b).Name(b.Name))
	if getErr == nil && current != nil && string(current.GetUID()) == b.UID && !apierrors.IsConflict(err) {
		return nil, err
	}
	return current, getErr
}

// request returns a request for bindings of b's kind.
func (w *Bindings) request(verb string, b reconcile.Binding) *rest.Request {
	r := w.server.Client.RbacV1().RESTClient().Verb(verb)
	if b.Kind == reconcile.RoleBinding {
		return r.Resource("rolebindings").Namespace(b.Namespace)
	}
	return r.Resource("clusterrolebindings")
}

// send returns the binding in the answer.
func (w *Bindings) send(ctx context.Context, r *rest.Request) (*reconcile.Binding, error) {
	obj, err := w.do(ctx, r)
	if err != nil {
		return nil, err
	}
	var b reconcile.Binding
	switch o := obj.(type) {
	case *rbacv1.ClusterRoleBinding:
		b = fromClusterRoleBinding(o)
	case *rbacv1.RoleBinding:
		b = fromRoleBinding(o)
	default:
		return nil, errors.New("there is no binding in the answer")
	}
	return &b, nil
}

// do sends a request and returns the object in the answer. It is nil after a DELETE, whose answer is a Status.
func (w *Bindings) do(ctx context.Context, r *rest.Request) (metav1.Object, error) {
	ctx, cancel := api.WithTimeout(ctx)
	defer cancel()
	obj, err := r.Do(ctx).Get()
	if err != nil {
		return nil, err
	}
	switch o := obj.(type) {
	case *rbacv1.ClusterRoleBinding:
		return o, nil
	case *rbacv1.RoleBinding:
		return o, nil
	case *metav1.Status:
		return nil, nil
	}
	return nil, fmt.Errorf("the answer is a %T", obj)
}

// observed refuses a write without preconditions. For the API server, an empty precondition is none.
func observed(b reconcile.Binding) error {
	if b.UID == "" || b.ResourceVersion == "" {
		return fmt.Errorf("it was never observed: uid %q, resourceVersion %q", b.UID, b.ResourceVersion)
	}
	return nil
}

// failed returns the error for the API server's answer to a write of b.
func (w *Bindings) failed(doing string, b reconcile.Binding, err error) error {
	switch rejected := api.RejectionOf(err); {
	case api.IsGone(err):
		return fmt.Errorf("%s: %w: %w: %w", doing, reconcile.ErrPrecondition, reconcile.ErrGone, api.Brief(err))
	case rejected.By == api.NotRejected && (apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err)):
		return fmt.Errorf("%s: %w: %w", doing, reconcile.ErrPrecondition, api.Brief(err))
	case rejected.By == api.ByEscalationCheck:
		// The lines after the first are the rules of the role, some sixty for "view".
		message, _, _ := strings.Cut(err.Error(), ":\n")
		resource := strings.ToLower(b.RoleRef.Kind) + "s"
		return reconcile.WithHint(fmt.Errorf("%s: %w", doing, api.Brief(errors.New(message))),
			fmt.Sprintf("grant certsync the verb bind on %s/%s; for the CronJob, print its manifests again and apply them", resource, b.RoleRef.Name))
	}
	return w.server.Failed(doing, err)
}
