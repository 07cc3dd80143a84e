package apply

import (
	"context"
	"fmt"
	"sync"

	"github.com/certsync/certsync/reconcile"
)

// batches carries out the steps of no batch, and then one batch after the other. When no more certificates are asked for, the
// batches that are left do not begin: their users keep what they have. beforeIssue is called once, before the first batch gives anything.
func (r *run) batches(ctx context.Context, beforeIssue func()) {
	i, wait := issuing{run: r}, sync.OnceFunc(beforeIssue)
	for b := range r.last() + 1 {
		if stop := i.stopped.Load(); b > 0 && stop != nil {
			r.skip(b, *stop)
			continue
		}
		each(r.Workers, r.at(b, reconcile.StageRevoke), func(s reconcile.Step) { _ = r.attempt(ctx, s, r.revoke) })
		each(r.Workers, r.at(b, reconcile.StageLeave), func(s reconcile.Step) { r.beginRemoval(ctx, s) })
		r.stage(ctx, b, reconcile.StageUnbind)
		r.stage(ctx, b, reconcile.StageChange)
		r.stage(ctx, b, reconcile.StageRetire)
		each(r.Workers, r.at(b, reconcile.StageLeave), func(s reconcile.Step) { r.finishRemoval(ctx, s) })
		if len(r.steps[slot{b, reconcile.StageIssue}])+len(r.steps[slot{b, reconcile.StageGrant}]) > 0 {
			wait()
		}
		i.issueAll(ctx, b)
		r.stage(ctx, b, reconcile.StageGrant)
	}
}

// last is the number of the last batch.
func (r *run) last() (n int) {
	for at := range r.steps {
		n = max(n, at.batch)
	}
	return n
}

// skip ends the steps of a batch that is not begun.
func (r *run) skip(batch int, why error) {
	for _, s := range r.plan.Steps {
		if s.Batch == batch {
			r.end(s, "", notTried{fmt.Errorf("the batch did not begin, and its users keep their access: %w", why)})
		}
	}
}
