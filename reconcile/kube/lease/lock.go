package lease

import (
	"context"
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/inventory/shell"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/api"
	"github.com/certsync/certsync/reconcile/rights"
)

var _ reconcile.Locker = (*Locker)(nil)

const (
	// lockAttempt bounds each request, so that two attempts to renew fit into the time between renewEvery and trustedFor.
	lockAttempt = 10 * time.Second
	// lockPoll is the time between two attempts of a run that waits.
	lockPoll = 2 * time.Second
	// lockTries bounds the writes of a Lease that somebody else changes all the time.
	lockTries = 10
)

// Options say for which owner and run the lock is taken.
type Options struct {
	Owner   string
	Holder  string                 // unique name of this run, for others to read: identity, host and run
	Timeout time.Duration          // how long to wait while another run holds the lock; 0: not at all
	Waiting func(reconcile.Locked) // called once, before Acquire waits; may be nil
	Now     func() time.Time       // the machine's clock; nil: time.Now
}

// Locker takes the lock of an owner: the Lease certsync-<owner> in the lock namespace. All times in the Lease are the API
// server's, so the clocks of the machines that run certsync do not matter.
type Locker struct {
	client  *Client
	options Options
	first   sighting // of the Lease as it is now
}

// Locker returns the Locker of an owner. It sends nothing before Acquire.
func (c *Client) Locker(o Options) *Locker {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Locker{client: c, options: o}
}

// Acquire takes the lock if it is free, or if its holder did not renew it in time: for the duration in the Lease, which
// counts as one minute at most. Otherwise Acquire waits for Options.Timeout, and then returns a reconcile.Locked. Its hint
// says when the lock is free, and how to free it if the holder is known to be dead.
func (l *Locker) Acquire(ctx context.Context) (reconcile.Lock, error) {
	if l.options.Holder == "" {
		return nil, fmt.Errorf("%s: no holder is named, and a Lease without one is free", l.doing())
	}
	until := time.Now().Add(l.options.Timeout)
	for told := false; ; told = true {
		lock, err := l.try(ctx)
		if err == nil {
			return lock, nil
		}
		var other reconcile.Locked
		left := time.Until(until)
		if !errors.As(err, &other) || left <= 0 {
			return nil, err
		}
		if !told && l.options.Waiting != nil {
			l.options.Waiting(other)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for the lock %s: %w", l.client.name(l.options.Owner), context.Cause(ctx))
		case <-time.After(min(lockPoll, left)):
		}
	}
}

func (l *Locker) doing() string { return "taking the lock " + l.client.name(l.options.Owner) }

// try reads the Lease, and takes the lock if it is free. If another client was faster, try reads the Lease again.
func (l *Locker) try(ctx context.Context) (*heldLock, error) {
	for try := 1; ; try++ {
		current, err := l.read(ctx)
		if err != nil {
			return nil, err
		}
		now, ok := l.client.server.Clock.Now()
		if !ok {
			return nil, reconcile.WithHint(fmt.Errorf("%s: no answer of %s has its time (header Date)", l.doing(), l.client.server.Address),
				"find the proxy between certsync and the API server that removes the header")
		}
		if current != nil {
			if err := l.taken(current, now); err != nil {
				return nil, err
			}
		}
		lock, err := l.take(ctx, current, now)
		changed := apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || current != nil && apierrors.IsNotFound(err)
		switch {
		case err == nil:
			return lock, nil
		case changed && try == lockTries:
			return nil, reconcile.WithHint(fmt.Errorf("%s: it changed %d times meanwhile: %w", l.doing(), try, api.Brief(err)),
				"find out who writes to it: kubectl get lease --show-managed-fields -o yaml "+l.arguments())
		case !changed:
			return nil, l.failed(current, err)
		}
	}
}

func (l *Locker) read(ctx context.Context) (*coordinationv1.Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, lockAttempt)
	defer cancel()
	return l.client.read(ctx, l.options.Owner)
}

// take makes this run the Lease's holder.
func (l *Locker) take(ctx context.Context, current *coordinationv1.Lease, now time.Time) (*heldLock, error) {
	lease := current.DeepCopy()
	if lease == nil {
		lease = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
			Name: reconcile.LockName(l.options.Owner), Namespace: l.client.namespace,
		}}
	}
	take(lease, l.options.Owner, l.options.Holder, now)
	sent := time.Now()
	limited, cancel := context.WithTimeout(ctx, lockAttempt)
	defer cancel()
	got, err := l.client.write(limited, lease)
	if err != nil && unanswered(err) {
		got, err = l.settle(ctx, err)
	}
	if err != nil {
		return nil, err
	}
	return holdLock(l.client, l.options, got, sent), nil
}

// settle finds out whether the API server carried out a write without an answer. If so, this run has the lock. A run that is
// over frees it: otherwise the next run would wait a minute for nothing.
func (l *Locker) settle(ctx context.Context, failure error) (*coordinationv1.Lease, error) {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	got, err := l.client.read(limited, l.options.Owner)
	if err != nil || got == nil || holderOf(got) != l.options.Holder {
		return nil, failure
	}
	if ctx.Err() == nil {
		return got, nil
	}
	got.Spec.HolderIdentity = new(string)
	_, _ = l.client.write(limited, got)
	return nil, failure
}

// failed returns the error for the API server's answer to a write of the Lease. current is nil if there was none.
func (l *Locker) failed(current *coordinationv1.Lease, err error) error {
	rejected := api.RejectionOf(err)
	hint := ""
	switch {
	case apierrors.IsNotFound(err):
		hint = fmt.Sprintf("create namespace %q, or name another with --lock-namespace", l.client.namespace)
	case rejected.By == api.ByRBAC && current == nil:
		hint = rights.LeaseHint
	case rejected.By == api.ByAuthorizer, rejected.By == api.ByAdmission:
		hint = rejected.Hint + "; or choose another namespace with --lock-namespace"
	default:
		return l.client.server.Failed(l.doing(), err)
	}
	return reconcile.WithHint(fmt.Errorf("%s: %w", l.doing(), api.Brief(err)), hint)
}

// arguments returns kubectl's arguments for the Lease.
func (l *Locker) arguments() string {
	return fmt.Sprintf("-n %s %s", shell.Quote(l.client.namespace), shell.Quote(reconcile.LockName(l.options.Owner)))
}

// freeing returns the JSON merge patch that frees a Lease. The API server refuses it once the Lease has changed: when
// somebody pastes the command, another run may hold the lock.
func freeing(lease *coordinationv1.Lease) string {
	return fmt.Sprintf(`{"metadata":{"resourceVersion":%q},"spec":{"holderIdentity":""}}`, lease.ResourceVersion)
}

// sighting is the time at which a Locker first saw a Lease in a state, by the API server's clock.
type sighting struct {
	state string
	at    time.Time
}

// since returns the time at which a Lease was first seen with this holder and renewTime.
func (s *sighting) since(lease *coordinationv1.Lease, now time.Time) time.Time {
	if state := fmt.Sprintf("%s %q %s", lease.UID, holderOf(lease), lease.Spec.RenewTime); state != s.state {
		*s = sighting{state, now}
	}
	return s.at
}

// taken returns a reconcile.Locked while another run holds the Lease, and nil once it is free. A renewTime that is missing,
// or in the future, counts as the time at which this Locker first saw it. So a run that waits can take the lock a minute
// later, and the hint for a run that does not wait says so. A renewTime one or two seconds ahead is usual, since the clock is
// behind.
func (l *Locker) taken(lease *coordinationv1.Lease, now time.Time) error {
	holder := holderOf(lease)
	if holder == "" || holder == l.options.Holder {
		return nil
	}
	renewed := lease.Spec.RenewTime
	last := l.first.since(lease, now)
	if renewed != nil && renewed.Time.Before(last) {
		last = renewed.Time
	}
	ends := last.Add(durationOf(lease))
	if ends.Before(now) {
		return nil
	}
	age := now.Sub(last)
	if a := lease.Spec.AcquireTime; a != nil && a.Time.Before(now) {
		age = now.Sub(a.Time)
	}
	left := inventory.DurationText(ends.Sub(now).Truncate(time.Second) + time.Second) // from then on it is sure to be over
	when := fmt.Sprintf("the lock can be taken in %s, unless that run renews it; --lock-timeout sets how long to wait", left)
	switch {
	case renewed == nil:
		when = fmt.Sprintf("the Lease has no renewTime, so only a run that waits for %s can take it (--lock-timeout)", left)
	case renewed.Time.After(now.Add(leaseDuration)):
		when = fmt.Sprintf("its renewTime, %s, is in the future, so only a run that waits for %s can take it (--lock-timeout)",
			reconcile.TimeText(renewed.Time), left)
	}
	return reconcile.WithHint(
		reconcile.Locked{Name: l.client.name(l.options.Owner), Holder: api.Shorten(holder), Age: age, Renewed: now.Sub(last)},
		when+"; if you know that the run is dead, free the lock: kubectl patch lease "+l.arguments()+" --type=merge -p "+shell.Quote(freeing(lease)))
}
