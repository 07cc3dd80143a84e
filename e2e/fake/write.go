package fake

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/watch"
)

// errModified is the API server's own text.
var errModified = errors.New("the object has been modified; please apply your changes to the latest version and try again")

func (w *World) create(r *request) (object, error) {
	obj, err := decode[object](r.Request, r.body)
	if err != nil {
		return nil, err
	}
	if gvk := obj.GetObjectKind().GroupVersionKind(); gvk != r.kind.GroupVersionKind {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the object is a %s", gvk))
	}
	if obj.GetName() == "" && obj.GetGenerateName() != "" {
		obj.SetName(fmt.Sprintf("%s%05d", obj.GetGenerateName(), w.made+1))
	}
	if obj.GetName() == "" {
		return nil, w.invalid(r, field.Required(field.NewPath("metadata", "name"), "name or generateName is required"))
	}
	obj.SetNamespace(r.namespace)
	key := objectKey{r.kind, r.namespace, obj.GetName()}
	if err := w.admit(key); err != nil {
		return nil, err
	}
	if w.objects[key] != nil {
		return nil, apierrors.NewAlreadyExists(r.kind.groupResource(), key.name)
	}
	obj.SetUID(w.newUID())
	obj.SetCreationTimestamp(serverTime(w.now()))
	obj.SetDeletionTimestamp(nil)
	if r.kind == events {
		return obj, nil // told and forgotten: nothing that a run has changed
	}
	if c, ok := obj.(*csr); ok {
		if err := w.prepareCSR(r, c); err != nil {
			return nil, err
		}
	}
	w.store(watch.Added, key, obj)
	w.peopleDecide(key, false)
	return obj, nil
}

// admit refuses objects in namespaces that are not there, or going.
func (w *World) admit(key objectKey) error {
	if !key.kind.namespaced {
		return nil
	}
	ns := w.objects[objectKey{namespaces, "", key.namespace}]
	switch {
	case ns == nil:
		return apierrors.NewNotFound(namespaces.groupResource(), key.namespace)
	case ns.GetDeletionTimestamp() != nil:
		err := apierrors.NewForbidden(key.kind.groupResource(), key.name,
			fmt.Errorf("unable to create new content in namespace %s because it is being terminated", key.namespace))
		err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{
			Type: corev1.NamespaceTerminatingCause, Message: fmt.Sprintf("namespace %s is being terminated", key.namespace)})
		return err
	}
	return nil
}

func (w *World) put(r *request) (object, error) {
	obj, err := decode[object](r.Request, r.body)
	if err != nil {
		return nil, err
	}
	if r.kind == csrs {
		return nil, apierrors.NewMethodNotSupported(r.kind.groupResource(), "update")
	}
	if r.kind == leases && obj.GetResourceVersion() == "" {
		return nil, w.invalid(r, field.Invalid(field.NewPath("metadata", "resourceVersion"), "", "must be specified for an update"))
	}
	return w.update(r, obj)
}

// patch carries out a JSON merge patch (RFC 7386), the only kind that is served.
func (w *World) patch(r *request) (object, error) {
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if mediaType != string(types.MergePatchType) || r.kind == csrs {
		return nil, apierrors.NewMethodNotSupported(r.kind.groupResource(), "patch")
	}
	old, err := w.get(r)
	if err != nil {
		return nil, err
	}
	var current, patch any
	if err := json.Unmarshal([]byte(text(old)), &current); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(r.body, &patch); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	merged, err := json.Marshal(merge(current, patch))
	if err != nil {
		return nil, err
	}
	obj, err := runtime.Decode(codecs.UniversalDeserializer(), merged)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return w.update(r, obj.(object))
}

func merge(current, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	merged := map[string]any{}
	if fields, ok := current.(map[string]any); ok {
		merged = fields
	}
	for name, value := range changes {
		if value == nil {
			delete(merged, name)
		} else {
			merged[name] = merge(merged[name], value)
		}
	}
	return merged
}

// update replaces an object: uid and resourceVersion, where given, are preconditions.
func (w *World) update(r *request, obj object) (object, error) {
	old, err := w.get(r)
	if err != nil {
		return nil, err
	}
	switch {
	case obj.GetUID() != "" && obj.GetUID() != old.GetUID():
		return nil, apierrors.NewConflict(r.kind.groupResource(), r.name, fmt.Errorf(
			"precondition failed: UID in precondition: %v, UID in object meta: %v", obj.GetUID(), old.GetUID()))
	case obj.GetResourceVersion() != "" && obj.GetResourceVersion() != old.GetResourceVersion():
		return nil, apierrors.NewConflict(r.kind.groupResource(), r.name, errModified)
	case roleRef(obj) != roleRef(old):
		return nil, w.invalid(r, field.Invalid(field.NewPath("roleRef"), roleRef(obj), "cannot change roleRef"))
	}
	obj.GetObjectKind().SetGroupVersionKind(r.kind.GroupVersionKind)
	obj.SetName(r.name)
	obj.SetNamespace(r.namespace)
	obj.SetUID(old.GetUID())
	obj.SetCreationTimestamp(old.GetCreationTimestamp())
	obj.SetDeletionTimestamp(old.GetDeletionTimestamp())
	obj.SetResourceVersion(old.GetResourceVersion())
	if equality.Semantic.DeepEqual(old, obj) {
		return old, nil // nothing is written, and the version stays
	}
	if obj.GetDeletionTimestamp() != nil && len(obj.GetFinalizers()) == 0 {
		w.store(watch.Deleted, r.key(), obj)
	} else {
		w.store(watch.Modified, r.key(), obj)
	}
	return obj, nil
}

// roleRef is what of a binding can never change.
func roleRef(obj object) rbacv1.RoleRef {
	switch b := obj.(type) {
	case *rbacv1.ClusterRoleBinding:
		return b.RoleRef
	case *rbacv1.RoleBinding:
		return b.RoleRef
	}
	return rbacv1.RoleRef{}
}

// delete returns the object if a finalizer keeps it, and nil if it is gone.
func (w *World) delete(r *request) (object, error) {
	options := &metav1.DeleteOptions{}
	if len(r.body) > 0 {
		var err error
		if options, err = decode[*metav1.DeleteOptions](r.Request, r.body); err != nil {
			return nil, err
		}
	}
	old, err := w.get(r)
	if err != nil {
		return nil, err
	}
	if p := options.Preconditions; p != nil {
		switch {
		case p.UID != nil && *p.UID != old.GetUID():
			return nil, apierrors.NewConflict(r.kind.groupResource(), r.name, fmt.Errorf(
				"the UID in the precondition (%s) does not match the UID in record (%s). The object might have been deleted and then recreated", *p.UID, old.GetUID()))
		case p.ResourceVersion != nil && *p.ResourceVersion != old.GetResourceVersion():
			return nil, apierrors.NewConflict(r.kind.groupResource(), r.name, errModified)
		}
	}
	switch {
	case len(old.GetFinalizers()) > 0 && old.GetDeletionTimestamp() != nil:
		return old, nil
	case len(old.GetFinalizers()) > 0:
		going := old.DeepCopyObject().(object)
		now := serverTime(w.now())
		going.SetDeletionTimestamp(&now)
		w.store(watch.Modified, r.key(), going)
		return going, nil
	}
	w.store(watch.Deleted, r.key(), old.DeepCopyObject().(object))
	return nil, nil
}

func (w *World) invalid(r *request, problem *field.Error) error {
	return apierrors.NewInvalid(r.kind.GroupKind(), r.name, field.ErrorList{problem})
}
