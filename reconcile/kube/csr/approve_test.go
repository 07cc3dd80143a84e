package csr

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/apitest"
)

// The object that Create returns differs from the one that was sent. An admission webhook, or something between certsync and
// the API server, wants an approval for another request.
func TestIssueApprovesNothingThatItDidNotSend(t *testing.T) {
	short := int32(600)
	for name, change := range map[string]func(*csr){
		"spec.request":           func(c *csr) { c.Spec.Request = []byte("for mallory") },
		"spec.signerName":        func(c *csr) { c.Spec.SignerName = "kubernetes.io/kubelet-serving" },
		"spec.usages":            func(c *csr) { c.Spec.Usages = append(c.Spec.Usages, "cert sign") },
		"spec.expirationSeconds": func(c *csr) { c.Spec.ExpirationSeconds = &short },
		"spec.username":          func(c *csr) { c.Spec.Username = "mallory" },
		"uid":                    func(c *csr) { c.UID = "" },
		"status":                 withCondition(certificatesv1.CertificateApproved, "Planted"),
		"name":                   func(c *csr) { c.Name = "certsync-$(id)" },
	} {
		t.Run(name, func(t *testing.T) {
			g, i := issuing(t, func(g *signer) { g.onCreate = change }, nil)
			_, err := i.Issue(t.Context(), aliceRequest)
			if err == nil || !strings.Contains(err.Error(), name+" differs") {
				t.Errorf("error is %v", err)
			}
			if calls := g.Called("PUT"); calls != nil {
				t.Errorf("approved: %v", calls)
			}
			if want := map[bool]int{true: 0, false: 1}[name == "uid"]; len(g.Called("DELETE")) != want {
				t.Errorf("deleted %v, want %d", g.Called("DELETE"), want)
			}
		})
	}
	t.Run("an issuer that does not know itself", func(t *testing.T) {
		g, i := issuing(t, func(g *signer) { g.onCreate = func(c *csr) { c.Spec.Username = "" } },
			func(o *Options) { o.Identity.Name = "" })
		if _, err := i.Issue(t.Context(), aliceRequest); err == nil || g.Called("PUT") != nil {
			t.Errorf("error is %v, approvals %v", err, g.Called("PUT"))
		}
	})
}

func TestApprovalOfARequestThatChangesMeanwhile(t *testing.T) {
	relabel := func(g *signer, times int) func(*csr) {
		return func(c *csr) {
			if times--; times >= 0 {
				c.Labels = map[string]string{"by": "mallory"}
				g.store(watch.Modified, c)
			}
		}
	}
	t.Run("others change labels: approved at the new version", func(t *testing.T) {
		g, i := issuing(t, func(g *signer) { g.onApprove = relabel(g, 3) }, nil)
		if _, err := i.Issue(t.Context(), aliceRequest); err != nil {
			t.Fatal(err)
		}
		if n := len(g.Called("PUT")); n != 4 {
			t.Errorf("%d approvals sent, want 4", n)
		}
	})
	t.Run("others never stop: given up and deleted", func(t *testing.T) {
		g, i := issuing(t, func(g *signer) { g.onApprove = relabel(g, 100) }, nil)
		_, err := i.Issue(t.Context(), aliceRequest)
		if err == nil || !strings.Contains(err.Error(), "it changed 20 times meanwhile") || g.left() != 0 {
			t.Errorf("error is %v, %d left", err, g.left())
		}
	})
	t.Run("another object under the same name is not ours", func(t *testing.T) {
		g, i := issuing(t, func(g *signer) {
			g.onApprove = func(c *csr) {
				g.store(watch.Deleted, c.DeepCopy())
				c.UID, c.Spec.Request = "planted", []byte("for mallory")
				g.store(watch.Added, c)
			}
		}, nil)
		_, err := i.Issue(t.Context(), aliceRequest)
		if err == nil || !strings.Contains(err.Error(), "was deleted") || len(g.Called("PUT")) != 1 {
			t.Errorf("error is %v after %d approvals", err, len(g.Called("PUT")))
		}
		if c := g.object("certsync-1"); c == nil || len(c.Status.Conditions) > 0 {
			t.Errorf("the planted object is now %+v", c)
		}
	})
	approveAndSign := func(g *signer) func(*csr) {
		return func(c *csr) {
			withCondition(certificatesv1.CertificateApproved, "AutoApproved")(c)
			g.store(watch.Modified, c)
			c = c.DeepCopy()
			c.Status.Certificate = []byte("chain")
			g.store(watch.Modified, c)
		}
	}
	for name, prepare := range map[string]func(*signer){
		"somebody else approved it":                             func(g *signer) { g.onApprove = approveAndSign(g) },
		"somebody else approved it before Create even answered": func(g *signer) { g.early = approveAndSign(g) },
	} {
		t.Run(name, func(t *testing.T) {
			g, i := issuing(t, prepare, nil)
			if got, err := i.Issue(t.Context(), aliceRequest); err != nil || string(got.Chain) != "chain" {
				t.Errorf("issued %q, error %v", got.Chain, err)
			}
			if len(g.Called("GET "+csrPath+"/")) != 1 {
				t.Error("the deadline had to look")
			}
		})
	}
}

// TestApprovalWithoutAnswer: an approval that had no answer in time is an error.
func TestApprovalWithoutAnswer(t *testing.T) {
	g, i := issuing(t, func(g *signer) { g.sign = nil }, nil)
	csr, err := i.create(t.Context(), aliceRequest)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if err := i.approve(ctx, csr); !errors.Is(err, context.DeadlineExceeded) || g.Called("PUT") != nil {
		t.Errorf("error is %v after %v", err, g.Called("PUT"))
	}
}

func TestIssueWithoutTheRightToApprove(t *testing.T) {
	g, i := issuing(t, func(g *signer) {
		serve := g.Before
		g.Before = func(w http.ResponseWriter, r *http.Request, c apitest.Call) bool {
			if c.Method == "PUT" {
				apitest.Fail(w, apierrors.NewForbidden(csrResource, "certsync-1", apitest.MissingRight("update", "certificatesigningrequests/approval")))
				return true
			}
			return serve(w, r, c)
		}
	}, nil)
	_, err := i.Issue(t.Context(), aliceRequest)
	if err == nil || !strings.Contains(err.Error(), "approving CertificateSigningRequest certsync-1: ") ||
		!strings.Contains(reconcile.Hint(err), "approve on signers/kubernetes.io/kube-apiserver-client") || g.left() > 0 {
		t.Errorf("error is %v, hint %q, %d left", err, reconcile.Hint(err), g.left())
	}
}
