package lease

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/apitest"
)

// lostWithin waits until the lock is lost, and returns when that was and why.
func lostWithin(t *testing.T, lock reconcile.Lock, limit time.Duration) (after time.Duration, why string) {
	t.Helper()
	held, cancel := lock.UntilLost(t.Context())
	defer cancel()
	start := time.Now()
	select {
	case <-held.Done():
	case <-time.After(limit):
		t.Fatalf("still held after %s", limit)
	}
	cause := context.Cause(held)
	if !errors.Is(cause, reconcile.ErrLockLost) {
		t.Fatalf("the context ended because of %v", cause)
	}
	later, cancelLater := lock.UntilLost(t.Context())
	defer cancelLater()
	if !errors.Is(context.Cause(later), reconcile.ErrLockLost) {
		t.Error("a later context has not ended")
	}
	return time.Since(start), cause.Error()
}

// heldFor fails if the lock is lost in that time.
func heldFor(t *testing.T, lock reconcile.Lock, d time.Duration) {
	t.Helper()
	held, cancel := lock.UntilLost(t.Context())
	defer cancel()
	select {
	case <-held.Done():
		t.Fatalf("the context ended because of %v", context.Cause(held))
	case <-time.After(d):
	}
}

func TestLockIsRenewed(t *testing.T) {
	inBubble(t, func(t *testing.T, s *leaseServer) {
		lock := s.acquire("run 1")
		heldFor(t, lock, 10*time.Minute+time.Second)
		if n, last := len(s.Called("PUT")), s.lease().Spec.RenewTime.Time; n != 40 || !last.Equal(s.now().Add(-time.Second)) {
			t.Errorf("renewed %d times, last at %s (now %s)", n, last, s.now())
		}
		if got := s.lease().Spec; !got.AcquireTime.Time.Equal(s.now().Add(-10*time.Minute-time.Second)) || *got.LeaseTransitions != 0 {
			t.Errorf("the Lease says %+v", got)
		}
	})
}

func TestRenewalGoesOn(t *testing.T) {
	annotate := func(s *leaseServer) {
		s.edit(func(l *coordinationv1.Lease) { l.Annotations = map[string]string{"theirs": "new"} })
	}
	for name, tc := range map[string]struct {
		fault   func(s *leaseServer) fault
		renewed time.Duration // when, after the lock was taken
	}{
		"somebody annotated the Lease": {func(s *leaseServer) fault {
			annotate(s)
			return nil
		}, 15 * time.Second},
		"somebody is faster, again and again": {func(s *leaseServer) fault {
			times := 0
			return writes(func(http.ResponseWriter, *http.Request, apitest.Call) bool {
				if times++; times < 5 {
					annotate(s)
				}
				return false
			})
		}, 15 * time.Second},
		"one attempt hangs":   {func(*leaseServer) fault { return writes(once(hanging)) }, 27 * time.Second},
		"one attempt fails":   {func(*leaseServer) fault { return writes(once(unavailable)) }, 17 * time.Second},
		"one gets no answer":  {func(s *leaseServer) fault { return writes(once(s.swallowed)) }, 17 * time.Second},
		"one cannot look why": {func(s *leaseServer) fault { annotate(s); return reads(once(unavailable)) }, 17 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *leaseServer) {
				lock := s.acquire("run 1")
				s.faulty(tc.fault(s))
				heldFor(t, lock, 28*time.Second)
				if last := s.lease().Spec.RenewTime.Time; !last.Equal(s.now().Add(tc.renewed - 28*time.Second).Truncate(time.Second)) {
					t.Errorf("renewed at %s, now %s", last, s.now())
				}
				if a := s.lease().Annotations["theirs"]; strings.HasPrefix(name, "somebody") && a != "new" {
					t.Error("their annotation is gone")
				}
				heldFor(t, lock, 5*time.Minute)
			})
		})
	}
}

func TestLockIsLost(t *testing.T) {
	for name, tc := range map[string]struct {
		happens func(s *leaseServer)
		after   time.Duration
		why     string
	}{
		"another took it": {func(s *leaseServer) { s.edit(heldBy("run 2", s.now(), s.now())) },
			15 * time.Second, `Lease kube-system/certsync-prod-eu was taken by "run 2"`},
		"it was deleted": {func(s *leaseServer) { s.remove() },
			15 * time.Second, "Lease kube-system/certsync-prod-eu was deleted"},
		"it was made anew with the same holder": {func(s *leaseServer) { s.remove(); s.edit(heldBy("run 1", s.now(), s.now())) },
			15 * time.Second, `was deleted and created again, by "run 1"`},
		"renewals fail": {func(s *leaseServer) { s.faulty(unavailable) },
			40 * time.Second, "could not be renewed for 40s: Internal error occurred"},
		"renewals hang": {func(s *leaseServer) { s.faulty(hanging) },
			40 * time.Second, "could not be renewed for 40s: reaching https://cluster.test: context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *leaseServer) {
				lock := s.acquire("run 1")
				tc.happens(s)
				after, why := lostWithin(t, lock, time.Minute)
				if after != tc.after || !strings.Contains(why, tc.why) {
					t.Errorf("after %s: %s", after, why)
				}
				if err := lock.Record(t.Context(), reconcile.Mark{Generation: 1}); !errors.Is(err, reconcile.ErrLockLost) {
					t.Errorf("recording: %v", err)
				}
				s.faulty(nil)
				before, calls := s.lease(), len(s.Called(""))
				s.release(lock)
				time.Sleep(time.Minute)
				if n := len(s.Called("")); n != calls || before != nil && s.lease().ResourceVersion != before.ResourceVersion {
					t.Errorf("a lost lock was touched, by %d requests", n-calls)
				}
			})
		})
	}
}

// The 40 s count from when the renewal was sent, not from its answer.
func TestSlowRenewalCountsFromWhenItWasSent(t *testing.T) {
	inBubble(t, func(t *testing.T, s *leaseServer) {
		lock := s.acquire("run 1")
		s.faulty(writes(once(func(http.ResponseWriter, *http.Request, apitest.Call) bool {
			time.Sleep(9 * time.Second)
			s.faulty(hanging)
			return false
		})))
		if after, why := lostWithin(t, lock, time.Minute); after != 55*time.Second {
			t.Errorf("after %s: %s", after, why)
		}
	})
}

// The machine slept, or the API server's clock was set. So the time of a renewal was out of date when it was sent.
func TestRenewalThatIsOutOfDateIsSentAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, s *leaseServer) {
		lock := s.acquire("run 1")
		right := s.date
		s.dated(func() string { return s.now().Add(-time.Hour).UTC().Format(http.TimeFormat) })
		if _, err := lock.(*heldLock).client.read(t.Context(), "prod-eu"); err != nil {
			t.Fatal(err)
		}
		s.dated(right)
		heldFor(t, lock, 16*time.Second)
		if last := s.lease().Spec.RenewTime.Time; !last.Equal(s.now().Add(-time.Second)) {
			t.Errorf("renewed at %s, now %s", last, s.now())
		}
	})
}

// TestSleep: a machine that slept for too long has lost the lock before it renews, though no timer counts that time.
func TestSleep(t *testing.T) {
	inBubble(t, func(t *testing.T, s *leaseServer) {
		var slept atomic.Int64
		lock, err := s.client().Locker(Options{Owner: "prod-eu", Holder: "run 1", Now: func() time.Time { return time.Now().Add(time.Duration(slept.Load())) }}).Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		heldFor(t, lock, 20*time.Second)
		renewals := s.lease().ResourceVersion
		slept.Store(int64(2 * time.Minute))
		lost, cancel := lock.UntilLost(t.Context())
		defer cancel()
		select {
		case <-lost.Done():
		case <-time.After(2 * time.Second):
		}
		if !errors.Is(context.Cause(lost), reconcile.ErrLockLost) || s.lease().ResourceVersion != renewals {
			t.Errorf("%v; renewals %s, then %s", context.Cause(lost), renewals, s.lease().ResourceVersion)
		}
	})
}

func TestRecordStays(t *testing.T) {
	inBubble(t, func(t *testing.T, s *leaseServer) {
		lock := s.acquire("run 1")
		if err := lock.Record(t.Context(), reconcile.Mark{Generation: 41, Epochs: 7}); err != nil {
			t.Fatal(err)
		}
		kept := func() {
			t.Helper()
			if got, _, _, err := s.client().Mark(t.Context(), "prod-eu"); got != (reconcile.Mark{Generation: 41, Epochs: 7}) || err != nil {
				t.Errorf("%+v, error %v", got, err)
			}
		}
		kept()
		s.edit(func(l *coordinationv1.Lease) {
			l.Annotations[generationAnnotation], l.Annotations[epochsAnnotation] = "1", "1"
		})
		heldFor(t, lock, 20*time.Second)
		kept()
		s.faulty(writes(once(unavailable)))
		if err := lock.Record(t.Context(), reconcile.Mark{Generation: 42, Epochs: 8}); err == nil || !strings.Contains(err.Error(), "recording the run in the lock kube-system/certsync-prod-eu: ") {
			t.Errorf("error is %v", err)
		}
		heldFor(t, lock, 20*time.Second)
		kept()
		s.release(lock)
		kept()
	})
}

// A renewal hangs while Record wants to write: it waits for its turn, then writes.
func TestRecordWaitsForTheRenewal(t *testing.T) {
	inBubble(t, func(t *testing.T, s *leaseServer) {
		lock := s.acquire("run 1")
		s.faulty(writes(once(hanging)))
		time.Sleep(16 * time.Second)
		start := time.Now()
		if err := lock.Record(t.Context(), reconcile.Mark{Generation: 5}); err != nil || time.Since(start) != 9*time.Second {
			t.Errorf("error %v after %s", err, time.Since(start))
		}
	})
}

func TestRelease(t *testing.T) {
	none := func(*leaseServer) fault { return nil }
	for name, tc := range map[string]struct {
		fault func(s *leaseServer) fault
		after time.Duration // of the fault
		takes time.Duration
	}{
		"nothing goes wrong": {none, 0, 0},
		"somebody annotates": {func(s *leaseServer) fault {
			return writes(once(func(http.ResponseWriter, *http.Request, apitest.Call) bool {
				s.edit(func(l *coordinationv1.Lease) { l.Annotations = map[string]string{"theirs": "new"} })
				return false
			}))
		}, 0, 0},
		"one attempt fails":            {func(*leaseServer) fault { return writes(once(unavailable)) }, 0, time.Second},
		"one attempt gets no answer":   {func(s *leaseServer) fault { return writes(once(s.swallowed)) }, 0, 0},
		"a renewal is still under way": {func(*leaseServer) fault { return writes(once(hanging)) }, 16 * time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *leaseServer) {
				lock := s.acquire("run 1")
				held, cancelHeld := lock.UntilLost(t.Context())
				defer cancelHeld()
				s.faulty(tc.fault(s))
				time.Sleep(tc.after)
				ctx, cancel := context.WithCancel(t.Context())
				cancel() // the run was interrupted
				start := time.Now()
				if err := lock.Release(ctx); err != nil || time.Since(start) != tc.takes {
					t.Errorf("error %v after %s", err, time.Since(start))
				}
				<-held.Done()
				if cause := context.Cause(held); errors.Is(cause, reconcile.ErrLockLost) || holderOf(s.lease()) != "" {
					t.Errorf("ended because of %v; holder is %q", cause, holderOf(s.lease()))
				}
				calls := len(s.Called(""))
				time.Sleep(time.Minute)
				if n := len(s.Called("")); n != calls {
					t.Errorf("%d requests after the release", n-calls)
				}
			})
		})
	}
	t.Run("the API server is gone", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *leaseServer) {
			lock := s.acquire("run 1")
			s.faulty(hanging)
			start := time.Now()
			err := lock.Release(t.Context())
			if err == nil || time.Since(start) != releaseTimeout || !strings.Contains(reconcile.Hint(err), "the next run can take the lock in 1m") {
				t.Errorf("error %v after %s, hint %q", err, time.Since(start), reconcile.Hint(err))
			}
		})
	})
	t.Run("another has it since the last renewal", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *leaseServer) {
			lock := s.acquire("run 1")
			s.edit(heldBy("run 2", s.now(), s.now()))
			if s.release(lock); holderOf(s.lease()) != "run 2" {
				t.Errorf("it is now held by %q", holderOf(s.lease()))
			}
		})
	})
}
