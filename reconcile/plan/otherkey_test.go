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

// TestOtherKeyIsAReason: whatever else happens to somebody who had access, a certificate for another key of their own has that among
// its reasons. What certsync cannot compare counts as another key.
func TestOtherKeyIsAReason(t *testing.T) {
	const text = "groups: [{name: devs}]\nusers: [{name: alice, clusterRoles: [view]}]"
	alicia := func(t *testing.T, text string) *inventory.Inventory {
		inv := reconciletest.Parse(t, strings.Replace(text, "alice", "alicia", 1))
		inv.Users[0].Previously = []string{"alice", "ally"}
		return inv
	}
	record := func(w *reconciletest.World) *reconcile.Record {
		return w.Ledger["alice"].Versions[w.Ledger["alice"].Current].Record
	}
	for sentence, c := range map[string]struct {
		before string // alice's own key before; "": certsync makes it
		spoil  func(t *testing.T, w *reconciletest.World)
		after  string // and after
		inv    func(*testing.T, string) *inventory.Inventory
		want   string
	}{
		"renamed, the first key":           {"", nil, "phone", alicia, "issue alicia [renamed request-changed]"},
		"renamed, another key":             {"laptop", nil, "phone", alicia, "issue alicia [renamed request-changed]"},
		"renamed, none any more":           {"laptop", nil, "", alicia, "issue alicia [renamed request-changed]"},
		"renamed, the same key":            {"laptop", nil, "laptop", alicia, "issue alicia [renamed]"},
		"renamed, none as before":          {"", nil, "", alicia, "issue alicia [renamed]"},
		"renamed, and the record is lost":  {"laptop", func(_ *testing.T, w *reconciletest.World) { delete(w.Ledger, "alice") }, "laptop", alicia, "issue alicia [renamed request-changed]"},
		"the record is lost":               {"laptop", func(_ *testing.T, w *reconciletest.World) { delete(w.Ledger, "alice") }, "phone", nil, "reissue alice [ledger-missing request-changed]"},
		"the record is lost, no key":       {"", func(_ *testing.T, w *reconciletest.World) { delete(w.Ledger, "alice") }, "", nil, "reissue alice [ledger-missing]"},
		"two runs at once, another key":    {"laptop", superseded(record), "phone", nil, "reissue alice [credential-missing request-changed]"},
		"two runs at once, the same key":   {"laptop", superseded(record), "laptop", nil, "reissue alice [credential-missing]"},
		"the credential is lost":           {"laptop", func(_ *testing.T, w *reconciletest.World) { delete(w.Users, "alice") }, "phone", nil, "reissue alice [credential-missing request-changed]"},
		"back again, another key":          {"laptop", leaves, "phone", nil, "issue alice [new-user] held"}, // the request is not for alice#2
		"back again, no key":               {"laptop", leaves, "", nil, "issue alice [new-user]"},
		"lapsed, another key":              {"laptop", lapses, "phone", nil, "issue alice [new-user request-changed]"},
		"lapsed, the same key":             {"laptop", lapses, "laptop", nil, "issue alice [new-user]"},
		"denied, another key":              {"laptop", denied(record), "phone", nil, "reissue alice [retried request-changed]"},
		"denied, the same key":             {"laptop", denied(record), "laptop", nil, "reissue alice [retried]"},
		"somebody else wrote, another key": {"laptop", overwritten, "phone", nil, "reissue alice [foreign-credential request-changed] held"},
		"groups too, another key": {"laptop", nil, "phone", func(t *testing.T, text string) *inventory.Inventory {
			return reconciletest.Parse(t, strings.Replace(text, "alice,", "alice, groups: [devs],", 1))
		}, "reissue alice [groups-changed request-changed]"},
		"another user": {"laptop", nil, "phone", func(t *testing.T, text string) *inventory.Inventory {
			return reconciletest.Parse(t, strings.Replace(text, "alice", "zed", 1))
		}, "issue zed [new-user]"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.Rules.MaxRemovals = reconciletest.Limit(t, "9")
			w.MustApply(firstWithKey(t, reconciletest.Parse(t, text), c.before))
			if c.spoil != nil {
				c.spoil(t, w)
			}
			if c.inv == nil {
				c.inv = func(t *testing.T, text string) *inventory.Inventory { return reconciletest.Parse(t, text) }
			}
			plan := w.Plan(firstWithKey(t, c.inv(t, text), c.after))
			got := slices.DeleteFunc(reconciletest.Lines(plan), func(l string) bool { return !strings.Contains(l, "issue ") })
			if diff := cmp.Diff([]string{c.want}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// firstWithKey gives an inventory's first user a key of their own; "": certsync makes it.
func firstWithKey(t *testing.T, inv *inventory.Inventory, key string) *inventory.Inventory {
	if key == "" {
		return inv
	}
	return reconciletest.WithOwnKey(t, inv, inv.Users[0].Name, key)
}

func superseded(record func(*reconciletest.World) *reconcile.Record) func(*testing.T, *reconciletest.World) {
	return func(_ *testing.T, w *reconciletest.World) { record(w).Certificates[0].Status = reconcile.Superseded }
}

// denied leaves a record as it is after a request that somebody denied.
func denied(record func(*reconciletest.World) *reconcile.Record) func(*testing.T, *reconciletest.World) {
	return func(_ *testing.T, w *reconciletest.World) {
		record(w).State, record(w).Certificates[0].Status = reconcile.Denied, reconcile.Superseded
		delete(w.Users, "alice")
		w.Rules.Retry = []string{"alice"}
	}
}

func leaves(t *testing.T, w *reconciletest.World) {
	w.Rules.AllowEmpty = true
	w.MustApply(reconciletest.Parse(t, "users: []"))
	w.Rules.AllowEmpty = false
}

func lapses(t *testing.T, w *reconciletest.World) {
	inv := reconciletest.Parse(t, "users: [{name: alice, clusterRoles: [view]}]")
	inv.Users[0].Until = w.Now.Add(-time.Minute)
	w.Rules.AllowEmpty = true
	w.MustApply(inv)
}

func overwritten(_ *testing.T, w *reconciletest.World) {
	w.Users["alice"].Current++
	w.Users["alice"].Versions[w.Users["alice"].Current] = w.Users["alice"].Versions[1]
}
