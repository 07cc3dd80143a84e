package kube

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/certsync/certsync/reconcile"
)

var _ reconcile.Lock = (*heldLock)(nil)

const (
	renewEvery = 15 * time.Second // after the last renewal was sent
	renewRetry = 2 * time.Second  // after one that failed
	// trustedFor is how long after the last successful renewal was sent the lock is relied on. Others may take it a
	// leaseDuration after the time in that renewal, which is behind by maxLag and a second at most: what was begun in
	// time has some nine seconds to end.
	trustedFor = 40 * time.Second
	// releaseTimeout is what giving the lock up gets, on top of a run that may be over.
	releaseTimeout = 5 * time.Second
	// staleRenewal is how old a renewal's time may be when it is sent, more than maxLag and a second. It is older when the
	// machine was asleep, or the API server's clock was set, and others may then take the lock at any time.
	staleRenewal = 15 * time.Second
)

var errReleased = errors.New("the lock was given up")

// heldLock is a Lease with this run's name in it, renewed until it is released or lost.
type heldLock struct {
	cluster *Cluster
	options LockOptions

	held    context.Context // ends when the lock was released or lost
	end     context.CancelCauseFunc
	expiry  *time.Timer   // loses the lock; every renewal sets it back
	stopped chan struct{} // closed: nothing is renewed any more

	turn       chan struct{} // whoever has put something in may write, and use what is below
	lease      *coordinationv1.Lease
	generation *int64 // recorded

	mu      sync.Mutex
	failure error // why the last write failed
}

// holdLock begins to renew a lease that was taken by a write sent at that time.
func holdLock(c *Cluster, o LockOptions, lease *coordinationv1.Lease, sent time.Time) *heldLock {
	h := &heldLock{cluster: c, options: o, lease: lease, stopped: make(chan struct{}), turn: make(chan struct{}, 1)}
	h.held, h.end = context.WithCancelCause(context.Background())
	h.expiry = time.AfterFunc(time.Until(sent.Add(trustedFor)), h.expire)
	go h.keep(sent)
	return h
}

// Held returns a context that ends with ctx, and when the lock is lost: its cause is then a reconcile.ErrLockLost that
// says how it was lost.
func (h *heldLock) Held(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if h.held.Err() != nil {
		cancel(context.Cause(h.held))
	}
	stop := context.AfterFunc(h.held, func() { cancel(context.Cause(h.held)) })
	return ctx, func() { stop(); cancel(nil) }
}

// Record writes the generation into an annotation of the Lease, which is a renewal too. Later renewals write it again,
// whatever others did to it.
func (h *heldLock) Record(ctx context.Context, generation int64) error {
	ctx, cancel := h.Held(ctx)
	defer cancel()
	err := h.write(ctx, &generation)
	doing := "recording the run in the lock " + h.name()
	switch lost := context.Cause(h.held); {
	case err == nil:
		return nil
	case lost != nil:
		return fmt.Errorf("%s: %w", doing, lost)
	}
	return h.cluster.failed(doing, err)
}

// Release takes this run's name out of the Lease; the generation stays. It has 5 s, also when ctx is over.
func (h *heldLock) Release(ctx context.Context) error {
	h.end(errReleased)
	h.expiry.Stop()
	<-h.stopped
	if context.Cause(h.held) != errReleased {
		return nil // it is whoever's has it now
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	for {
		err := h.free(ctx)
		if err == nil {
			return nil
		}
		if !apierrors.IsConflict(err) {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return reconcile.WithHint(h.cluster.failed("giving the lock "+h.name()+" up", err),
				fmt.Sprintf("nothing else is wrong: the next run can take it in %s", leaseDuration))
		}
	}
}

func (h *heldLock) name() string { return h.cluster.leaseName(h.options.Owner) }

// keep renews until the lock is released or lost.
func (h *heldLock) keep(sent time.Time) {
	defer close(h.stopped)
	next := sent.Add(renewEvery)
	for {
		select {
		case <-h.held.Done():
			return
		case <-time.After(time.Until(next)):
		}
		next = time.Now().Add(renewEvery)
		if h.write(h.held, nil) != nil {
			next = time.Now().Add(renewRetry)
		}
	}
}

// expire is called when the last renewal is too old. The next one may be under way; it ends with the lock.
func (h *heldLock) expire() {
	h.mu.Lock()
	failure := h.failure
	h.mu.Unlock()
	why := fmt.Sprintf("Lease %s could not be renewed for %s", h.name(), trustedFor)
	if failure != nil {
		why = h.cluster.failed(why, failure).Error()
	}
	h.lose(why)
}

func (h *heldLock) lose(why string) { h.end(fmt.Errorf("%w: %s", reconcile.ErrLockLost, why)) }

// write renews the Lease, with a generation if there is one to be recorded. Only one write is under way at a time.
func (h *heldLock) write(ctx context.Context, generation *int64) error {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, lockAttempt)
	defer cancel()
	if generation == nil {
		generation = h.generation
	}
	err := h.send(ctx, generation)
	for try := 1; again(err) && try < lockTries; try++ {
		if err = h.reread(ctx); err == nil {
			err = h.send(ctx, generation)
		}
	}
	if err == nil {
		h.generation = generation
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failure = err
	return err
}

var errStale = errors.New("the time of the renewal was out of date when it was sent")

// again reports whether a write may do better after another look.
func again(err error) bool {
	return errors.Is(err, errStale) || apierrors.IsConflict(err) || apierrors.IsNotFound(err)
}

// send writes the Lease as it was last seen, renewed now.
func (h *heldLock) send(ctx context.Context, generation *int64) error {
	lease := h.lease.DeepCopy()
	now, _ := h.cluster.clock.now() // taking the lock has asked before
	renew(lease, h.options.Owner, now)
	if generation != nil {
		if lease.Annotations == nil {
			lease.Annotations = map[string]string{}
		}
		lease.Annotations[GenerationAnnotation] = strconv.FormatInt(*generation, 10)
	}
	sent := time.Now()
	got, err := h.cluster.writeLease(ctx, lease)
	if err != nil {
		return err
	}
	h.lease = got
	if then, _ := h.cluster.clock.now(); then.Sub(now)-time.Since(sent) > staleRenewal {
		return errStale
	}
	if h.held.Err() == nil {
		h.expiry.Reset(time.Until(sent.Add(trustedFor)))
	}
	return nil
}

// reread looks whether the Lease is still this run's. It may have been touched, or a write may have got no answer.
func (h *heldLock) reread(ctx context.Context) error {
	current, err := h.cluster.lease(ctx, h.options.Owner)
	switch {
	case err != nil:
		return err
	case current == nil:
		h.lose(fmt.Sprintf("Lease %s was deleted", h.name()))
	case current.UID != h.lease.UID:
		h.lose(fmt.Sprintf("Lease %s was deleted and made anew, by %q", h.name(), short(holderOf(current))))
	case holderOf(current) != h.options.Holder:
		h.lose(fmt.Sprintf("Lease %s was taken by %q", h.name(), short(holderOf(current))))
	default:
		h.lease = current
		return nil
	}
	return context.Cause(h.held)
}

// free writes the Lease without a holder. What is no longer this run's is left as it is.
func (h *heldLock) free(ctx context.Context) error {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	lease := h.lease.DeepCopy()
	lease.Spec.HolderIdentity = new(string)
	_, err := h.cluster.writeLease(ctx, lease)
	if err == nil {
		return nil
	}
	current, lookErr := h.cluster.lease(ctx, h.options.Owner)
	switch {
	case lookErr != nil:
		return err
	case current == nil || current.UID != h.lease.UID || holderOf(current) != h.options.Holder:
		return nil
	}
	h.lease = current
	return err
}
