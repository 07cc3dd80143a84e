package reconciletest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/apply"
)

// Failing answers every call that begins like this with err.
func Failing(prefix string, err error) func(call string) error {
	return func(call string) error {
		if strings.HasPrefix(call, prefix) {
			return err
		}
		return nil
	}
}

// Apply is one run of certsync with the world as everything around it.
func (w *World) Apply(inv *inventory.Inventory) (reconcile.Outcome, error) {
	consent := w.Consent
	if consent == nil {
		consent = func(reconcile.Plan) error { return nil }
	}
	return w.ApplyWith(inv, 1, consent)
}

func (w *World) ApplyWith(inv *inventory.Inventory, workers int, consent func(reconcile.Plan) error) (reconcile.Outcome, error) {
	return w.ApplyIn(context.Background(), inv, workers, consent)
}

func (w *World) ApplyIn(ctx context.Context, inv *inventory.Inventory, workers int, consent func(reconcile.Plan) error) (reconcile.Outcome, error) {
	w.Calls = nil
	issuer := w.Issuer
	if issuer == nil {
		issuer = w
	}
	a := apply.Apply{
		Terms:   w.terms(consent),
		Cluster: w, Store: w, StoreAccess: w,
		Executor: &apply.Executor{
			Bindings: w, Policies: w, Store: w, Issuer: issuer, Login: w, Kubeconfigs: w, Authorizer: w,
			Now: func() time.Time { return w.Now }, Workers: workers, RunID: cmp.Or(w.RunID, "run-1"),
			WithoutCanary: w.WithoutCanary, Revision: w.Revision, BeforeIssue: w.BeforeIssue,
		},
	}
	return a.Do(ctx, inv)
}

func (w *World) terms(consent func(reconcile.Plan) error) apply.Terms {
	rules := w.Rules
	rules.Self = cmp.Or(rules.Self, "certsync")
	return apply.Terms{Access: w, Consent: consent, Rules: rules, Hold: w.Hold, Unseen: w.Unseen, Lock: w, Begin: func(reconcile.Plan) { w.Begun++ }}
}

// Remove is one run of certsync that only removes, without Vault.
func (w *World) Remove(inv *inventory.Inventory) (reconcile.Outcome, error) {
	return w.RemoveIn(context.Background(), inv)
}

func (w *World) RemoveIn(ctx context.Context, inv *inventory.Inventory) (reconcile.Outcome, error) {
	w.Calls = nil
	consent := w.Consent
	if consent == nil {
		consent = func(reconcile.Plan) error { return nil }
	}
	r := apply.Removals{
		Terms:   w.terms(consent),
		Cluster: w, Bindings: w, Now: func() time.Time { return w.Now }, Workers: 1, RunID: "run-1",
	}
	return r.Do(ctx, inv)
}

// MustRemove fails the test unless everything was done.
func (w *World) MustRemove(inv *inventory.Inventory) reconcile.Outcome {
	w.T.Helper()
	o, err := w.Remove(inv)
	return w.allDone(o, err)
}

// MustApply fails the test unless everything was done.
func (w *World) MustApply(inv *inventory.Inventory) reconcile.Outcome {
	w.T.Helper()
	o, err := w.Apply(inv)
	return w.allDone(o, err)
}

func (w *World) allDone(o reconcile.Outcome, err error) reconcile.Outcome {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
	for _, e := range o.Events {
		if e.Result != reconcile.Done {
			w.T.Fatalf("%s %s %s: %s", e.Action, e.User, e.Object, e.Error)
		}
	}
	return o
}

func (w *World) Plan(inv *inventory.Inventory) reconcile.Plan {
	w.T.Helper()
	p, err := apply.MakePlan(context.Background(), inv, w, w, w.Rules, func() time.Time { return w.Now })
	if err != nil {
		w.T.Fatal(err)
	}
	return p
}

// Lines is a plan in a form that a test can spell out: "action who object (reasons) +added -removed !held".
func Lines(p reconcile.Plan) []string {
	out := []string{}
	for _, s := range p.Steps {
		l := string(s.Action) + " " + s.User + s.Group
		if s.Object() != "" {
			l += " " + strings.ReplaceAll(s.Object(), "certsync:"+p.Owner+":", "")
		}
		l += fmt.Sprint(" ", s.Reasons)
		if d := s.Detail; d != nil {
			for _, a := range d.Add {
				l += " +" + a
			}
			for _, r := range d.Remove {
				l += " -" + r
			}
			if d.Versions != nil {
				l += fmt.Sprint(" versions ", d.Versions)
			}
		}
		if s.Held != "" {
			l += " held"
		}
		out = append(out, l)
	}
	return out
}

// Kinds lists the notes as "kind who object".
func Kinds(p reconcile.Plan) []string {
	out := []string{}
	for _, n := range p.Notes {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s%s %s", n.Kind, n.User, n.Group, n.Object)))
	}
	return out
}

func Parse(t testing.TB, text string) *inventory.Inventory {
	t.Helper()
	inv, err := inventory.Parse("users.yaml", []byte("apiVersion: certsync.dev/v1\nkind: Inventory\nowner: test\n"+text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

var ErrBoom = errors.New("boom")

// Team is the inventory that most tests start from.
const Team = `
groups:
  - {name: devs, clusterRoles: [view], namespaces: {staging: [edit]}}
users:
  - {name: alice, groups: [devs], clusterRoles: [admin]}
  - {name: bob, groups: [devs]}
  - {name: carol, namespaces: {payments: [edit]}}
`
