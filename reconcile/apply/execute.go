package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
)

// Executor carries out a plan. Each write is check-and-set or has a precondition, so a plan that the world has left
// behind fails step by step instead of undoing somebody's work.
type Executor struct {
	Bindings    reconcile.BindingWriter
	Policies    reconcile.PolicyWriter
	Store       reconcile.StoreWriter
	Issuer      reconcile.Issuer
	Login       reconcile.Authenticator
	Kubeconfigs reconcile.KubeconfigWriter
	// Authorizer is asked before the first certificate of a run, unless it is WithoutCanary. Nil: the run says that it was not asked.
	Authorizer access.Authorizer

	Now func() time.Time // time.Now outside of tests
	// Workers bounds how many users, and how many bindings, are worked on at once. At least 1.
	Workers int
	// WithoutCanary asks for all certificates at once, without waiting for the first to prove itself. It is for people who
	// approve: they would be asked for one, and for the rest some time after they have left.
	WithoutCanary bool
	// RunID is on every event, in the state and on our approvals.
	RunID string
	// Revision is the commit of the inventory, which is noted in ledger records; "": nobody told.
	Revision string
	// LastStep is how long steps have to end after an interruption; 0: reconcile.LastStep.
	LastStep time.Duration
	// Report is called for every step as it ends, by one goroutine at a time.
	Report func(reconcile.Event)
	// BeforeIssue is called once: after the removals, before the first certificate is asked for and before anybody is bound who has
	// nothing yet. The run goes on when it returns. Its context ends with an interruption or with the lock. Nil: nothing is waited for.
	BeforeIssue func(context.Context)
}

// progress is what a run knows of its steps so far. It is for all workers.
type progress struct {
	mu      sync.Mutex
	events  []reconcile.Event
	failed  map[string]error              // users with a step that did not end well, and why
	without map[string]error              // users whose credential did not come, and why
	lacking map[string]error              // users who did not get a binding that they should have, and why
	objects map[string]reconcile.Binding  // bindings as the last write left them, by Object()
	broken  map[string]error              // bindings whose last write failed
	altered map[string]error              // bindings that the last write did not leave as meant; objects has them as they are
	begun   map[string]*reconcile.Leaving // removals whose record says "removing"; nil: that could not be written
	expires map[string]time.Time          // new certificates, by user
	denies  *reconcile.RevocationPolicy   // the admission policy as the last write left it; nil: there was none
}

// run is one execution of one plan.
type run struct {
	*Executor
	plan reconcile.Plan
	over func() error // why no step may begin any more, or nil
	// steps has the plan's steps by when they run.
	steps map[slot][]reconcile.Step

	*progress

	// ownBindings has the bindings that wait for one user's credential alone.
	ownBindings map[string][]reconcile.Step
	// replacements has the new bindings of role changes, by whom and where they are for. naming has the bindings that
	// name a user who leaves. Both are built once: a run of thousands must not walk all steps for each step.
	replacements map[reconcile.Grant][]reconcile.Step
	naming       map[string][]reconcile.Step
}

// slot is when steps run: all stages of a batch come before the next batch.
type slot struct {
	batch int
	stage reconcile.Stage
}

func (x *Executor) run(p reconcile.Plan) *run {
	r := &run{
		Executor: x, plan: p, steps: map[slot][]reconcile.Step{},
		progress: &progress{
			failed: map[string]error{}, without: map[string]error{}, lacking: map[string]error{},
			objects: map[string]reconcile.Binding{}, broken: map[string]error{}, altered: map[string]error{}, begun: map[string]*reconcile.Leaving{}, expires: map[string]time.Time{},
		},
		ownBindings: map[string][]reconcile.Step{}, replacements: map[reconcile.Grant][]reconcile.Step{}, naming: map[string][]reconcile.Step{},
	}
	for _, s := range p.Steps {
		r.steps[slot{s.Batch, s.Stage}] = append(r.steps[slot{s.Batch, s.Stage}], s)
		if s.Issues() {
			r.ownBindings[s.User] = nil
		}
	}
	r.indexBindings()
	return r
}

// execute carries out all steps and returns how each ended, in the order in which they did. Once ctx has ended no step
// begins; those under way have LastStep, unless lost ends, which ends every write at once.
func (x *Executor) execute(ctx, lost context.Context, p reconcile.Plan) []reconcile.Event {
	r, work, cancel := x.start(ctx, lost, p)
	defer cancel()
	both, end := afterwards(ctx, lost, 0)
	defer end()
	r.batches(work, func() {
		if x.BeforeIssue != nil {
			x.BeforeIssue(both)
		}
	})
	r.renames(work)
	each(r.Workers, r.at(0, reconcile.StageCleanup), func(s reconcile.Step) { _ = r.attempt(work, s, r.purge) })
	return r.events
}

// takeOut carries out the steps of a plan that only removes, as execute does.
func (x *Executor) takeOut(ctx, lost context.Context, p reconcile.Plan) []reconcile.Event {
	r, work, cancel := x.start(ctx, lost, p)
	defer cancel()
	r.stage(work, 0, reconcile.StageUnbind)
	return r.events
}

// withoutVault carries out the steps that need nothing of Vault: those on bindings of people who hold a credential, of leavers, and of
// revoked names, without batches, since nobody gets a new certificate. why is the reason of all others, which are not tried.
func (x *Executor) withoutVault(ctx, lost context.Context, p reconcile.Plan, why error) []reconcile.Event {
	r, work, cancel := x.start(ctx, lost, p)
	defer cancel()
	stages := []reconcile.Stage{reconcile.StageUnbind, reconcile.StageChange, reconcile.StageRetire}
	for b := range r.last() + 1 {
		each(r.Workers, r.at(b, reconcile.StageRevoke), func(s reconcile.Step) { _ = r.attempt(work, s, r.revoke) })
		for _, stage := range stages {
			r.stage(work, b, stage)
		}
	}
	for _, s := range p.Steps {
		if s.Stage != reconcile.StageRevoke && !slices.Contains(stages, s.Stage) {
			r.end(s, "", notTried{why})
		}
	}
	return r.events
}

// start returns a run that begins no step once ctx or lost has ended, and the context of its steps.
func (x *Executor) start(ctx, lost context.Context, p reconcile.Plan) (*run, context.Context, context.CancelFunc) {
	r := x.run(p)
	r.over = func() error { return cmp.Or(context.Cause(ctx), context.Cause(lost)) }
	work, cancel := afterwards(ctx, lost, cmp.Or(x.LastStep, reconcile.LastStep))
	return r, work, cancel
}

// holdAll is the end of each step of a plan in which everything is held, without a write.
func (x *Executor) holdAll(p reconcile.Plan) []reconcile.Event {
	r := x.run(p)
	for _, s := range p.Steps {
		r.end(s, "", notTried{errors.New(s.Held)})
	}
	return r.events
}

// afterwards returns a context that ends with lost, and when ctx has ended for as long as grace.
func afterwards(ctx, lost context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancelCause(lost)
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(grace, func() { cancel(context.Cause(ctx)) })
		context.AfterFunc(work, func() { timer.Stop() })
	})
	return work, func() { stop(); cancel(nil) }
}

// at lists the steps of a batch that run at a stage.
func (r *run) at(batch int, st reconcile.Stage) []reconcile.Step {
	return slices.Clone(r.steps[slot{batch, st}])
}

// stage writes the bindings of a stage, but for those that have followed a user's credential at once.
func (r *run) stage(ctx context.Context, batch int, st reconcile.Stage) {
	steps := slices.DeleteFunc(r.at(batch, st), func(s reconcile.Step) bool {
		_, follows := r.ownBindings[s.User]
		return st == reconcile.StageGrant && s.User != "" && follows
	})
	each(r.Workers, steps, func(s reconcile.Step) { _ = r.attempt(ctx, s, r.bind) })
}

// attempt runs one step, unless it is held or the run is over, and reports how it ended.
func (r *run) attempt(ctx context.Context, s reconcile.Step, do func(context.Context, reconcile.Step) (string, error)) error {
	note, err := "", error(nil)
	switch {
	case s.Held != "":
		err = notTried{errors.New(s.Held)}
	case r.over() != nil:
		err = notTried{fmt.Errorf("the run ended before this step: %w", r.over())}
	default:
		note, err = do(ctx, s)
	}
	r.end(s, note, err)
	return err
}

// notTried marks a step that was not tried.
type notTried struct{ error }

func (h notTried) Unwrap() error { return h.error }

// end records and reports how a step ended.
func (r *run) end(s reconcile.Step, note string, err error) {
	e := reconcile.Event{
		Time: r.Now().UTC(), Run: r.RunID, User: s.User, Group: s.Group, Action: s.Action, Object: s.Object(),
		Result: reconcile.Done, Note: note, ByPolicy: s.HeldBy == reconcile.ByPolicy,
	}
	if err != nil {
		e.Result, e.Error, e.Hint = reconcile.Failed, err.Error(), reconcile.Hint(err)
		if errors.As(err, new(notTried)) {
			e.Result = reconcile.Held
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.remember(s, err)
	} else if s.Issue != nil {
		e.Expires = r.expires[s.User]
	}
	r.events = append(r.events, e)
	if r.Report != nil {
		r.Report(e)
	}
}

// remember notes for whom a step that did not end well was. The caller holds the lock.
func (p *progress) remember(s reconcile.Step, err error) {
	if s.Issue != nil {
		if _, stored := p.expires[s.User]; !s.Issue.Stays && !stored {
			p.without[s.User] = err
		}
		return
	}
	for _, u := range s.Lacking() {
		if !errors.Is(err, reconcile.ErrAltered) || p.lacks(s.Object(), u) != nil {
			p.lacking[u.Person()] = err
		}
	}
	// A step that is held took nothing on, so that it is no reason to keep a leaver's record open.
	if s.User != "" && s.Held == "" {
		p.failed[s.User] = err
	}
}

// failure returns why an earlier binding or removal of a user's did not end well, or nil.
func (p *progress) failure(user string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed[user]
}

// withoutCredential returns why a user's credential did not come, or nil.
func (p *progress) withoutCredential(user string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.without[user]
}

// each runs do for all items, at most workers at once, and returns when all have ended.
func each[T any](workers int, items []T, do func(T)) {
	var group errgroup.Group
	group.SetLimit(max(workers, 1))
	for _, item := range items {
		group.Go(func() error { do(item); return nil })
	}
	_ = group.Wait() // no item ends the others: how each went is told by its own event
}
