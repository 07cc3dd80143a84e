package kube

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/apitest"
)

const (
	wideName    = "certsync:prod-eu:user:alice@example.com:view"
	widePath    = rbacPath + "/clusterrolebindings"
	limitedPath = rbacPath + "/namespaces/payments/rolebindings"
)

func wide() reconcile.Binding {
	return reconcile.Binding{
		Kind: reconcile.ClusterRoleBinding, Name: wideName, UID: "u1", ResourceVersion: "41",
		ManagedBy: "certsync", Owner: "prod-eu", RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: "view"},
		Subjects: []reconcile.Subject{reconcile.UserSubject("alice@example.com")},
	}
}

func limited() reconcile.Binding {
	b := wide()
	b.Kind, b.Namespace = reconcile.RoleBinding, "payments"
	return b
}

// stored is b as the API server shows it.
func stored(b reconcile.Binding) any {
	if b.Kind == reconcile.RoleBinding {
		o := toRoleBinding(b)
		o.APIVersion, o.Kind, o.UID, o.ResourceVersion = rbacv1.SchemeGroupVersion.String(), "RoleBinding", "u2", "42"
		return o
	}
	o := toClusterRoleBinding(b)
	o.APIVersion, o.Kind, o.UID, o.ResourceVersion = rbacv1.SchemeGroupVersion.String(), "ClusterRoleBinding", "u2", "42"
	return o
}

// kept is a ClusterRoleBinding that is still the same object.
func kept(b reconcile.Binding) any {
	o := toClusterRoleBinding(b)
	o.APIVersion, o.Kind, o.UID, o.ResourceVersion = rbacv1.SchemeGroupVersion.String(), "ClusterRoleBinding", "u1", "57"
	return o
}

func TestCreateBinding(t *testing.T) {
	for path, b := range map[string]reconcile.Binding{widePath: wide(), limitedPath: limited()} {
		t.Run(string(b.Kind), func(t *testing.T) {
			s := apitest.New(t)
			s.Routes["POST "+path] = apitest.Answers(http.StatusCreated, stored(b))
			s.Begin()
			got, err := connect(t, s).Bindings().CreateBinding(t.Context(), b)
			want := b
			want.UID, want.ResourceVersion = "u2", "42"
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("error %v, diff %s", err, diff)
			}
			sent, err := apitest.Decode[metav1.Object](s.Called("POST")[0].Body)
			if err != nil {
				t.Fatal(err)
			}
			labels := map[string]string{"app.kubernetes.io/managed-by": "certsync", "certsync.dev/owner": "prod-eu"}
			if diff := cmp.Diff(labels, sent.GetLabels()); diff != "" || sent.GetName() != wideName || sent.GetUID() != "" {
				t.Errorf("sent %+v", sent)
			}
			// The controller of hierarchical namespaces would copy it.
			if alone := sent.GetAnnotations()["propagate.hnc.x-k8s.io/none"] == "true"; alone != (b.Kind == reconcile.RoleBinding) {
				t.Errorf("sent annotations %v", sent.GetAnnotations())
			}
		})
	}
}

// TestMutatedBindings: a write of which admission made something else is no success, on create as on update. The error says what
// came back, and the hint where to look.
func TestMutatedBindings(t *testing.T) {
	eve := reconcile.UserSubject("eve")
	for want, change := range map[string]func(*rbacv1.RoleBinding){
		`its name became RoleBinding payments/x`:                            func(b *rbacv1.RoleBinding) { b.Name = "x" },
		`its role became ClusterRole "cluster-admin"`:                       func(b *rbacv1.RoleBinding) { b.RoleRef.Name = "cluster-admin" },
		`its subjects got eve`:                                              func(b *rbacv1.RoleBinding) { b.Subjects = append(b.Subjects, toSubjects([]reconcile.Subject{eve})...) },
		`its subjects lost alice@example.com`:                               func(b *rbacv1.RoleBinding) { b.Subjects = nil },
		`its subjects got eve, and lost alice@example.com`:                  func(b *rbacv1.RoleBinding) { b.Subjects = toSubjects([]reconcile.Subject{eve}) },
		`its label certsync.dev/owner became "team-a"`:                      func(b *rbacv1.RoleBinding) { b.Labels[reconcile.OwnerLabel] = "team-a" },
		`its label app.kubernetes.io/managed-by became "Kyverno"`:           func(b *rbacv1.RoleBinding) { b.Labels[reconcile.ManagedByLabel] = "Kyverno" },
		`its label app.kubernetes.io/managed-by became ""`:                  func(b *rbacv1.RoleBinding) { delete(b.Labels, reconcile.ManagedByLabel) },
		`its annotation propagate.hnc.x-k8s.io/none is not "true" any more`: func(b *rbacv1.RoleBinding) { b.Annotations[notPropagated] = "false" },
	} {
		t.Run(want, func(t *testing.T) {
			made := stored(limited()).(*rbacv1.RoleBinding)
			change(made)
			s := apitest.New(t)
			s.Routes["POST "+limitedPath] = apitest.Answers(http.StatusCreated, made)
			s.Routes["PATCH "+limitedPath+"/"+wideName] = apitest.Answers(http.StatusOK, made)
			s.Begin()
			w := connect(t, s).Bindings()
			_, created := w.CreateBinding(t.Context(), limited())
			_, updated := w.UpdateBinding(t.Context(), limited(), limited().Subjects)
			for doing, err := range map[string]error{"creating": created, "updating": updated} {
				text := doing + " RoleBinding payments/" + wideName + ": the API server stored something else: " + want
				if err == nil || err.Error() != text || !errors.Is(err, reconcile.ErrAltered) ||
					!strings.HasPrefix(reconcile.Hint(err), "exclude certsync's bindings from the mutating admission webhook or policy that changes them ("+want+")") {
					t.Errorf("%v, hint %q", err, reconcile.Hint(err))
				}
			}
		})
	}
}

// TestMutatedElsewhere: a subject's place in the list, and labels and annotations of others, are nothing to certsync.
func TestMutatedElsewhere(t *testing.T) {
	b := limited()
	b.Subjects = append(b.Subjects, reconcile.UserSubject("bob"))
	made := stored(b).(*rbacv1.RoleBinding)
	slices.Reverse(made.Subjects)
	made.Labels["team"], made.Annotations["note"] = "a", "b"
	s := apitest.New(t)
	s.Routes["POST "+limitedPath] = apitest.Answers(http.StatusCreated, made)
	s.Begin()
	if _, err := connect(t, s).Bindings().CreateBinding(t.Context(), b); err != nil {
		t.Error(err)
	}
}

func TestUpdateBindingPatchesSubjectsOfWhatWasObserved(t *testing.T) {
	for path, b := range map[string]reconcile.Binding{widePath: wide(), limitedPath: limited()} {
		t.Run(string(b.Kind), func(t *testing.T) {
			s := apitest.New(t)
			s.Routes["PATCH "+path+"/"+wideName] = func(w http.ResponseWriter, r *http.Request) {
				if got := r.Header.Get("Content-Type"); got != "application/merge-patch+json" {
					t.Errorf("sent %q", got)
				}
				apitest.Reply(w, http.StatusOK, stored(b))
			}
			s.Begin()
			got, err := connect(t, s).Bindings().UpdateBinding(t.Context(), b, b.Subjects)
			if err != nil || got.ResourceVersion != "42" {
				t.Errorf("got %+v, error %v", got, err)
			}
			var sent any
			if err := json.Unmarshal([]byte(s.Called("PATCH")[0].Body), &sent); err != nil {
				t.Fatal(err)
			}
			metadata := object{"uid": "u1", "resourceVersion": "41",
				"labels": object{"app.kubernetes.io/managed-by": "certsync", "certsync.dev/owner": "prod-eu"}}
			if b.Kind == reconcile.RoleBinding {
				metadata["annotations"] = object{"propagate.hnc.x-k8s.io/none": "true"}
			}
			want := object{
				"metadata": metadata,
				"subjects": []any{object{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "alice@example.com"}},
			}
			if diff := cmp.Diff(any(want), sent); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestDeniedWithAnyCode: a webhook may deny with 404 or 409, and a proxy answers 404 for what it does not know. A binding that is
// still there counts as neither deleted nor changed by somebody else.
func TestDeniedWithAnyCode(t *testing.T) {
	webhook := func(code int32, reason metav1.StatusReason) *apierrors.StatusError {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: code, Reason: reason,
			Message: `admission webhook "keep.example.com" denied the request: no`}}
	}
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		hint   string
	}{
		"a webhook's 404": {apitest.Fails(webhook(http.StatusNotFound, metav1.StatusReasonNotFound)), `admission webhook "keep.example.com" denies it`},
		"a webhook's 409": {apitest.Fails(webhook(http.StatusConflict, metav1.StatusReasonConflict)), `admission webhook "keep.example.com" denies it`},
		"a proxy's 404": {func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "<html>not here</html>", http.StatusNotFound)
		},
			"no proxy answers in its place"},
	} {
		t.Run(name, func(t *testing.T) {
			s := apitest.New(t)
			for _, route := range []string{"POST " + widePath, "PATCH " + widePath + "/" + wideName, "DELETE " + widePath + "/" + wideName} {
				s.Routes[route] = tt.answer
			}
			s.Routes["GET "+widePath+"/"+wideName] = apitest.Answers(http.StatusOK, kept(wide()))
			s.Begin()
			w := connect(t, s).Bindings()
			_, created := w.CreateBinding(t.Context(), wide())
			_, updated := w.UpdateBinding(t.Context(), wide(), wide().Subjects)
			for _, err := range []error{created, updated, w.DeleteBinding(t.Context(), wide())} {
				if err == nil || errors.Is(err, reconcile.ErrPrecondition) || !strings.Contains(reconcile.Hint(err), tt.hint) {
					t.Errorf("%v, hint %q", err, reconcile.Hint(err))
				}
			}
		})
	}
}

func TestDeleteBindingHasPreconditions(t *testing.T) {
	gone := apierrors.NewNotFound(apitest.Resource("rbac.authorization.k8s.io", "clusterrolebindings"), wideName)
	for name, route := range map[string]http.HandlerFunc{
		"there":        apitest.Answers(http.StatusOK, metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusSuccess}),
		"gone already": apitest.Fails(gone),
	} {
		for path, b := range map[string]reconcile.Binding{widePath: wide(), limitedPath: limited()} {
			t.Run(name+" "+string(b.Kind), func(t *testing.T) {
				s := apitest.New(t)
				s.Routes["DELETE "+path+"/"+wideName] = route
				s.Begin()
				if err := connect(t, s).Bindings().DeleteBinding(t.Context(), b); err != nil {
					t.Fatal(err)
				}
				o, err := apitest.Decode[*metav1.DeleteOptions](s.Called("DELETE")[0].Body)
				if err != nil || *o.Preconditions.UID != "u1" || o.Preconditions.ResourceVersion != nil {
					t.Errorf("sent %+v, error %v", o, err)
				}
			})
		}
	}
}

func TestWritesThatFindSomethingElse(t *testing.T) {
	crb := apitest.Resource("rbac.authorization.k8s.io", "clusterrolebindings")
	escalation := errors.New(`user "bot" (groups=["x"]) is attempting to grant RBAC permissions not currently held:` + "\n{...}")
	mayNot := apitest.MissingRight("create", "clusterrolebindings")
	modified := errors.New("modified")
	cases := map[string]struct {
		write        string
		err          *apierrors.StatusError
		precondition bool
		message      string
		hint         string
	}{
		"create: the name is taken": {"create", apierrors.NewAlreadyExists(crb, wideName), true,
			"creating ClusterRoleBinding " + wideName + ": somebody else changed it", ""},
		"update: somebody else changed it": {"update", apierrors.NewConflict(crb, wideName, modified), true,
			"updating ClusterRoleBinding " + wideName, ""},
		"update: it is gone": {"update", apierrors.NewNotFound(crb, wideName), true, "not found", ""},
		"delete: somebody else changed it": {"delete", apierrors.NewConflict(crb, wideName, modified), true,
			"deleting ClusterRoleBinding " + wideName, ""},
		"create: certsync may not": {"create", apierrors.NewForbidden(crb, wideName, mayNot), false,
			`cannot create resource "clusterrolebindings"`, "`certsync manifests` prints the rights"},
		"create: more than it holds": {"create", apierrors.NewForbidden(crb, wideName, escalation), false,
			"not currently held", "grant certsync the verb bind on clusterroles/view"},
		"update: more than it holds": {"update", apierrors.NewForbidden(crb, wideName, escalation), false,
			"not currently held", "grant certsync the verb bind on clusterroles/view"},
		"update: refused by a webhook": {"update", apierrors.NewBadRequest("admission webhook said no"), false,
			"admission webhook said no", ""},
		"delete: denied by an admission policy": {"delete", apierrors.NewForbidden(crb, wideName,
			errors.New("ValidatingAdmissionPolicy 'no-deletes' with binding 'everywhere' denied request: no")), false,
			"denied request: no", `ValidatingAdmissionPolicy "no-deletes" denies it`},
		"delete: denied by a webhook": {"delete", apierrors.NewBadRequest(`admission webhook "hnc.example.com" denied the request: no`), false,
			"denied the request: no", `admission webhook "hnc.example.com" denies it`},
		"update: a webhook does not answer": {"update", apierrors.NewInternalError(errors.New(`failed calling webhook "hnc.example.com": EOF`)), false,
			"EOF", `admission webhook "hnc.example.com" does not answer`},
		"delete: what somebody called the binding is no policy": {"delete", apierrors.NewForbidden(crb,
			"ValidatingAdmissionPolicy 'x' with binding 'y' denied request", mayNot), false,
			"denied request", "`certsync manifests` prints the rights"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := apitest.New(t)
			for _, route := range []string{"POST " + widePath, "PATCH " + widePath + "/" + wideName, "DELETE " + widePath + "/" + wideName} {
				s.Routes[route] = apitest.Fails(tc.err)
			}
			s.Routes["GET "+widePath+"/"+wideName] = apitest.Answers(http.StatusOK, stored(wide())) // made anew: another UID
			s.Begin()
			w := connect(t, s).Bindings()
			var err error
			switch tc.write {
			case "create":
				_, err = w.CreateBinding(t.Context(), wide())
			case "update":
				_, err = w.UpdateBinding(t.Context(), wide(), wide().Subjects)
			case "delete":
				err = w.DeleteBinding(t.Context(), wide())
			}
			if err == nil || !strings.Contains(err.Error(), tc.message) || errors.Is(err, reconcile.ErrPrecondition) != tc.precondition {
				t.Errorf("error is %v", err)
			}
			if strings.Contains(err.Error(), "{...}") {
				t.Errorf("the role's rules are in the error: %v", err)
			}
			if hint := reconcile.Hint(err); !strings.Contains(hint, tc.hint) || tc.hint == "" && hint != "" {
				t.Errorf("hint is %q", hint)
			}
		})
	}
}

// TestBindHint: the hint names the resource of the role.
func TestBindHint(t *testing.T) {
	for kind, want := range map[string]string{"ClusterRole": "the verb bind on clusterroles/view; ", "Role": "the verb bind on roles/view; "} {
		b := limited()
		b.RoleRef.Kind = kind
		held := apierrors.NewForbidden(apitest.Resource("rbac.authorization.k8s.io", "rolebindings"), b.Name, errors.New(`user "bot" (groups=["x"]) is attempting to grant RBAC permissions not currently held:`+"\n{...}"))
		if hint := reconcile.Hint((&Bindings{}).failed("creating it", b, held)); !strings.Contains(hint, want) {
			t.Errorf("%s: hint is %q", kind, hint)
		}
	}
}

// The API server takes an empty precondition for none.
func TestNoWriteOfWhatWasNeverObserved(t *testing.T) {
	s := apitest.New(t).Begin()
	w := connect(t, s).Bindings()
	for _, forget := range []func(*reconcile.Binding){
		func(b *reconcile.Binding) { b.UID = "" }, func(b *reconcile.Binding) { b.ResourceVersion = "" },
	} {
		b := wide()
		forget(&b)
		if _, err := w.UpdateBinding(t.Context(), b, b.Subjects); err == nil {
			t.Error("updated")
		}
		if err := w.DeleteBinding(t.Context(), b); err == nil {
			t.Error("deleted")
		}
	}
	if calls := s.Called(""); calls != nil {
		t.Errorf("sent %v", calls)
	}
}

// TestTouchedBindings: nobody can keep access by changing a binding all the time. The update removes the subjects that it must
// remove. A subject that others added meanwhile stays for the next plan.
func TestTouchedBindings(t *testing.T) {
	s := apitest.New(t)
	touched := wide()
	touched.Subjects = append(touched.Subjects, reconcile.UserSubject("eve"))
	tries := 0
	s.Routes["GET "+widePath+"/"+wideName] = apitest.Answers(http.StatusOK, kept(touched))
	s.Routes["PATCH "+widePath+"/"+wideName] = func(w http.ResponseWriter, r *http.Request) {
		if tries++; tries < 3 {
			apitest.Fails(apierrors.NewConflict(apitest.Resource("rbac.authorization.k8s.io", "clusterrolebindings"), wideName, errors.New("modified")))(w, r)
			return
		}
		left := touched
		left.Subjects = touched.Subjects[1:]
		apitest.Reply(w, http.StatusOK, kept(left))
	}
	s.Begin()
	if _, err := connect(t, s).Bindings().UpdateBinding(t.Context(), wide(), nil); err != nil {
		t.Fatal(err)
	}
	sent := s.Called("PATCH")[2].Body
	if strings.Contains(sent, "alice@example.com") || !strings.Contains(sent, "eve") {
		t.Errorf("sent %s", sent)
	}
}

// TestCopiesThatStay: a RoleBinding that admission keeps may be a controller's copy.
func TestCopiesThatStay(t *testing.T) {
	s := apitest.New(t)
	denied := apitest.Fails(&apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden,
		Message: `admission webhook "objects.hnc.x-k8s.io" denied the request: Cannot delete object propagated from namespace "team"`}})
	s.Routes["DELETE "+limitedPath+"/"+wideName], s.Routes["DELETE "+widePath+"/"+wideName] = denied, denied
	w := connect(t, s.Begin()).Bindings()
	const hint = `admission webhook "objects.hnc.x-k8s.io" denies it: let it allow the requests of the identity that runs certsync`
	got := []string{reconcile.Hint(w.DeleteBinding(t.Context(), limited())), reconcile.Hint(w.DeleteBinding(t.Context(), wide()))}
	if diff := cmp.Diff([]string{hint + copied, hint}, got); diff != "" {
		t.Error(diff)
	}
}

// TestQuotaThatOthersUse: while others make objects in the namespace, the API server may fail to count a new one. That is no
// binding that somebody changed.
func TestQuotaThatOthersUse(t *testing.T) {
	for conflicts, want := range map[int]string{2: "", updateTries: `others create objects under ResourceQuota "objects" at the same time: run certsync again`} {
		s := apitest.New(t)
		tries := 0
		s.Routes["POST "+limitedPath] = func(w http.ResponseWriter, r *http.Request) {
			if tries++; tries <= conflicts {
				apitest.Fail(w, apierrors.NewConflict(apitest.Resource("", "resourcequotas"), "objects", errors.New("the object has been modified")))
				return
			}
			apitest.Reply(w, http.StatusCreated, stored(limited()))
		}
		_, err := connect(t, s.Begin()).Bindings().CreateBinding(t.Context(), limited())
		if reconcile.Hint(err) != want || errors.Is(err, reconcile.ErrPrecondition) || (err == nil) != (want == "") {
			t.Errorf("after %d conflicts: %v, hint %q", conflicts, err, reconcile.Hint(err))
		}
	}
}
