package lease

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/apitest"
)

func TestWaitingForTheLock(t *testing.T) {
	waiting := func(s *leaseServer, timeout time.Duration) (*Locker, *[]reconcile.Locked) {
		l, told := s.locker("run 2"), new([]reconcile.Locked)
		l.options.Timeout = timeout
		l.options.Waiting = func(other reconcile.Locked) { *told = append(*told, other) }
		return l, told
	}
	t.Run("the other run ends", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *leaseServer) {
			first, start := s.acquire("run 1"), time.Now()
			time.AfterFunc(21*time.Second, func() { s.release(first) })
			l, told := waiting(s, time.Minute)
			lock, err := l.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer s.release(lock)
			if waited := time.Since(start); waited != 22*time.Second || len(*told) != 1 || (*told)[0].Holder != "run 1" {
				t.Errorf("after %s; told %v", waited, *told)
			}
		})
	})
	t.Run("the other run goes on", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *leaseServer) {
			s.acquire("run 1")
			start := time.Now()
			l, told := waiting(s, 5*time.Minute+time.Second)
			_, err := l.Acquire(t.Context())
			var locked reconcile.Locked
			if waited := time.Since(start); !errors.As(err, &locked) || waited != 5*time.Minute+time.Second || len(*told) != 1 {
				t.Errorf("error is %v after %s; told %v", err, waited, *told)
			}
			if locked.Age != 5*time.Minute+time.Second || locked.Renewed > renewEvery {
				t.Errorf("locked is %+v", locked)
			}
		})
	})
	t.Run("somebody interrupts", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *leaseServer) {
			s.acquire("run 1")
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			l, _ := waiting(s, time.Minute)
			_, err := l.Acquire(ctx)
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "waiting for the lock kube-system/certsync-prod-eu: ") {
				t.Errorf("error is %v", err)
			}
		})
	})
}

func TestAcquireWhileOthersWrite(t *testing.T) {
	t.Run("somebody was faster to create it", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *leaseServer) {
			s.faulty(writes(once(func(http.ResponseWriter, *http.Request, apitest.Call) bool {
				s.edit(heldBy("run 2", s.now(), s.now()))
				return false
			})))
			_, err := s.locker("run 1").Acquire(t.Context())
			var locked reconcile.Locked
			if !errors.As(err, &locked) || locked.Holder != "run 2" || holderOf(s.lease()) != "run 2" {
				t.Errorf("error is %v, holder %q", err, holderOf(s.lease()))
			}
		})
	})
	t.Run("somebody deletes it", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *leaseServer) {
			s.edit(func(*coordinationv1.Lease) {})
			s.faulty(writes(once(func(http.ResponseWriter, *http.Request, apitest.Call) bool { s.remove(); return false })))
			s.acquire("run 1")
		})
	})
	t.Run("somebody never stops", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *leaseServer) {
			s.edit(func(*coordinationv1.Lease) {})
			s.faulty(writes(func(http.ResponseWriter, *http.Request, apitest.Call) bool {
				s.edit(func(*coordinationv1.Lease) {})
				return false
			}))
			_, err := s.locker("run 1").Acquire(t.Context())
			if err == nil || !strings.Contains(err.Error(), "taking the lock kube-system/certsync-prod-eu: it changed 10 times meanwhile: ") ||
				!strings.Contains(reconcile.Hint(err), "--show-managed-fields") {
				t.Errorf("error is %v, hint %q", err, reconcile.Hint(err))
			}
		})
	})
}

func TestAcquireWithoutAnAnswer(t *testing.T) {
	t.Run("the API server did it: the lock is held", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *leaseServer) {
			s.faulty(writes(once(s.swallowed)))
			s.acquire("run 1")
			time.Sleep(20 * time.Second)
			if got := s.lease(); !got.Spec.RenewTime.Time.Equal(s.now().Add(-5 * time.Second)) {
				t.Errorf("renewed at %s, now %s", got.Spec.RenewTime, s.now())
			}
		})
	})
	t.Run("the API server did it, and the run is over: nobody has to wait", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *leaseServer) {
			ctx, cancel := context.WithCancel(t.Context())
			s.faulty(writes(once(func(w http.ResponseWriter, r *http.Request, c apitest.Call) bool {
				defer cancel() // once the Lease is written
				return s.swallowed(w, r, c)
			})))
			if _, err := s.locker("run 1").Acquire(ctx); !errors.Is(err, context.Canceled) || s.lease() == nil || holderOf(s.lease()) != "" {
				t.Errorf("error is %v, the Lease %+v", err, s.lease())
			}
		})
	})
	t.Run("the API server did not do it", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *leaseServer) {
			s.faulty(writes(hanging))
			start := time.Now()
			_, err := s.locker("run 1").Acquire(t.Context())
			if err == nil || !strings.Contains(err.Error(), "taking the lock kube-system/certsync-prod-eu: reaching https://cluster.test: context deadline exceeded") ||
				time.Since(start) != lockAttempt {
				t.Errorf("error is %v after %s", err, time.Since(start))
			}
		})
	})
}

// TestAcquireWithoutTheRightToUpdate: a Lease that exists is not one to apply.
func TestAcquireWithoutTheRightToUpdate(t *testing.T) {
	inBubble(t, func(t *testing.T, s *leaseServer) {
		s.release(s.acquire("run 1"))
		s.faulty(writes(func(w http.ResponseWriter, _ *http.Request, _ apitest.Call) bool {
			apitest.Fail(w, apierrors.NewForbidden(leaseResource, "certsync-prod-eu", apitest.MissingRight("update", "leases")))
			return true
		}))
		_, err := s.locker("run 2").Acquire(t.Context())
		if err == nil || !strings.Contains(reconcile.Hint(err), "`certsync manifests` prints the rights") {
			t.Errorf("error is %v, hint %q", err, reconcile.Hint(err))
		}
	})
}

func TestAcquireSaysWhatIsMissing(t *testing.T) {
	for name, tc := range map[string]struct {
		fault     fault
		err, hint string
	}{
		"the right to create": {writes(func(w http.ResponseWriter, _ *http.Request, _ apitest.Call) bool {
			apitest.Fail(w, apierrors.NewForbidden(leaseResource, "", apitest.MissingRight("create", "leases")))
			return true
		}), `taking the lock kube-system/certsync-prod-eu: leases.coordination.k8s.io is forbidden`, "may not create it: apply the manifests' Lease (certsync manifests)"},
		"a namespace that may be written": {writes(func(w http.ResponseWriter, _ *http.Request, _ apitest.Call) bool {
			apitest.Fail(w, apierrors.NewForbidden(leaseResource, "", fmt.Errorf("%w: GKE Warden authz [denied by managed-namespaces-limitation]: "+
				`the namespace "kube-system" is managed and the request's verb "create" is denied`, apitest.MissingRight("create", "leases"))))
			return true
		}), `is managed and the request's verb "create" is denied`, "allow the request in the authorizer that this cluster has beside RBAC: its reason ends the message, and a right in RBAC may not be enough; or choose another namespace with --lock-namespace"},
		"a policy that allows it": {writes(func(w http.ResponseWriter, _ *http.Request, _ apitest.Call) bool {
			apitest.Fail(w, apierrors.NewForbidden(leaseResource, "", errors.New("ValidatingAdmissionPolicy 'no-leases' with binding 'b' denied request: no")))
			return true
		}), `denied request: no`, `ValidatingAdmissionPolicy "no-leases" denies it: let it allow the requests of the identity that runs certsync; or choose another namespace with --lock-namespace`},
		"the namespace": {writes(func(w http.ResponseWriter, _ *http.Request, _ apitest.Call) bool {
			apitest.Fail(w, apierrors.NewNotFound(apitest.Resource("", "namespaces"), "kube-system"))
			return true
		}), `namespaces "kube-system" not found`, "--lock-namespace"},
		"the server's time": {func(w http.ResponseWriter, r *http.Request, c apitest.Call) bool {
			defer w.Header().Del("Date")
			apitest.Fail(w, apierrors.NewNotFound(leaseResource, "certsync-prod-eu"))
			return true
		}, "no answer of https://cluster.test has its time (header Date)", "between certsync and the API server"},
		"the API server": {func(w http.ResponseWriter, r *http.Request, c apitest.Call) bool {
			apitest.Reply(w, http.StatusOK, apitest.Object{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"})
			return true
		}, "reading Lease kube-system/certsync-prod-eu: " + errNoLease.Error(), ""},
		"an answer": {hanging,
			"reading Lease kube-system/certsync-prod-eu: reaching https://cluster.test: context deadline exceeded", "check that --kubeconfig and --context name the right API server"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *leaseServer) {
				s.faulty(tc.fault)
				_, err := s.locker("run 1").Acquire(t.Context())
				if err == nil || !strings.Contains(err.Error(), tc.err) || !strings.Contains(reconcile.Hint(err), tc.hint) {
					t.Errorf("error is %v, hint %q", err, reconcile.Hint(err))
				}
			})
		})
	}
	t.Run("a holder", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *leaseServer) {
			if _, err := s.locker("").Acquire(t.Context()); err == nil || s.Called("") != nil {
				t.Errorf("error is %v", err)
			}
		})
	})
}
