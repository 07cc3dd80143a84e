package lease

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/api"
)

var _ reconcile.Lock = (*heldLock)(nil)

const (
	renewEvery = 15 * time.Second // after the last renewal was sent
	renewRetry = 2 * time.Second  // after one that failed
	// trustedFor is the time after the last successful renewal was sent in which this run relies on the lock. Another run
	// may take it a leaseDuration after the time in that renewal. That time is at most 11 s behind, the lag of api.Clock. So
	// a write that began in time has about nine seconds to end.
	trustedFor = 40 * time.Second
	// releaseTimeout bounds the release. It also counts when the run is over.
	releaseTimeout = 5 * time.Second
	// staleRenewal is the age that a renewal's time may have when it is sent: more than the 11 s lag of api.Clock. It is
	// older if the machine slept, or the API server's clock was set. Then another run may take the lock at any time.
	staleRenewal = 15 * time.Second
	// sleepCheck is how soon a run that slept notices it. Timers do not count the time in which a machine sleeps.
	sleepCheck = time.Second
)

var errReleased = errors.New("the lock was given up")

// heldLock is a lock that this run holds. It renews the Lease until the lock is released or lost.
type heldLock struct {
	client  *Client
	options Options

	held    context.Context // ends when the lock was released or lost
	end     context.CancelCauseFunc
	expiry  *time.Timer   // loses the lock; every renewal sets it back
	stopped chan struct{} // closed: nothing is renewed any more

	turn     chan struct{} // holds one token: its sender may write, and use the next two fields
	lease    *coordinationv1.Lease
	recorded annotations // that this run has written

	mu      sync.Mutex
	failure error     // of the last write
	renewed time.Time // when the last good renewal was sent, by the machine's clock
}

// holdLock starts to renew a lease that this run has taken. sent is the time at which the write was sent.
func holdLock(c *Client, o Options, lease *coordinationv1.Lease, sent time.Time) *heldLock {
	h := &heldLock{client: c, options: o, lease: lease, stopped: make(chan struct{}), turn: make(chan struct{}, 1)}
	h.held, h.end = context.WithCancelCause(context.Background())
	h.renewed = h.wall(sent)
	h.expiry = time.AfterFunc(time.Until(sent.Add(trustedFor)), h.expire)
	go h.renewUntilOver(sent)
	return h
}

// UntilLost returns a context that ends with ctx, or when the lock is lost. Then its cause is a reconcile.ErrLockLost that says
// how the lock was lost.
func (h *heldLock) UntilLost(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if h.held.Err() != nil {
		cancel(context.Cause(h.held))
	}
	stop := context.AfterFunc(h.held, func() { cancel(context.Cause(h.held)) })
	return ctx, func() { stop(); cancel(nil) }
}

// annotations are values by name. An empty value stands for an annotation that is not there.
type annotations map[string]string

// Record writes a mark into annotations of the Lease, and renews it. Every later renewal writes the mark again, also if others
// have changed it.
func (h *heldLock) Record(ctx context.Context, m reconcile.Mark) error {
	return h.record(ctx, "recording the run in the lock ", annotations{
		generationAnnotation: strconv.FormatInt(m.Generation, 10), epochsAnnotation: strconv.FormatInt(m.Epochs, 10),
	})
}

// RecordRevoked writes into an annotation of the Lease which users' certificates are void, in place of those that it had. Without
// users it takes the annotation away.
func (h *heldLock) RecordRevoked(ctx context.Context, users map[string]time.Time) error {
	return h.record(ctx, "recording revocations in the lock ", annotations{revokedAnnotation: revokedText(users)})
}

func (h *heldLock) record(ctx context.Context, doing string, more annotations) error {
	ctx, cancel := h.UntilLost(ctx)
	defer cancel()
	err := h.write(ctx, more)
	doing += h.name()
	switch lost := context.Cause(h.held); {
	case err == nil:
		return nil
	case lost != nil:
		return fmt.Errorf("%s: %w", doing, lost)
	}
	return h.client.server.Failed(doing, err)
}

// Release frees the Lease, in at most 5 s, also if ctx is over. The mark stays in the Lease.
func (h *heldLock) Release(ctx context.Context) error {
	h.end(errReleased)
	h.expiry.Stop()
	<-h.stopped
	if context.Cause(h.held) != errReleased {
		return nil // the lock is lost: another run may hold it
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
			return reconcile.WithHint(h.client.server.Failed("giving the lock "+h.name()+" up", err),
				fmt.Sprintf("this changes nothing else: the next run can take the lock in %s", inventory.DurationText(leaseDuration)))
		}
	}
}

func (h *heldLock) name() string { return h.client.name(h.options.Owner) }

// renewUntilOver renews until the lock is released or lost.
func (h *heldLock) renewUntilOver(sent time.Time) {
	defer close(h.stopped)
	next := sent.Add(renewEvery)
	for {
		select {
		case <-h.held.Done():
			return
		case <-time.After(min(time.Until(next), sleepCheck)):
		}
		if h.slept() {
			h.lose(fmt.Sprintf("the last renewal of Lease %s was more than %s ago: this machine slept, or its clock was set", h.name(), trustedFor))
			return
		}
		if time.Until(next) > 0 {
			continue
		}
		next = time.Now().Add(renewEvery)
		if h.write(h.held, nil) != nil {
			next = time.Now().Add(renewRetry)
		}
	}
}

// wall is a time by the machine's clock alone, which goes on while the machine sleeps.
func (h *heldLock) wall(t time.Time) time.Time { return h.options.Now().Add(-time.Since(t)).Round(0) }

// slept reports whether the last good renewal is older than the run may rely on, by the machine's clock.
func (h *heldLock) slept() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.wall(time.Now()).Sub(h.renewed) > trustedFor
}

// expire loses the lock because the last renewal is too old. The next one may be under way; it ends with the lock.
func (h *heldLock) expire() {
	h.mu.Lock()
	failure := h.failure
	h.mu.Unlock()
	reason := fmt.Sprintf("Lease %s could not be renewed for %s", h.name(), trustedFor)
	if failure != nil {
		reason = h.client.server.Failed(reason, failure).Error()
	}
	h.lose(reason)
}

func (h *heldLock) lose(reason string) { h.end(fmt.Errorf("%w: %s", reconcile.ErrLockLost, reason)) }

// write renews the Lease, and records annotations beside those that the run has recorded before. Only one write is under way at
// a time.
func (h *heldLock) write(ctx context.Context, more annotations) error {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, lockAttempt)
	defer cancel()
	all := annotations{}
	maps.Copy(all, h.recorded)
	maps.Copy(all, more)
	err := h.send(ctx, all)
	for try := 1; again(err) && try < lockTries; try++ {
		if err = h.reread(ctx); err == nil {
			err = h.send(ctx, all)
		}
	}
	if err == nil {
		h.recorded = all
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failure = err
	return err
}

var errStale = errors.New("the time of the renewal was out of date when it was sent")

// again reports whether a write can succeed after the Lease is read again.
func again(err error) bool {
	return errors.Is(err, errStale) || apierrors.IsConflict(err) || apierrors.IsNotFound(err)
}

// send writes the Lease as it was last read, renewed now.
func (h *heldLock) send(ctx context.Context, recorded annotations) error {
	lease := h.lease.DeepCopy()
	now, _ := h.client.server.Clock.Now() // Acquire has made sure that the time is known
	renew(lease, h.options.Owner, now)
	if lease.Annotations == nil {
		lease.Annotations = map[string]string{}
	}
	maps.Copy(lease.Annotations, recorded)
	maps.DeleteFunc(lease.Annotations, func(name, value string) bool {
		_, ours := recorded[name]
		return ours && value == ""
	})
	sent := time.Now()
	got, err := h.client.write(ctx, lease)
	if err != nil {
		return err
	}
	h.lease = got
	if then, _ := h.client.server.Clock.Now(); then.Sub(now)-time.Since(sent) > staleRenewal {
		return errStale
	}
	if h.held.Err() == nil {
		h.expiry.Reset(time.Until(sent.Add(trustedFor)))
		h.mu.Lock()
		defer h.mu.Unlock()
		h.renewed = h.wall(sent)
	}
	return nil
}

// reread reads the Lease, and loses the lock if it is not this run's any more. Others may have changed the Lease, or the
// answer to a write may be lost.
func (h *heldLock) reread(ctx context.Context) error {
	current, err := h.client.read(ctx, h.options.Owner)
	switch {
	case err != nil:
		return err
	case current == nil:
		h.lose(fmt.Sprintf("Lease %s was deleted", h.name()))
	case current.UID != h.lease.UID:
		h.lose(fmt.Sprintf("Lease %s was deleted and created again, by %q", h.name(), api.Shorten(holderOf(current))))
	case holderOf(current) != h.options.Holder:
		h.lose(fmt.Sprintf("Lease %s was taken by %q", h.name(), api.Shorten(holderOf(current))))
	default:
		h.lease = current
		return nil
	}
	return context.Cause(h.held)
}

// free writes the Lease without a holder. It does not change a Lease that is not this run's any more.
func (h *heldLock) free(ctx context.Context) error {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	lease := h.lease.DeepCopy()
	lease.Spec.HolderIdentity = new(string)
	_, err := h.client.write(ctx, lease)
	if err == nil {
		return nil
	}
	current, readErr := h.client.read(ctx, h.options.Owner)
	switch {
	case readErr != nil:
		return err
	case current == nil || current.UID != h.lease.UID || holderOf(current) != h.options.Holder:
		return nil
	}
	h.lease = current
	return err
}
