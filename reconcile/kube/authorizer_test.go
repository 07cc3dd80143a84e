package kube

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/kube/apitest"
)

const nobodyPath = "/apis/authorization.k8s.io/v1/subjectaccessreviews"

// says answers an access review by what is asked: "verb resource".
func says(t *testing.T, answers map[string]authorizationv1.SubjectAccessReviewStatus) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		review, err := apitest.Decode[runtime.Object](string(body))
		if err != nil {
			t.Error(err)
		}
		var a *authorizationv1.ResourceAttributes
		kind := "SubjectAccessReview"
		switch asked := review.(type) {
		case *authorizationv1.SelfSubjectAccessReview:
			a, kind = asked.Spec.ResourceAttributes, "SelfSubjectAccessReview"
		case *authorizationv1.SubjectAccessReview:
			a = asked.Spec.ResourceAttributes
		}
		apitest.Reply(w, http.StatusCreated, object{
			"apiVersion": "authorization.k8s.io/v1", "kind": kind, "status": answers[a.Verb+" "+a.Resource],
		})
	}
}

// TestAnybody: the API server is asked for a name that nobody has.
func TestAnybody(t *testing.T) {
	type answers = map[string]authorizationv1.SubjectAccessReviewStatus
	yes := authorizationv1.SubjectAccessReviewStatus{Allowed: true}
	by := authorizationv1.SubjectAccessReviewStatus{Allowed: true, Reason: `RBAC: allowed by ClusterRoleBinding "open"`}
	down := authorizationv1.SubjectAccessReviewStatus{EvaluationError: "webhook down"}
	forbidden := apitest.Fails(apierrors.NewForbidden(apitest.Resource("authorization.k8s.io", "subjectaccessreviews"), "", apitest.MissingRight("create", "subjectaccessreviews")))
	for sentence, tt := range map[string]struct {
		answer http.HandlerFunc
		want   access.Decision
		asked  int
	}{
		"bindings decide":                      {says(t, nil), access.Decision{}, 2},
		"AlwaysAllow":                          {says(t, answers{"* *": yes}), access.Decision{Everything: true}, 1},
		"a binding gives everybody everything": {says(t, answers{"* *": by}), access.Decision{Everything: true, Why: by.Reason}, 1},
		"everybody reads Secrets":              {says(t, answers{"get secrets": by}), access.Decision{Secrets: true, Why: by.Reason}, 2},
		"a webhook that authorizes is down":    {says(t, answers{"* *": down}), access.Decision{Unasked: `the API server's authorizer failed: "webhook down"`}, 2},
		"it is down for the second question":   {says(t, answers{"get secrets": down}), access.Decision{Unasked: `the API server's authorizer failed: "webhook down"`}, 2},
		"certsync may not ask":                 {forbidden, access.Decision{Unasked: "asking the authorizer who may * *: "}, 1},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := apitest.New(t)
			s.Routes["POST "+nobodyPath] = tt.answer
			got, err := connect(t, s.Begin()).Anybody(t.Context())
			got.Unasked = got.Unasked[:min(len(got.Unasked), len(tt.want.Unasked))]
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("error %v, diff %s", err, diff)
			}
			calls := s.Called("POST " + nobodyPath)
			for _, c := range calls {
				if !strings.Contains(c.Body, "certsync-nobody-") || !strings.Contains(c.Body, "system:authenticated") {
					t.Errorf("asked %s", c.Body)
				}
			}
			if len(calls) != tt.asked {
				t.Errorf("asked %d times", len(calls))
			}
		})
	}
}

// TestAnybodyFailsWithoutAnAnswer: no answer is not a no.
func TestAnybodyFailsWithoutAnAnswer(t *testing.T) {
	s := apitest.New(t)
	s.Routes["POST "+nobodyPath] = apitest.Fails(apierrors.NewInternalError(errors.New("boom")))
	if d, err := connect(t, s.Begin()).Anybody(t.Context()); err == nil || !strings.Contains(err.Error(), "boom") {
		t.Errorf("%+v, %v", d, err)
	}
}

// TestMayAnything asks as the holder of a certificate, with nothing of certsync's own.
func TestMayAnything(t *testing.T) {
	s, open := loginServer(t, nil)
	s.Routes["POST "+accessPath] = func(w http.ResponseWriter, r *http.Request) {
		if who := r.TLS.PeerCertificates[0].Subject.CommonName; who != "nobody" || r.Header.Get("Authorization") != "" {
			t.Errorf("asked as %q, with %q", who, r.Header.Get("Authorization"))
		}
		apitest.Reply(w, http.StatusCreated, object{"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "status": object{"allowed": true}})
	}
	chain, key := apitest.NewUser("nobody")
	got, err := connect(t, s).MayAnything(t.Context(), chain, reconcile.NewSecret(key))
	if diff := cmp.Diff(access.Decision{Everything: true}, got); diff != "" || err != nil {
		t.Errorf("error %v, diff %s", err, diff)
	}
	apitest.WaitFor(t, "the connection to be closed", func() bool { return open() == 0 })
}
