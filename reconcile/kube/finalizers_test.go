package kube

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apifield "k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/apitest"
)

// finalized is b as the API server shows it, with these finalizers.
func finalized(b reconcile.Binding, finalizers ...string) any {
	meta := func(o metav1.Object) {
		now := metav1.Now()
		o.SetUID("u1")
		o.SetResourceVersion("57")
		o.SetDeletionTimestamp(&now)
		o.SetFinalizers(finalizers)
	}
	if b.Kind == reconcile.RoleBinding {
		o := toRoleBinding(b)
		o.APIVersion, o.Kind = rbacv1.SchemeGroupVersion.String(), "RoleBinding"
		meta(o)
		return o
	}
	o := toClusterRoleBinding(b)
	o.APIVersion, o.Kind = rbacv1.SchemeGroupVersion.String(), "ClusterRoleBinding"
	meta(o)
	return o
}

// TestDeleteTakesFinalizersOut: a finalizer does not keep a binding. The patch that removes it changes nothing else, and no other
// object.
func TestDeleteTakesFinalizersOut(t *testing.T) {
	for path, b := range map[string]reconcile.Binding{widePath: wide(), limitedPath: limited()} {
		t.Run(string(b.Kind), func(t *testing.T) {
			s := apitest.New(t)
			s.Routes["DELETE "+path+"/"+wideName] = apitest.Answers(http.StatusOK, finalized(b, "example.com/keep", metav1.FinalizerDeleteDependents))
			s.Routes["PATCH "+path+"/"+wideName] = apitest.Answers(http.StatusOK, finalized(b))
			s.Begin()
			if err := connect(t, s).Bindings().DeleteBinding(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			if sent := s.Called("PATCH"); len(sent) != 1 || sent[0].Body != `{"metadata":{"uid":"u1","finalizers":null}}` {
				t.Errorf("sent %+v", sent)
			}
		})
	}
}

// TestFinalizersThatStay: DeleteBinding returns nil only if the object is deleted. Another object can have its name by then.
func TestFinalizersThatStay(t *testing.T) {
	crb := apitest.Resource("rbac.authorization.k8s.io", "clusterrolebindings")
	conflict := apitest.Fails(apierrors.NewConflict(crb, wideName, errors.New("modified")))
	immutable := apitest.Fails(apierrors.NewInvalid(rbacv1.SchemeGroupVersion.WithKind("ClusterRoleBinding").GroupKind(), wideName,
		apifield.ErrorList{apifield.Invalid(apifield.NewPath("metadata", "uid"), "u1", "field is immutable")}))
	escalation := apitest.Fails(apierrors.NewForbidden(crb, wideName, errors.New(`user "bot" (groups=["x"]) is attempting to grant RBAC permissions not currently held:`+"\n{...}")))
	mayNot := apitest.Fails(apierrors.NewForbidden(crb, wideName, apitest.MissingRight("patch", "clusterrolebindings")))
	policy := apitest.Fails(apierrors.NewForbidden(crb, wideName, errors.New("ValidatingAdmissionPolicy 'keep' with binding 'b' denied request: no")))
	gone := apitest.Fails(apierrors.NewNotFound(crb, wideName))
	same, another := apitest.Answers(http.StatusOK, finalized(wide(), "example.com/keep")), apitest.Answers(http.StatusOK, stored(wide()))
	done := apitest.Answers(http.StatusOK, finalized(wide()))
	for name, tt := range map[string]struct {
		patch   []http.HandlerFunc // the last one again and again
		get     http.HandlerFunc
		patches int
		want    string // in the error; "": none
		hint    string
	}{
		"somebody touches it":                      {[]http.HandlerFunc{conflict, conflict, done}, same, 3, "", ""},
		"somebody touches it all the time":         {[]http.HandlerFunc{conflict}, same, updateTries, "still there after 10 tries", "keeps writing"},
		"a webhook puts them back":                 {[]http.HandlerFunc{same}, nil, updateTries, `"example.com/keep" are still there`, "webhook"},
		"it is gone":                               {[]http.HandlerFunc{gone}, nil, 1, "", ""},
		"touched, then gone":                       {[]http.HandlerFunc{conflict}, gone, 1, "", ""},
		"touched, then made anew":                  {[]http.HandlerFunc{conflict}, another, 1, "", ""},
		"made anew":                                {[]http.HandlerFunc{immutable}, another, 1, "", ""},
		"made anew, with a role that is not ours":  {[]http.HandlerFunc{escalation}, another, 1, "", ""},
		"a right is missing":                       {[]http.HandlerFunc{mayNot}, same, 1, `cannot patch resource`, "`certsync manifests` prints the rights"},
		"an admission policy denies it":            {[]http.HandlerFunc{policy}, same, 1, "denied request: no", `ValidatingAdmissionPolicy "keep" denies it`},
		"a right is missing, and it is gone since": {[]http.HandlerFunc{mayNot}, gone, 1, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := apitest.New(t)
			s.Routes["DELETE "+widePath+"/"+wideName] = same
			patches := 0
			s.Routes["PATCH "+widePath+"/"+wideName] = func(w http.ResponseWriter, r *http.Request) {
				tt.patch[min(patches, len(tt.patch)-1)](w, r)
				patches++
			}
			if tt.get != nil {
				s.Routes["GET "+widePath+"/"+wideName] = tt.get
			}
			s.Begin()
			err := connect(t, s).Bindings().DeleteBinding(t.Context(), wide())
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) || patches != tt.patches {
				t.Errorf("%v, after %d patches", err, patches)
			}
			if hint := reconcile.Hint(err); !strings.Contains(hint, tt.hint) {
				t.Errorf("hint %q", hint)
			}
			if slices.ContainsFunc(s.Called("PATCH"), func(c apitest.Call) bool { return !strings.Contains(c.Body, `"uid":"u1"`) }) {
				t.Error("a patch without the uid")
			}
		})
	}
}
