package fake

import (
	"encoding/base64"
	"net/http"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// list answers page by page. Unlike on the real one, later pages are of the cluster as it is then.
func (w *World) list(rw http.ResponseWriter, r *request) {
	wanted, err := selector(r)
	if err != nil {
		fail(rw, r.format, err)
		return
	}
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	after, err := base64.RawURLEncoding.DecodeString(r.URL.Query().Get("continue"))
	if err != nil {
		fail(rw, r.format, apierrors.NewBadRequest("continue key is not valid"))
		return
	}
	var page []runtime.Object
	next := ""
	last := ""
	for _, key := range w.keys(r.kind, r.namespace) {
		place := key.namespace + "/" + key.name
		obj := w.objects[key]
		if place <= string(after) || !wanted(obj) {
			continue
		}
		if limit > 0 && len(page) == limit {
			next = base64.RawURLEncoding.EncodeToString([]byte(last))
			break
		}
		last = place
		if r.format.metadataOnly {
			page = append(page, metadataOf(obj))
		} else {
			page = append(page, obj)
		}
	}
	listed, err := listOf(r, page)
	if err != nil {
		fail(rw, r.format, err)
		return
	}
	m, _ := meta.ListAccessor(listed)
	m.SetResourceVersion(strconv.Itoa(w.version))
	m.SetContinue(next)
	reply(rw, r.format, http.StatusOK, listed)
}

// listOf is a list of the request's kind, or of what stands for it.
func listOf(r *request, items []runtime.Object) (runtime.Object, error) {
	gvk := r.kind.GroupVersion().WithKind(r.kind.Kind + "List")
	if r.format.metadataOnly {
		gvk = metadataKind("PartialObjectMetadataList")
	}
	l, err := codecScheme.New(gvk)
	if err != nil {
		return nil, err
	}
	l.GetObjectKind().SetGroupVersionKind(gvk)
	return l, meta.SetList(l, items)
}

func metadataKind(name string) schema.GroupVersionKind {
	return metav1.SchemeGroupVersion.WithKind(name)
}

func metadataOf(obj object) *metav1.PartialObjectMetadata {
	m := meta.AsPartialObjectMetadata(obj)
	m.SetGroupVersionKind(metadataKind("PartialObjectMetadata"))
	return m
}

// selector reads labelSelector and fieldSelector.
func selector(r *request) (func(object) bool, error) {
	q := r.URL.Query()
	byLabel, err := labels.Parse(q.Get("labelSelector"))
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	byField, err := fields.ParseSelector(q.Get("fieldSelector"))
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	for _, f := range byField.Requirements() {
		if f.Field != "metadata.name" && (f.Field != "spec.signerName" || r.kind != csrs) {
			return nil, apierrors.NewBadRequest("field label not supported: " + f.Field)
		}
	}
	return func(obj object) bool {
		set := fields.Set{"metadata.name": obj.GetName()}
		if c, ok := obj.(*csr); ok {
			set["spec.signerName"] = c.Spec.SignerName
		}
		return byLabel.Matches(labels.Set(obj.GetLabels())) && byField.Matches(set)
	}, nil
}
