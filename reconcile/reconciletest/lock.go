package reconciletest

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/certsync/certsync/reconcile"
)

// Acquire makes the world the lock as well: nobody else runs.
func (w *World) Acquire(context.Context) (reconcile.Lock, error) {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	return w, w.call("lock")
}

func (w *World) UntilLost(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	w.Lose = cancel
	return ctx, func() { cancel(nil) }
}

func (w *World) Record(_ context.Context, m reconcile.Mark) error {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	if err := w.call("mark at the lock"); err != nil {
		return err
	}
	w.Mark, w.Unleased = m, false
	return nil
}

func (w *World) RecordRevoked(_ context.Context, users map[string]time.Time) error {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	if err := w.call("revoke %s at the lock", slices.Sorted(maps.Keys(users))); err != nil {
		return err
	}
	w.Revoked = maps.Clone(users)
	return nil
}

func (w *World) Release(context.Context) error {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	return w.call("unlock")
}
