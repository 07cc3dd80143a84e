package fake

import (
	"net/http"
	"slices"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// review answers SelfSubjectReviews, SelfSubjectAccessReviews and SubjectAccessReviews. The last are about names that nobody
// has, which may do nothing.
func (w *World) review(rw http.ResponseWriter, r *request) {
	if r.Method != http.MethodPost {
		fail(rw, r.format, apierrors.NewMethodNotSupported(kinds[0].groupResource(), r.Method))
		return
	}
	obj, err := decode[runtime.Object](r.Request, r.body)
	if err != nil {
		fail(rw, r.format, err)
		return
	}
	switch asked := obj.(type) {
	case *authenticationv1.SelfSubjectReview:
		asked.TypeMeta = metav1.TypeMeta{Kind: "SelfSubjectReview", APIVersion: "authentication.k8s.io/v1"}
		asked.Status.UserInfo = authenticationv1.UserInfo{Username: r.who.name, Groups: r.who.groups}
	case *authorizationv1.SelfSubjectAccessReview:
		asked.TypeMeta = metav1.TypeMeta{Kind: "SelfSubjectAccessReview", APIVersion: "authorization.k8s.io/v1"}
		asked.Status.Allowed = !slices.Contains(w.settings.Denied, question(asked.Spec.ResourceAttributes))
	case *authorizationv1.SubjectAccessReview:
		asked.TypeMeta = metav1.TypeMeta{Kind: "SubjectAccessReview", APIVersion: "authorization.k8s.io/v1"}
	default:
		fail(rw, r.format, apierrors.NewBadRequest("no review"))
		return
	}
	reply(rw, r.format, http.StatusCreated, obj)
}

// question is what a review asks, as in Settings.Denied.
func question(a *authorizationv1.ResourceAttributes) string {
	if a == nil {
		return ""
	}
	resource := a.Resource
	if a.Subresource != "" {
		resource += "/" + a.Subresource
	}
	return a.Verb + " " + resource
}
