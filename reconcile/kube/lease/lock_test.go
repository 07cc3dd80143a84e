package lease

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/apitest"
)

// micro is a time as a Lease has it.
func micro(t time.Time) *metav1.MicroTime { return &metav1.MicroTime{Time: t} }

// heldBy is a Lease that was taken and renewed at the server's times.
func heldBy(holder string, acquired, renewed time.Time) func(*coordinationv1.Lease) {
	return func(l *coordinationv1.Lease) {
		l.Spec = coordinationv1.LeaseSpec{
			HolderIdentity: new(holder), LeaseDurationSeconds: new(int32(60)), LeaseTransitions: new(int32(4)),
			AcquireTime: micro(acquired), RenewTime: micro(renewed),
		}
	}
}

func TestAcquireCreatesTheLease(t *testing.T) {
	inBubble(t, func(t *testing.T, s *leaseServer) {
		s.acquire("bot on host-1, run 1")
		got := s.lease()
		want := heldBy("bot on host-1, run 1", s.now(), s.now())
		expected := &coordinationv1.Lease{TypeMeta: got.TypeMeta, ObjectMeta: metav1.ObjectMeta{
			Name: "certsync-prod-eu", Namespace: "kube-system", UID: got.UID, ResourceVersion: got.ResourceVersion,
			Labels: map[string]string{"app.kubernetes.io/managed-by": "certsync", "certsync.dev/owner": "prod-eu"},
		}}
		want(expected)
		expected.Spec.LeaseTransitions = new(int32(0))
		if diff := cmp.Diff(expected, got); diff != "" {
			t.Error(diff)
		}
	})
}

// freeingCommand frees the Lease as it stands, and not once a run has renewed or taken it.
func (s *leaseServer) freeingCommand() string {
	return `kubectl patch lease -n kube-system certsync-prod-eu --type=merge -p '{"metadata":{"resourceVersion":"` +
		s.lease().ResourceVersion + `"},"spec":{"holderIdentity":""}}'`
}

func TestSecondRunIsLockedOut(t *testing.T) {
	inBubble(t, func(t *testing.T, s *leaseServer) {
		first := s.acquire("run 1")
		time.Sleep(40 * time.Second) // renewed at 15 and 30
		_, err := s.locker("run 2").Acquire(t.Context())
		var locked reconcile.Locked
		if !errors.As(err, &locked) {
			t.Fatalf("error is %v", err)
		}
		want := reconcile.Locked{Name: "kube-system/certsync-prod-eu", Holder: "run 1", Held: 40 * time.Second, Renewed: 10 * time.Second}
		if diff := cmp.Diff(want, locked); diff != "" {
			t.Error(diff)
		}
		if want := "it can be taken in 51s, unless that run renews it (--lock-timeout waits); " +
			"if that run is known to be dead, free it: " + s.freeingCommand(); reconcile.Hint(err) != want {
			t.Errorf("hint is %q", reconcile.Hint(err))
		}
		s.release(first)
		if got := s.lease(); holderOf(got) != "" {
			t.Errorf("released, it is held by %q", holderOf(got))
		}
		s.acquire("run 2")
		if got := s.lease(); holderOf(got) != "run 2" || *got.Spec.LeaseTransitions != 1 {
			t.Errorf("it is now %+v", got.Spec)
		}
	})
}

// The local clock is an hour behind the server's: by it, every Lease here was renewed in the future.
func TestTakeoverByTheServersClock(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(now time.Time) func(*coordinationv1.Lease)
		taken  bool
	}{
		"renewed 59 s ago":                {func(n time.Time) func(*coordinationv1.Lease) { return heldBy("x", n, n.Add(-59*time.Second)) }, false},
		"renewed 61 s ago":                {func(n time.Time) func(*coordinationv1.Lease) { return heldBy("x", n, n.Add(-61*time.Second)) }, true},
		"renewed now, and held by nobody": {func(n time.Time) func(*coordinationv1.Lease) { return heldBy("", n, n) }, true},
		"nothing in it":                   {func(time.Time) func(*coordinationv1.Lease) { return func(*coordinationv1.Lease) {} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *leaseServer) {
				s.edit(func(l *coordinationv1.Lease) {
					tc.change(s.now())(l)
					l.Labels, l.Annotations = map[string]string{"theirs": "1"}, map[string]string{"theirs": "2", generationAnnotation: "7"}
				})
				lock, err := s.locker("run 1").Acquire(t.Context())
				if !tc.taken {
					if !errors.As(err, new(reconcile.Locked)) {
						t.Errorf("error is %v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				s.release(lock)
				got := s.lease()
				if diff := cmp.Diff(map[string]string{"theirs": "2", generationAnnotation: "7"}, got.Annotations); diff != "" || got.Labels["theirs"] != "1" ||
					got.Labels["certsync.dev/owner"] != "prod-eu" || !got.Spec.AcquireTime.Time.Equal(s.now()) {
					t.Errorf("annotations %s; labels %v, acquired %s", diff, got.Labels, got.Spec.AcquireTime)
				}
			})
		})
	}
}

// Whatever somebody wrote into the Lease, it is either taken after a minute, or the message says how to take it.
func TestHostileLease(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*leaseServer, *coordinationv1.LeaseSpec)
		waits  time.Duration // until it is taken
		hint   string
	}{
		"a duration of a year": {func(_ *leaseServer, l *coordinationv1.LeaseSpec) { l.LeaseDurationSeconds = new(int32(31536000)) },
			60 * time.Second, "it can be taken in 1m1s"},
		"no duration": {func(_ *leaseServer, l *coordinationv1.LeaseSpec) { l.LeaseDurationSeconds = nil },
			60 * time.Second, "it can be taken in 1m1s"},
		"a negative duration": {func(_ *leaseServer, l *coordinationv1.LeaseSpec) { l.LeaseDurationSeconds = new(int32(-5)) },
			60 * time.Second, "it can be taken in 1m1s"},
		"a short duration": {func(_ *leaseServer, l *coordinationv1.LeaseSpec) { l.LeaseDurationSeconds = new(int32(5)) },
			5 * time.Second, "it can be taken in 6s"},
		"renewed in a thousand years": {func(_ *leaseServer, l *coordinationv1.LeaseSpec) {
			l.RenewTime = micro(time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC))
		}, 60 * time.Second, "its renewTime, 3000-01-01T00:00:00Z, lies in the future, so it can be taken only by a run that waits for 1m1s (--lock-timeout)"},
		"never renewed": {func(_ *leaseServer, l *coordinationv1.LeaseSpec) { l.RenewTime, l.AcquireTime = nil, nil },
			60 * time.Second, "the Lease has no renewTime, so it can be taken only by a run that waits for 1m1s (--lock-timeout)"},
		"taken in the future": {func(s *leaseServer, l *coordinationv1.LeaseSpec) { l.AcquireTime = micro(s.now().Add(time.Hour)) },
			60 * time.Second, "it can be taken in 1m1s"},
		"as many transitions as there can be": {func(_ *leaseServer, l *coordinationv1.LeaseSpec) { l.LeaseTransitions = new(int32(math.MaxInt32)) },
			60 * time.Second, "it can be taken in 1m1s"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *leaseServer) {
				s.edit(func(l *coordinationv1.Lease) {
					heldBy(strings.Repeat("mallory", 1000), s.now(), s.now())(l)
					tc.change(s, &l.Spec)
				})
				_, err := s.locker("run 1").Acquire(t.Context())
				var locked reconcile.Locked
				if !errors.As(err, &locked) || locked.Held != 0 || locked.Renewed != 0 || len(locked.Holder) > 300 {
					t.Errorf("locked is %+v, error %v", locked, err)
				}
				if hint := reconcile.Hint(err); !strings.HasPrefix(hint, tc.hint) ||
					!strings.HasSuffix(hint, s.freeingCommand()) {
					t.Errorf("hint is %q", hint)
				}
				l, start := s.locker("run 1"), time.Now()
				l.options.Timeout = 5 * time.Minute
				lock, err := l.Acquire(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				s.release(lock)
				if waited := time.Since(start); waited <= tc.waits || waited > tc.waits+lockPoll {
					t.Errorf("taken after %s, want %s", waited, tc.waits)
				}
				if n := *s.lease().Spec.LeaseTransitions; n != 5 && n != 0 {
					t.Errorf("%d transitions", n)
				}
			})
		})
	}
}

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
			if locked.Held != 5*time.Minute+time.Second || locked.Renewed > renewEvery {
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

func TestAcquireSaysWhatIsMissing(t *testing.T) {
	for name, tc := range map[string]struct {
		fault     fault
		err, hint string
	}{
		"the right to create": {writes(func(w http.ResponseWriter, _ *http.Request, _ apitest.Call) bool {
			apitest.Fail(w, apierrors.NewForbidden(leaseResource, "", apitest.MissingRight("create", "leases")))
			return true
		}), `taking the lock kube-system/certsync-prod-eu: leases.coordination.k8s.io is forbidden`, "the README lists the rights"},
		"the namespace": {writes(func(w http.ResponseWriter, _ *http.Request, _ apitest.Call) bool {
			apitest.Fail(w, apierrors.NewNotFound(apitest.Resource("", "namespaces"), "kube-system"))
			return true
		}), `namespaces "kube-system" not found`, "--lock-namespace"},
		"the server's time": {func(w http.ResponseWriter, r *http.Request, c apitest.Call) bool {
			defer w.Header().Del("Date")
			apitest.Fail(w, apierrors.NewNotFound(leaseResource, "certsync-prod-eu"))
			return true
		}, "no answer of https://cluster.test tells its time (header Date)", "between certsync and the API server"},
		"the API server": {func(w http.ResponseWriter, r *http.Request, c apitest.Call) bool {
			apitest.Reply(w, http.StatusOK, apitest.Object{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"})
			return true
		}, "reading Lease kube-system/certsync-prod-eu: " + errNoLease.Error(), ""},
		"an answer": {hanging,
			"reading Lease kube-system/certsync-prod-eu: reaching https://cluster.test: context deadline exceeded", "is the API server up"},
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
