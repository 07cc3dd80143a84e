package plan_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestEarlierOwnKey: while a certificate for an earlier key of the user's own lives, a note says so, until when, and how to void
// it.
func TestEarlierOwnKey(t *testing.T) {
	with := func(key string) *inventory.Inventory {
		return firstWithKey(t, reconciletest.Parse(t, "users: [{name: alice, clusterRoles: [view]}]"), key)
	}
	const (
		issued    = "a certificate for an earlier key of the user's own keeps all of the user's access until it expires"
		requested = "if a request for an earlier key of the user's own got a certificate, that certificate has all of the user's access"
		hint      = " (to revoke it now, set revokedBefore on the user, or run certsync apply --revoke alice)"
	)
	for sentence, tt := range map[string]struct {
		before, now string
		happens     func(w *reconciletest.World)
		want        []string
	}{
		"another key":                  {"laptop", "phone", nil, []string{issued + hint}},
		"no key of their own any more": {"laptop", "", nil, []string{issued + hint}},
		"the same key":                 {"laptop", "laptop", nil, nil},
		"the first key of their own":   {"", "phone", nil, nil},
		"another key, and the certificate is there": {"laptop", "phone", func(w *reconciletest.World) { w.MustApply(with("phone")) },
			[]string{issued + hint}},
		"another key, and the one before has ended": {"laptop", "phone", func(w *reconciletest.World) {
			w.Now = w.Now.Add(6 * 24 * time.Hour)
			w.MustApply(with("phone"))
			w.Now = w.Now.Add(24 * time.Hour)
		}, nil},
		"another key, and the one before is revoked": {"laptop", "", func(w *reconciletest.World) {
			w.Rules.Revoke = []string{"alice"}
		}, nil},
		"another key, and what was asked for before is not known": {"", "phone", func(w *reconciletest.World) {
			w.Lost = reconciletest.ErrBoom
			_, _ = w.Apply(with("laptop"))
			w.Lost = nil
		}, []string{requested + hint}},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.MustApply(with(tt.before))
			end := w.Now.Add(168 * time.Hour)
			if tt.happens != nil {
				tt.happens(w)
			}
			var got []string
			for _, n := range w.Plan(with(tt.now)).Notes {
				if n.Kind == reconcile.LiveCertificate {
					got = append(got, n.Message)
					if strings.HasPrefix(n.Message, issued) && !n.Until.Equal(end) {
						t.Errorf("until %s, want %s", n.Until, end)
					}
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAccessLeftBehind: what others give to the earlier name of a user who begins a new epoch is noted, while the certificate is
// exchanged, and at most so much of it.
func TestAccessLeftBehind(t *testing.T) {
	w := reconciletest.NewWorld(t)
	inv := reconciletest.Parse(t, reconciletest.Team)
	w.MustApply(inv)
	bind := func(name, role string) {
		w.Plant(reconcile.Binding{Kind: reconcile.RoleBinding, Namespace: "payments", Name: name, RoleRef: reconcile.RoleRef{Kind: "Role", Name: role},
			Subjects: []reconcile.Subject{reconcile.UserSubject("alice"), reconcile.UserSubject("bob")}})
	}
	notes := func() (all []string) {
		for _, n := range w.Plan(inv).Notes {
			if n.Kind == reconcile.AccessLeftBehind {
				all = append(all, n.User+": "+n.Object+" "+n.Message)
			}
		}
		return all
	}
	bind("x", "payer")
	if got := notes(); got != nil {
		t.Errorf("without a revocation: %q", got)
	}
	w.Now = w.Now.Add(time.Hour)
	w.Rules.Revoke = []string{"alice"}
	want := []string{`alice: RoleBinding payments/x gives the user's earlier name Role "payer" in namespace "payments", and is not certsync's; the new name does not have it`}
	if diff := cmp.Diff(want, notes()); diff != "" {
		t.Error(diff)
	}
	w.Fail = reconciletest.Failing("issue", reconciletest.ErrBoom)
	if _, err := w.Apply(inv); err != nil {
		t.Fatal(err)
	}
	w.Fail, w.Rules.Revoke = nil, nil
	if diff := cmp.Diff(want, notes()); diff != "" {
		t.Errorf("after a run that was cut off: %s", diff)
	}
	for i := range 40 {
		bind("more-"+string(rune('a'+i%26))+strings.Repeat("x", i/26), "payer")
	}
	if got := notes(); len(got) != 21 || !slices.ContainsFunc(got, func(n string) bool { return strings.HasPrefix(n, "alice:  21 more bindings") }) {
		t.Errorf("of 41 bindings: %q", got)
	}
	w.MustApply(inv)
	if got := notes(); got != nil {
		t.Errorf("once it is done: %q", got)
	}
}
