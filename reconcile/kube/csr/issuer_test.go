package csr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/apitest"
	"github.com/certsync/certsync/reconcile/preflight"
)

// issuing starts a server that signs and an Issuer for it.
func issuing(t *testing.T, prepare func(*signer), change func(*Options)) (*signer, *Issuer) {
	t.Helper()
	g := newSigner(apitest.New(t))
	if prepare != nil {
		prepare(g)
	}
	g.Begin()
	o := Options{Owner: "prod-eu", RunID: "run-1", Identity: reconcile.Identity{Name: apitest.Self}}
	if change != nil {
		change(&o)
	}
	i, names := New(serverOf(t, g.Server), o), atomic.Int32{}
	i.newName = func() string { return fmt.Sprintf("certsync-%d", names.Add(1)) }
	g.seen = func(c *csr) { _ = i.watch.Update(c) }
	t.Cleanup(i.Close)
	return g, i
}

var aliceRequest = reconcile.CertificateRequest{
	Username: "alice", CSR: []byte("a request"), Expiration: time.Hour, Within: 20 * time.Second,
}

func withCondition(t certificatesv1.RequestConditionType, reason string) func(*csr) {
	return func(c *csr) {
		c.Status.Conditions = append(c.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
			Type: t, Status: corev1.ConditionTrue, Reason: reason, Message: "because\x1b[31m"})
	}
}

func TestIssueCreatesApprovesAndWaits(t *testing.T) {
	g, i := issuing(t, nil, nil)
	got, err := i.Issue(t.Context(), aliceRequest)
	if err != nil {
		t.Fatal(err)
	}
	if string(got.Chain) != "certificate of certsync-1" || got.CSR.Name != "certsync-1" || got.CSR.UID != "uid-1" {
		t.Errorf("issued %+v", got)
	}
	c := g.object("certsync-1")
	// The API server keeps a record of who manages such fields, and works on it at each write of the request.
	if len(c.Labels) > 0 || c.GenerateName != "" {
		t.Errorf("created with the labels %v and the generateName %q", c.Labels, c.GenerateName)
	}
	if s := c.Spec; s.SignerName != "kubernetes.io/kube-apiserver-client" || *s.ExpirationSeconds != 3600 ||
		!slices.Equal(s.Usages, []certificatesv1.KeyUsage{"digital signature", "client auth"}) || string(s.Request) != "a request" {
		t.Errorf("spec is %+v", s)
	}
	if a := c.Status.Conditions[0]; a.Reason != "CertsyncApproved" || a.Message != "owner prod-eu, run run-1" || a.Status != "True" {
		t.Errorf("approved with %+v", a)
	}
	if lookups := g.Called("GET " + csrPath + "/"); lookups != nil {
		t.Errorf("looked requests up by name: %v", lookups)
	}
	if deletes := g.Called("DELETE"); deletes != nil {
		t.Errorf("deleted %v", deletes)
	}
}

// TestNames: the name of a request is new each time, valid, that of its owner, and of no other owner.
func TestNames(t *testing.T) {
	one, other := randomName("prod"), randomName("prod")
	if one == other || !strings.HasPrefix(one, namePrefix("prod")) || strings.HasPrefix(one, namePrefix("pro")) ||
		strings.HasPrefix(randomName("prod-eu"), namePrefix("prod")) {
		t.Errorf("named %s and %s", one, other)
	}
	longest := randomName(strings.Repeat("x", 40))
	if faults := validation.IsDNS1123Subdomain(longest); faults != nil {
		t.Errorf("%s: %v", longest, faults)
	}
}

func TestTheWatchSelectsBySignerOnly(t *testing.T) {
	g, i := issuing(t, func(g *signer) {
		// Labels are anybody's to change; the watch must not depend on them.
		g.sign = func(c *csr) { c.Labels = nil; c.Status.Certificate = []byte("x") }
	}, nil)
	if _, err := i.Issue(t.Context(), aliceRequest); err != nil {
		t.Fatal(err)
	}
	for _, c := range g.Called("GET " + csrPath) {
		if c.Query.Get("labelSelector") != "" || c.Query.Get("fieldSelector") != "spec.signerName=kubernetes.io/kube-apiserver-client" {
			t.Errorf("watched %v", c.Query)
		}
	}
}

func TestIssueSaysWhatBecameOfTheRequest(t *testing.T) {
	denied := withCondition(certificatesv1.CertificateDenied, "PolicyViolation")
	cases := map[string]struct {
		prepare func(*signer)
		want    string // part of the error
		denied  bool
		left    int // requests that stand afterwards
	}{
		"denied before the approval": {func(g *signer) {
			g.onApprove = func(c *csr) { denied(c); g.store(watch.Modified, c) }
		}, `: "because\x1b[31m" (reason "PolicyViolation")`, true, 1},
		"denied after the approval": {func(g *signer) { g.sign = denied }, `certsync-1 was denied at `, true, 1},
		"failed at the signer": {func(g *signer) {
			g.sign = withCondition(certificatesv1.CertificateFailed, "SignerValidationFailure")
		}, `the signer refused it: "because\x1b[31m" (reason "SignerValidationFailure")`, false, 1},
		"deleted before the approval": {func(g *signer) {
			g.onApprove = func(c *csr) { g.store(watch.Deleted, c) }
		}, "certsync-1 was deleted while certsync waited for it", false, 0},
		"deleted after the approval": {func(g *signer) {
			g.sign = func(c *csr) { g.store(watch.Deleted, c.DeepCopy()); c.Name = "" }
		}, "certsync-1 was deleted while certsync waited for it", false, 0},
	}
	for name, tc := range cases {
		whetherWatched(t, name, func(t *testing.T, watched bool) {
			g, i := issuing(t, tc.prepare, nil)
			if watched {
				runs(t, g, i)
			}
			began := time.Now()
			_, err := i.Issue(t.Context(), aliceRequest)
			if err == nil || !strings.Contains(err.Error(), tc.want) || errors.Is(err, reconcile.ErrDenied) != tc.denied {
				t.Errorf("error is %v, want %s", err, tc.want)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("took %s", took)
			}
			if g.left() != tc.left {
				t.Errorf("%d requests are left, want %d", g.left(), tc.left)
			}
		})
	}
}

// whetherWatched tries a case with a watch that begins when it is needed, and with one that is there for another request.
func whetherWatched(t *testing.T, name string, try func(t *testing.T, watched bool)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { try(t, false) })
	t.Run(name+", and a watch is there", func(t *testing.T) { try(t, true) })
}

func TestWithoutASignerTheRequestIsDeleted(t *testing.T) {
	g, i := issuing(t, func(g *signer) { g.sign = nil }, nil)
	req := aliceRequest
	req.Within = 50 * time.Millisecond
	_, err := i.Issue(t.Context(), req)
	if err == nil || !strings.Contains(err.Error(), "certsync-1 was approved, and the signer did not issue the certificate in time: certsync waited 50ms") ||
		!strings.Contains(reconcile.Hint(err), "--cluster-signing-cert-file") {
		t.Errorf("error is %v, hint %q", err, reconcile.Hint(err))
	}
	if g.left() != 0 {
		t.Errorf("%d left", g.left())
	}
}

func TestACancelledRunLeavesNoRequestPending(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	g, i := issuing(t, func(g *signer) { g.sign = func(*csr) { cancel() } }, nil)
	if _, err := i.Issue(ctx, aliceRequest); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	if g.left() != 0 {
		t.Errorf("%d left", g.left())
	}
}

func TestACreateIsRetriedWhenTheServerIsBusy(t *testing.T) {
	g, i := issuing(t, func(g *signer) {
		serve := g.Before
		var creates atomic.Int32
		g.Before = func(w http.ResponseWriter, r *http.Request, c apitest.Call) bool {
			if c.Method == "POST" && creates.Add(1) <= 2 {
				apitest.Fail(w, apierrors.NewTooManyRequests("come back later", 1))
				return true
			}
			return serve(w, r, c)
		}
	}, nil)
	if _, err := i.Issue(t.Context(), aliceRequest); err != nil {
		t.Fatal(err)
	}
	if g.left() != 1 {
		t.Errorf("%d requests created", g.left())
	}
}

func TestNoMoreThanMaxInFlight(t *testing.T) {
	most := 0
	g, i := issuing(t, func(g *signer) {
		g.onCreate = func(*csr) {
			open := 1
			for _, c := range g.objects {
				if len(c.Status.Certificate) == 0 {
					open++
				}
			}
			most = max(most, open)
		}
	}, func(o *Options) { o.MaxInFlight = 3 })
	issueMany(t, i, 30)
	g.locked(func() {
		if most > 3 {
			t.Errorf("%d were in flight", most)
		}
	})
}

func TestAClosedIssuerSendsNothing(t *testing.T) {
	g, i := issuing(t, nil, nil)
	i.Close()
	if _, err := i.Issue(t.Context(), aliceRequest); !errors.Is(err, errClosed) || g.left() > 0 {
		t.Errorf("error is %v, %d created", err, g.left())
	}
}

// issueMany issues n certificates at once and checks that each got its own.
func issueMany(t *testing.T, i *Issuer, n int) {
	t.Helper()
	var group sync.WaitGroup
	for range n {
		group.Go(func() {
			got, err := i.Issue(t.Context(), aliceRequest)
			if err != nil || string(got.Chain) != "certificate of "+got.CSR.Name {
				t.Errorf("issued %q for %s, error %v", got.Chain, got.CSR.Name, err)
			}
		})
	}
	group.Wait()
}

// TestDeleteRequest: only the object that was issued is deleted.
func TestDeleteRequest(t *testing.T) {
	s := apitest.New(t)
	s.Routes["DELETE "+csrPath+"/certsync-abc"] = apitest.Answers(http.StatusOK, apitest.Object{"kind": "Status", "apiVersion": "v1", "status": "Success"})
	s.Routes["DELETE "+csrPath+"/certsync-gone"] = apitest.Fails(apierrors.NewNotFound(csrResource, "certsync-gone"))
	s.Routes["DELETE "+csrPath+"/certsync-other"] = apitest.Fails(apierrors.NewConflict(csrResource, "certsync-other", errors.New("uid")))
	i := New(serverOf(t, s.Begin()), Options{})
	defer i.Close()
	for name, fails := range map[string]bool{"certsync-abc": false, "certsync-gone": false, "certsync-other": true} {
		if err := i.DeleteRequest(t.Context(), reconcile.CSRRef{Name: name, UID: "the-uid"}); (err != nil) != fails {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, c := range s.Called("DELETE") {
		if !strings.Contains(c.Body, "the-uid") {
			t.Errorf("%s without a precondition: %s", c, c.Body)
		}
	}
}

// TestTryRequest: a dry run finds what refuses or changes a request, and leaves none.
func TestTryRequest(t *testing.T) {
	for sentence, tc := range map[string]struct {
		change   func(*csr)
		answer   *apierrors.StatusError
		err      string
		noDryRun bool
	}{
		"it would be made":       {},
		"a webhook refuses it":   {answer: apierrors.NewForbidden(apitest.Resource("certificates.k8s.io", "certificatesigningrequests"), "x", errors.New(`admission webhook "w.example.com" denied the request: no`)), err: `admission webhook "w.example.com" denied`},
		"a webhook changes it":   {change: func(c *csr) { c.Spec.SignerName = "example.com/other" }, err: "spec.signerName differs"},
		"a webhook cannot do so": {answer: apierrors.NewBadRequest(`admission webhook "w.example.com" does not support dry run`), err: "does not support dry run", noDryRun: true},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := apitest.New(t)
			s.Routes["POST "+csrPath] = func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("dryRun") != "All" {
					t.Error("that is no dry run")
				}
				if tc.answer != nil {
					apitest.Fail(w, tc.answer)
					return
				}
				body, _ := io.ReadAll(r.Body)
				c, err := apitest.Decode[*csr](string(body))
				if err != nil {
					t.Error(err)
				}
				c.APIVersion, c.Kind, c.Spec.Username = "certificates.k8s.io/v1", "CertificateSigningRequest", apitest.Self
				if tc.change != nil {
					tc.change(c)
				}
				apitest.Reply(w, http.StatusCreated, c)
			}
			i := New(serverOf(t, s.Begin()), Options{Owner: "prod-eu", Identity: reconcile.Identity{Name: apitest.Self}})
			defer i.Close()
			err := i.TryRequest(t.Context(), aliceRequest)
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) || errors.Is(err, preflight.ErrNoDryRun) != tc.noDryRun {
				t.Errorf("%v, hint %q", err, reconcile.Hint(err))
			}
			if err != nil && !tc.noDryRun && reconcile.Hint(err) == "" {
				t.Errorf("no hint: %v", err)
			}
		})
	}
}
