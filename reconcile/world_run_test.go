package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/certsync/certsync/inventory"
)

// failing answers every call that begins like this with err.
func failing(prefix string, err error) func(call string) error {
	return func(call string) error {
		if strings.HasPrefix(call, prefix) {
			return err
		}
		return nil
	}
}

// apply is one run of certsync with the world as everything around it.
func (w *world) apply(inv *inventory.Inventory) (Outcome, error) {
	consent := w.consent
	if consent == nil {
		consent = func(Plan) error { return nil }
	}
	return w.applyWith(inv, 1, consent)
}

func (w *world) applyWith(inv *inventory.Inventory, workers int, consent func(Plan) error) (Outcome, error) {
	return w.applyIn(context.Background(), inv, workers, consent)
}

func (w *world) applyIn(ctx context.Context, inv *inventory.Inventory, workers int, consent func(Plan) error) (Outcome, error) {
	w.calls = nil
	rules := w.rules
	rules.Self = cmp.Or(rules.Self, "certsync")
	issuer := w.issuer
	if issuer == nil {
		issuer = w
	}
	a := Apply{
		Cluster: w, Store: w, Access: w, StoreAccess: w, Consent: consent, Rules: rules, Hold: w.hold, Unseen: w.unseen, Lock: w,
		Executor: &Executor{
			Bindings: w, Store: w, Issuer: issuer, Login: w, Kubeconfigs: w,
			Now: func() time.Time { return w.now }, Workers: workers, RunID: "run-1",
			WithoutCanary: w.withoutCanary,
		},
	}
	return a.Do(ctx, inv)
}

// mustApply fails the test unless everything was done.
func (w *world) mustApply(inv *inventory.Inventory) Outcome {
	w.t.Helper()
	o, err := w.apply(inv)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range o.Events {
		if e.Result != Done {
			w.t.Fatalf("%s %s %s: %s", e.Action, e.User, e.Object, e.Error)
		}
	}
	return o
}

func (w *world) plan(inv *inventory.Inventory) Plan {
	w.t.Helper()
	p, err := MakePlan(context.Background(), inv, w, w, w.rules, func() time.Time { return w.now })
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// lines is a plan in a form that a test can spell out: "action who object (reasons) +added -removed !held".
func lines(p Plan) []string {
	out := []string{}
	for _, s := range p.Steps {
		l := string(s.Action) + " " + s.User + s.Group
		if s.Object != "" {
			l += " " + strings.ReplaceAll(s.Object, "certsync:"+p.Owner+":", "")
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

// kinds lists the notes as "kind who object".
func kinds(p Plan) []string {
	out := []string{}
	for _, n := range p.Notes {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s%s %s", n.Kind, n.User, n.Group, n.Object)))
	}
	return out
}

func parse(t testing.TB, text string) *inventory.Inventory {
	t.Helper()
	inv, err := inventory.Parse("users.yaml", []byte("apiVersion: certsync.dev/v1\nkind: Inventory\nowner: test\n"+text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

var errBoom = errors.New("boom")

// team is the inventory that most tests start from.
const team = `
groups:
  - {name: devs, clusterRoles: [view], namespaces: {staging: [edit]}}
users:
  - {name: alice, groups: [devs], clusterRoles: [admin]}
  - {name: bob, groups: [devs]}
  - {name: carol, namespaces: {payments: [edit]}}
`
