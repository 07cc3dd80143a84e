package reconciletest

import (
	"context"

	"github.com/certsync/certsync/reconcile/access"
)

func (w *World) Anybody(context.Context) (access.Decision, error) {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	return w.Everybody, w.call("review anybody")
}
