package csr

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/apitest"
)

var (
	approved = withCondition(certificatesv1.CertificateApproved, "KubectlApprove")
	denied   = withCondition(certificatesv1.CertificateDenied, "KubectlDeny")
)

// becomes changes a request, one change after the other, as others do. The caller holds the lock.
func (g *signer) becomes(name string, changes ...func(*csr)) {
	for _, change := range changes {
		c := g.objects[name].DeepCopy()
		change(c)
		g.store(watch.Modified, c)
	}
}

func issued(c *csr) { c.Status.Certificate = []byte("chain") }

// brokenWatch answers neither lists nor watches.
func brokenWatch(g *signer) {
	g.broken = true
	g.Routes["GET "+csrPath] = apitest.Fails(apierrors.NewServiceUnavailable("a proxy that cannot stream"))
}

// TestApproveCommand: the command names one object, and is one command in a shell for every name and UID.
func TestApproveCommand(t *testing.T) {
	for csr, want := range map[reconcile.CSRRef]string{
		{Name: "certsync-abcde", UID: "8f1c"}: `kubectl patch csr certsync-abcde --subresource=approval --type=merge -p ` +
			`'{"metadata":{"uid":"8f1c"},"status":{"conditions":[{"type":"Approved","status":"True",` +
			`"reason":"CertsyncManualApproval","message":"approved with the command that certsync printed"}]}}'`,
		{Name: "a; b", UID: `"'$(c)`}: `kubectl patch csr 'a; b' --subresource=approval --type=merge -p ` +
			`'{"metadata":{"uid":"\"'"'"'$(c)"},"status":{"conditions":[{"type":"Approved","status":"True",` +
			`"reason":"CertsyncManualApproval","message":"approved with the command that certsync printed"}]}}'`,
	} {
		if diff := gocmp.Diff(want, ApproveCommand(csr)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestPeopleApprove(t *testing.T) {
	cases := map[string]struct {
		prepare func(*signer)
		people  func(*signer) // called once people are asked
		timeout time.Duration // by default long enough
		want    string        // part of the error; none: issued
		is      error         // the error that it wraps
		left    int           // requests that stand afterwards
		unasked bool
	}{
		"approved, then issued": {
			people: func(g *signer) { g.becomes("certsync-1", approved, issued) }, left: 1,
		},
		"approved and issued before anybody is asked": {
			prepare: func(g *signer) { g.early = func(*csr) { g.becomes("certsync-1", approved, issued) } }, left: 1, unasked: true,
		},
		"approved before anybody is asked, issued at the deadline": {
			prepare: func(g *signer) {
				brokenWatch(g)
				g.early = func(*csr) { g.becomes("certsync-1", approved) }
				g.onGet(2, func() { g.becomes("certsync-1", issued) })
			},
			left: 1, unasked: true,
		},
		"approved and issued, and the watch is broken": {
			prepare: brokenWatch, timeout: 100 * time.Millisecond,
			people: func(g *signer) { g.becomes("certsync-1", approved, issued) }, left: 1,
		},
		"approved at the deadline, and issued at the next one, and the watch is broken": {
			prepare: func(g *signer) {
				brokenWatch(g)
				g.onGet(2, func() { g.becomes("certsync-1", approved) })
				g.onGet(3, func() { g.becomes("certsync-1", issued) })
			},
			timeout: 100 * time.Millisecond, left: 1,
		},
		"nobody approves": {
			timeout: 100 * time.Millisecond, is: reconcile.ErrNotApproved,
			want: "CertificateSigningRequest certsync-1: nobody approved the CertificateSigningRequest in time: certsync waited 100ms",
		},
		"nobody approves, and the watch is broken": {
			prepare: brokenWatch, timeout: 100 * time.Millisecond, want: "a proxy that cannot stream", is: reconcile.ErrNotApproved,
		},
		"somebody changes labels, and nobody approves": {
			people:  func(g *signer) { g.becomes("certsync-1", func(c *csr) { c.Labels = nil }) },
			timeout: 100 * time.Millisecond, want: "nobody approved", is: reconcile.ErrNotApproved,
		},
		"approved and never issued": {
			people: func(g *signer) { g.becomes("certsync-1", approved) },
			want:   "certsync-1 was approved, and the signer did not issue", is: reconcile.ErrNotIssued,
		},
		"denied": {
			people: func(g *signer) { g.becomes("certsync-1", denied) },
			want:   "certsync-1 was denied", is: reconcile.ErrDenied, left: 1,
		},
		"denied before anybody is asked": {
			prepare: func(g *signer) { g.early = func(*csr) { g.becomes("certsync-1", denied) } },
			want:    "certsync-1 was denied", is: reconcile.ErrDenied, left: 1, unasked: true,
		},
		"denied at the deadline, and the watch is broken": {
			prepare: brokenWatch, timeout: 100 * time.Millisecond,
			people: func(g *signer) { g.becomes("certsync-1", denied) },
			want:   "certsync-1 was denied", is: reconcile.ErrDenied, left: 1,
		},
		"deleted": {
			people: func(g *signer) { g.store(watch.Deleted, g.objects["certsync-1"].DeepCopy()) },
			want:   "certsync-1 was deleted while certsync waited for it",
		},
		"deleted, and the watch is broken": {
			prepare: brokenWatch, timeout: 100 * time.Millisecond,
			people: func(g *signer) { g.store(watch.Deleted, g.objects["certsync-1"].DeepCopy()) },
			want:   "certsync-1 was deleted while certsync waited for it",
		},
	}
	for name, tc := range cases {
		whetherWatched(t, name, func(t *testing.T, watched bool) {
			t.Parallel()
			var asked []string
			var g *signer
			g, i := issuing(t, tc.prepare, func(o *Options) {
				o.Manual, o.ApprovalTimeout = true, cmp.Or(tc.timeout, time.Minute)
				o.Announce = func(user string, csr reconcile.CSRRef) {
					asked = append(asked, user+" "+csr.Name+" "+csr.UID)
					if tc.people != nil {
						g.locked(func() { tc.people(g) })
					}
				}
			})
			if g.broken {
				breaks(t, i)
			} else if watched {
				runs(t, g, i)
			}
			req := aliceRequest
			req.Within = time.Second
			began := time.Now()
			got, err := i.Issue(t.Context(), req)
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("took %s", took)
			}
			if tc.want == "" && (err != nil || string(got.Chain) != "chain" || got.CSR.Name != "certsync-1") {
				t.Errorf("issued %+v, error %v", got, err)
			}
			if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("error is %v, want %s", err, tc.want)
			}
			for _, is := range []error{reconcile.ErrNotApproved, reconcile.ErrNotIssued, reconcile.ErrDenied} {
				if errors.Is(err, is) != (is == tc.is) {
					t.Errorf("error %v is %q: %t", err, is, errors.Is(err, is))
				}
			}
			if tc.is == reconcile.ErrNotApproved && !strings.Contains(reconcile.Hint(err), "--approval-timeout") {
				t.Errorf("hint %q", reconcile.Hint(err))
			}
			if (len(asked) == 0) != tc.unasked || len(asked) == 1 && asked[0] != "alice certsync-1 uid-1" {
				t.Errorf("asked %q", asked)
			}
			if g.Called("PUT") != nil || g.left() != tc.left {
				t.Errorf("approved %v, %d requests are left, want %d", g.Called("PUT"), g.left(), tc.left)
			}
		})
	}
}

// onGet lets something happen before the n-th time that a request is read by name.
func (g *signer) onGet(n int, happens func()) {
	serve := g.Before
	g.Before = func(w http.ResponseWriter, r *http.Request, c apitest.Call) bool {
		if c.Method == http.MethodGet && c.Path != csrPath && len(g.Called("GET "+csrPath+"/")) == n {
			g.locked(happens)
		}
		return serve(w, r, c)
	}
}

func TestARunThatEndsWhilePeopleAreAskedLeavesNoRequest(t *testing.T) {
	for name, end := range map[string]func(*Issuer, context.CancelFunc){
		"cancelled": func(_ *Issuer, cancel context.CancelFunc) { cancel() },
		"closed":    func(i *Issuer, _ context.CancelFunc) { i.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var i *Issuer
			g, i := issuing(t, nil, func(o *Options) {
				o.Manual = true
				o.Announce = func(string, reconcile.CSRRef) { end(i, cancel) }
			})
			_, err := i.Issue(ctx, aliceRequest)
			if err == nil || !strings.Contains(err.Error(), "waiting for somebody to approve CertificateSigningRequest certsync-1: ") || g.left() != 0 {
				t.Errorf("error is %v, %d left", err, g.left())
			}
		})
	}
}

// TestDenial: the error has Kubernetes' record of the denial, with texts of others cut.
func TestDenial(t *testing.T) {
	noon := metav1.NewTime(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	long := strings.Repeat("no ", 1000)
	for name, change := range map[string]func(*certificatesv1.CertificateSigningRequestCondition){
		"the API server's time comes first": func(c *certificatesv1.CertificateSigningRequestCondition) {
			c.LastTransitionTime, c.LastUpdateTime = noon, metav1.NewTime(noon.AddDate(10, 0, 0))
		},
		"without it, the other": func(c *certificatesv1.CertificateSigningRequestCondition) { c.LastUpdateTime = noon },
	} {
		t.Run(name, func(t *testing.T) {
			_, i := issuing(t, func(g *signer) {
				g.sign = func(c *csr) {
					denied(c)
					last := &c.Status.Conditions[len(c.Status.Conditions)-1]
					last.Message = long
					change(last)
				}
			}, nil)
			_, err := i.Issue(t.Context(), aliceRequest)
			var got reconcile.Denial
			if !errors.As(err, &got) || !errors.Is(err, reconcile.ErrDenied) {
				t.Fatalf("error is %v", err)
			}
			want := reconcile.Denial{Request: "certsync-1", Reason: "KubectlDeny", Message: long[:253] + "…", At: noon.Time}
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPermissionsToIssue(t *testing.T) {
	const csrs = " certificatesigningrequests.certificates.k8s.io"
	requests := []string{"create" + csrs, "get" + csrs, "list" + csrs, "watch" + csrs, "delete" + csrs}
	for manual, want := range map[bool][]string{
		true:  requests,
		false: append(requests[:5:5], "update"+csrs+"/approval", `approve signers.certificates.k8s.io "kubernetes.io/kube-apiserver-client"`),
	} {
		var got []string
		for _, p := range (&Issuer{options: Options{Manual: manual}}).Permissions() {
			got = append(got, p.String())
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("manual %t: %s", manual, diff)
		}
	}
}
