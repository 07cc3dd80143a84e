package csr

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/api"
	"github.com/certsync/certsync/reconcile/kube/apitest"
)

func (g *signer) watches() (n int) {
	for _, c := range g.Called("GET " + csrPath) {
		if c.Query.Get("watch") != "" {
			n++
		}
	}
	return n
}

func TestCertificatesArriveThroughWatchesThatClose(t *testing.T) {
	for name, noStream := range map[string]bool{"with initial events": false, "on a server without them": true} {
		t.Run(name, func(t *testing.T) {
			g, i := issuing(t, func(g *signer) { g.noStream = noStream }, nil)
			stop, stopped := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(stopped)
				for {
					select {
					case <-stop:
						return
					case <-time.After(5 * time.Millisecond):
						g.closeWatches()
					}
				}
			}()
			issueMany(t, i, 100)
			close(stop)
			<-stopped
			if gets := g.Called("GET " + csrPath + "/"); gets != nil {
				t.Errorf("%d requests were read one by one", len(gets))
			}
		})
	}
}

func TestAWatchThatEndsAtOnceIsResumedSoon(t *testing.T) {
	var ended atomic.Int32
	g, i := issuing(t, func(g *signer) {
		serve := g.Before
		g.sign = nil
		g.Before = func(w http.ResponseWriter, r *http.Request, c apitest.Call) bool {
			if c.Query.Get("watch") == "" || ended.Load() == 8 {
				return serve(w, r, c)
			}
			if ended.Add(1) == 8 {
				g.locked(func() { g.becomes("certsync-1", issued) })
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusOK)
			return true
		}
	}, nil)
	began := time.Now()
	if _, err := i.Issue(t.Context(), aliceRequest); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 12*time.Second {
		t.Errorf("took %s", took)
	}
	if g.Called("GET "+csrPath+"/") != nil {
		t.Error("the watch never came back")
	}
}

func TestAnExpiredWatchIsListedAnew(t *testing.T) {
	g, i := issuing(t, func(g *signer) { g.noStream, g.sign = true, nil }, nil)
	done := make(chan error, 1)
	go func() {
		_, err := i.Issue(t.Context(), aliceRequest)
		done <- err
	}()
	apitest.WaitFor(t, "the approval", func() bool { return len(g.Called("PUT")) == 1 })
	apitest.WaitFor(t, "a watch", func() bool { return g.watches() > 1 })
	g.locked(func() {
		c := g.objects["certsync-1"].DeepCopy()
		c.Status.Certificate = []byte("chain")
		g.store(watch.Modified, c)
		// The watch that resumes learns that the events it missed are not available any more.
		g.history, g.compact = nil, g.version+1
	})
	g.closeWatches()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestARequestThatVanishedWhileTheWatchWasDown(t *testing.T) {
	for name, noStream := range map[string]bool{"with initial events": false, "on a server without them": true} {
		t.Run(name, func(t *testing.T) {
			g, i := issuing(t, func(g *signer) { g.noStream, g.sign = noStream, nil }, nil)
			done := make(chan error, 1)
			go func() {
				_, err := i.Issue(t.Context(), aliceRequest)
				done <- err
			}()
			apitest.WaitFor(t, "the approval", func() bool { return len(g.Called("PUT")) == 1 })
			apitest.WaitFor(t, "a watch that was told of the approval", func() (told bool) {
				g.locked(func() { told = g.told == g.version })
				return told
			})
			g.locked(func() {
				g.store(watch.Deleted, g.objects["certsync-1"].DeepCopy())
				g.history, g.compact = nil, g.version+1
			})
			g.closeWatches()
			began := time.Now()
			err := <-done
			if err == nil || !strings.Contains(err.Error(), "certsync-1 was deleted") || time.Since(began) > 10*time.Second {
				t.Errorf("after %s: %v", time.Since(began), err)
			}
		})
	}
}

func TestAForbiddenWatchFailsAtOnceAndSaysSo(t *testing.T) {
	g, i := issuing(t, func(g *signer) {
		g.sign = nil
		g.Routes["GET "+csrPath] = apitest.Fails(apierrors.NewForbidden(csrResource, "", apitest.MissingRight("watch", "certificatesigningrequests")))
	}, nil)
	began := time.Now()
	_, err := i.Issue(t.Context(), aliceRequest)
	if err == nil || !strings.Contains(err.Error(), "watching certificatesigningrequests: ") || reconcile.Hint(err) == "" {
		t.Errorf("error is %v, hint %q", err, reconcile.Hint(err))
	}
	if time.Since(began) > 10*time.Second || g.left() > 0 {
		t.Errorf("took %s, %d left", time.Since(began), g.left())
	}
}

// The watch is broken in a way that nobody can tell from a signer that is slow. The deadline's own look finds the
// certificate.
func TestTheDeadlineLooksForItself(t *testing.T) {
	_, i := issuing(t, func(g *signer) {
		g.Routes["GET "+csrPath] = apitest.Fails(apierrors.NewServiceUnavailable("a proxy that cannot stream"))
	}, nil)
	req := aliceRequest
	req.Within = 300 * time.Millisecond
	if got, err := i.Issue(t.Context(), req); err != nil || string(got.Chain) != "certificate of certsync-1" {
		t.Errorf("issued %q, error %v", got.Chain, err)
	}
}

func TestAWatchThatFailedIsPartOfTheDeadlinesError(t *testing.T) {
	_, i := issuing(t, func(g *signer) {
		g.sign = nil
		brokenWatch(g)
	}, nil)
	breaks(t, i)
	req := aliceRequest
	req.Within = 300 * time.Millisecond
	if _, err := i.Issue(t.Context(), req); err == nil || !strings.Contains(err.Error(), "a proxy that cannot stream") {
		t.Errorf("error is %v", err)
	}
}

// runs starts the watch, as another request would have done, and waits until it is there.
func runs(t *testing.T, g *signer, i *Issuer) {
	t.Helper()
	i.watching()
	apitest.WaitFor(t, "a watch", func() (there bool) {
		g.locked(func() { there = g.told > 0 })
		return there
	})
}

// breaks waits until the watch has found that it does not work.
func breaks(t *testing.T, i *Issuer) {
	t.Helper()
	i.watching()
	apitest.WaitFor(t, "a watch that failed", func() bool { return i.watch.lastError() != nil })
}

// TestWithoutAWaitThereIsNoWatch: a request that others decided on at once needs none. Whether one went out beside the rest
// would be left to chance.
func TestWithoutAWaitThereIsNoWatch(t *testing.T) {
	for _, manual := range []bool{true, false} {
		_, i := issuing(t, func(g *signer) {
			g.early = func(*csr) { g.becomes("certsync-1", approved, issued) }
		}, func(o *Options) { o.Manual = manual })
		if got, err := i.Issue(t.Context(), aliceRequest); err != nil || string(got.Chain) != "chain" {
			t.Errorf("issued %q, error %v", got.Chain, err)
		}
		started := true
		if i.start.Do(func() { started = false }); started {
			t.Errorf("manual %t: a watch was started", manual)
		}
	}
}

func TestTheWatchKeepsNothingOfOthersRequests(t *testing.T) {
	s := newSignerWatch(&api.Server{})
	others := &csr{}
	others.Name, others.UID, others.Spec.Request, others.Status.Certificate = "other", "other", []byte("request"), []byte("chain")
	var transform cache.TransformFunc = s.Transformer()
	small, err := transform(others)
	if c := small.(*csr); err != nil || c.Spec.Request != nil || c.Status.Certificate != nil || c.Name != "other" || c.UID != "other" {
		t.Errorf("kept %+v, error %v", small, err)
	}
	s.register(others)
	if small, _ := transform(others); string(small.(*csr).Status.Certificate) != "chain" {
		t.Errorf("lost the certificate that somebody waits for: %+v", small)
	}
}
