package lease

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certsync/certsync/reconcile"
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
		want := reconcile.Locked{Name: "kube-system/certsync-prod-eu", Holder: "run 1", Age: 40 * time.Second, Renewed: 10 * time.Second}
		if diff := cmp.Diff(want, locked); diff != "" {
			t.Error(diff)
		}
		if want := "the lock can be taken in 51s, unless that run renews it; --lock-timeout sets how long to wait; " +
			"if you know that the run is dead, free the lock: " + s.freeingCommand(); reconcile.Hint(err) != want {
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

// Every content of a Lease allows a run to take it after a minute, or the message says how to free it.
func TestHostileLease(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*leaseServer, *coordinationv1.LeaseSpec)
		waits  time.Duration // until it is taken
		hint   string
	}{
		"a duration of a year": {func(_ *leaseServer, l *coordinationv1.LeaseSpec) { l.LeaseDurationSeconds = new(int32(31536000)) },
			60 * time.Second, "the lock can be taken in 1m1s"},
		"no duration": {func(_ *leaseServer, l *coordinationv1.LeaseSpec) { l.LeaseDurationSeconds = nil },
			60 * time.Second, "the lock can be taken in 1m1s"},
		"a negative duration": {func(_ *leaseServer, l *coordinationv1.LeaseSpec) { l.LeaseDurationSeconds = new(int32(-5)) },
			60 * time.Second, "the lock can be taken in 1m1s"},
		"a short duration": {func(_ *leaseServer, l *coordinationv1.LeaseSpec) { l.LeaseDurationSeconds = new(int32(5)) },
			5 * time.Second, "the lock can be taken in 6s"},
		"renewed in a thousand years": {func(_ *leaseServer, l *coordinationv1.LeaseSpec) {
			l.RenewTime = micro(time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC))
		}, 60 * time.Second, "its renewTime, 3000-01-01T00:00:00Z, is in the future, so only a run that waits for 1m1s can take it (--lock-timeout)"},
		"never renewed": {func(_ *leaseServer, l *coordinationv1.LeaseSpec) { l.RenewTime, l.AcquireTime = nil, nil },
			60 * time.Second, "the Lease has no renewTime, so only a run that waits for 1m1s can take it (--lock-timeout)"},
		"taken in the future": {func(s *leaseServer, l *coordinationv1.LeaseSpec) { l.AcquireTime = micro(s.now().Add(time.Hour)) },
			60 * time.Second, "the lock can be taken in 1m1s"},
		"as many transitions as there can be": {func(_ *leaseServer, l *coordinationv1.LeaseSpec) { l.LeaseTransitions = new(int32(math.MaxInt32)) },
			60 * time.Second, "the lock can be taken in 1m1s"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *leaseServer) {
				s.edit(func(l *coordinationv1.Lease) {
					heldBy(strings.Repeat("mallory", 1000), s.now(), s.now())(l)
					tc.change(s, &l.Spec)
				})
				_, err := s.locker("run 1").Acquire(t.Context())
				var locked reconcile.Locked
				if !errors.As(err, &locked) || locked.Age != 0 || locked.Renewed != 0 || len(locked.Holder) > 300 {
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
