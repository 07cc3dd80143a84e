package kube

import (
	"context"
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

var _ reconcile.Locker = (*Locker)(nil)

const (
	// lockAttempt bounds each request of the lock, so that two attempts to renew fit into what trustedFor leaves.
	lockAttempt = 10 * time.Second
	// lockPoll is how often a run that waits looks.
	lockPoll = 2 * time.Second
	// lockTries bounds how often somebody who keeps touching the Lease can make certsync start over.
	lockTries = 10
)

// LockOptions say on whose behalf the lock is taken.
type LockOptions struct {
	Owner   string
	Holder  string                 // names this run to others, and is no other run's: identity, host and run
	Timeout time.Duration          // how long to wait while another run holds the lock; 0: not at all
	Waiting func(reconcile.Locked) // told once, when it begins to wait; may be nil
}

// Locker takes the lock of an owner: the Lease certsync-<owner> in the lock namespace. All times in it are the API
// server's, so that the clocks of the machines that run certsync don't matter.
type Locker struct {
	cluster *Cluster
	options LockOptions
	unclear sighting
}

// Locker returns the Locker of an owner. It sends nothing before Acquire.
func (c *Cluster) Locker(o LockOptions) *Locker { return &Locker{cluster: c, options: o} }

// Acquire takes the lock when nobody has it, or when its holder has not renewed it for as long as the Lease says, but
// for a minute at most. Otherwise it waits for LockOptions.Timeout and then returns a reconcile.Locked, whose hint says
// when the lock can be taken, and how to take it from a holder who is known to be dead.
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
			return nil, fmt.Errorf("waiting for the lock %s: %w", l.cluster.leaseName(l.options.Owner), context.Cause(ctx))
		case <-time.After(min(lockPoll, left)):
		}
	}
}

func (l *Locker) doing() string { return "taking the lock " + l.cluster.leaseName(l.options.Owner) }

// try looks, and takes what is free. When somebody was faster, it looks again.
func (l *Locker) try(ctx context.Context) (*heldLock, error) {
	for try := 1; ; try++ {
		current, err := l.look(ctx)
		if err != nil {
			return nil, err
		}
		now, ok := l.cluster.clock.now()
		if !ok {
			return nil, reconcile.WithHint(fmt.Errorf("%s: no answer of %s tells its time (header Date)", l.doing(), l.cluster.server),
				"does something between certsync and the API server take the header away?")
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
			return nil, reconcile.WithHint(fmt.Errorf("%s: it changed %d times meanwhile: %w", l.doing(), try, brief{err}),
				"look who writes to it: kubectl get lease --show-managed-fields -o yaml "+l.arguments())
		case !changed:
			return nil, l.failed(err)
		}
	}
}

func (l *Locker) look(ctx context.Context) (*coordinationv1.Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, lockAttempt)
	defer cancel()
	return l.cluster.lease(ctx, l.options.Owner)
}

// take writes this run's name into the Lease.
func (l *Locker) take(ctx context.Context, current *coordinationv1.Lease, now time.Time) (*heldLock, error) {
	lease := current.DeepCopy()
	if lease == nil {
		lease = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
			Name: reconcile.LockName(l.options.Owner), Namespace: l.cluster.lockNamespace,
		}}
	}
	take(lease, l.options.Owner, l.options.Holder, now)
	sent := time.Now()
	short, cancel := context.WithTimeout(ctx, lockAttempt)
	defer cancel()
	got, err := l.cluster.writeLease(short, lease)
	if err != nil && unanswered(err) {
		got, err = l.settle(ctx, err)
	}
	if err != nil {
		return nil, err
	}
	return holdLock(l.cluster, l.options, got, sent), nil
}

// settle looks what became of a write that got no answer: if the API server did it, the lock is this run's, and the next
// run would wait a minute for nobody. A run that is over gives it back.
func (l *Locker) settle(ctx context.Context, failure error) (*coordinationv1.Lease, error) {
	short, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	got, err := l.cluster.lease(short, l.options.Owner)
	if err != nil || got == nil || holderOf(got) != l.options.Holder {
		return nil, failure
	}
	if ctx.Err() == nil {
		return got, nil
	}
	got.Spec.HolderIdentity = new(string)
	_, _ = l.cluster.writeLease(short, got)
	return nil, failure
}

func (l *Locker) failed(err error) error {
	if apierrors.IsNotFound(err) {
		return reconcile.WithHint(fmt.Errorf("%s: %w", l.doing(), brief{err}),
			fmt.Sprintf("namespace %q has to exist; or name another with --lock-namespace", l.cluster.lockNamespace))
	}
	return l.cluster.failed(l.doing(), err)
}

// arguments name the Lease to kubectl.
func (l *Locker) arguments() string {
	return fmt.Sprintf("-n %s %s", inventory.ShellQuote(l.cluster.lockNamespace), inventory.ShellQuote(reconcile.LockName(l.options.Owner)))
}

// freeing is the JSON merge patch that frees a Lease. It is refused once the Lease has changed: by the time that somebody
// pastes it, a run that lives may hold it.
func freeing(lease *coordinationv1.Lease) string {
	return fmt.Sprintf(`{"metadata":{"resourceVersion":%q},"spec":{"holderIdentity":""}}`, lease.ResourceVersion)
}

// sighting is since when (the API server's time) a Lease has stood there as it does.
type sighting struct {
	what string
	at   time.Time
}

// since is when a Lease was first seen with this holder and renewTime.
func (s *sighting) since(lease *coordinationv1.Lease, now time.Time) time.Time {
	if what := fmt.Sprintf("%s %q %s", lease.UID, holderOf(lease), lease.Spec.RenewTime); what != s.what {
		*s = sighting{what, now}
	}
	return s.at
}

// taken returns a Locked while another run has the Lease. A renewTime that is missing, or in the future, counts as the
// moment at which this Locker first saw it: a run that waits takes the lock a minute later, one that does not wait is
// told how to. A second or two ahead is usual, since the clock is behind by as much.
func (l *Locker) taken(lease *coordinationv1.Lease, now time.Time) error {
	holder := holderOf(lease)
	if holder == "" || holder == l.options.Holder {
		return nil
	}
	renewed := lease.Spec.RenewTime
	last := l.unclear.since(lease, now)
	if renewed != nil && renewed.Time.Before(last) {
		last = renewed.Time
	}
	ends := last.Add(durationOf(lease))
	if ends.Before(now) {
		return nil
	}
	held := now.Sub(last)
	if a := lease.Spec.AcquireTime; a != nil && a.Time.Before(now) {
		held = now.Sub(a.Time)
	}
	left := ends.Sub(now).Truncate(time.Second) + time.Second // from then on it is sure to be over
	when := fmt.Sprintf("it can be taken in %s, unless that run renews it (--lock-timeout waits)", left)
	switch {
	case renewed == nil:
		when = fmt.Sprintf("the Lease has no renewTime, so it can be taken only by a run that waits for %s (--lock-timeout)", left)
	case renewed.Time.After(now.Add(leaseDuration)):
		when = fmt.Sprintf("its renewTime, %s, lies in the future, so it can be taken only by a run that waits for %s (--lock-timeout)",
			renewed.UTC().Format(time.RFC3339), left)
	}
	return reconcile.WithHint(
		reconcile.Locked{Name: l.cluster.leaseName(l.options.Owner), Holder: short(holder), Held: held, Renewed: now.Sub(last)},
		when+"; if that run is known to be dead, free it: kubectl patch lease "+l.arguments()+" --type=merge -p "+inventory.ShellQuote(freeing(lease)))
}
