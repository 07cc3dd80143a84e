package apply

import (
	"context"
	"strings"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
)

// askAuthorizer asks, once a run and before its first certificate, unless people approve, whether bindings decide what a certificate may do. If they
// do not, no certificates are asked for: a leaver's would keep all access. If the authorizer cannot be asked, the event of the
// first certificate says so.
func (r *issuing) askAuthorizer(ctx context.Context) {
	if r.asked || r.over() != nil {
		return
	}
	r.asked = true
	if r.Authorizer == nil {
		r.doubt = access.Decision{Unasked: "this run has no authorizer to ask"}.Doubt()
		return
	}
	decision, err := r.Authorizer.Anybody(ctx)
	if err == nil {
		err = decision.Refusal()
	}
	if err != nil {
		r.stop("certsync requests no certificate: %w", err)
		return
	}
	r.doubt = decision.Doubt()
}

// doubting adds the doubt to the note of the first step that is done.
func (r *issuing) doubting(do func(context.Context, reconcile.Step) (string, error)) func(context.Context, reconcile.Step) (string, error) {
	return func(ctx context.Context, s reconcile.Step) (string, error) {
		note, err := do(ctx, s)
		if err == nil && r.doubt != "" {
			note, r.doubt = strings.TrimPrefix(note+"; "+r.doubt, "; "), ""
		}
		return note, err
	}
}
