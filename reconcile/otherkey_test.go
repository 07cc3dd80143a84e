package reconcile

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
)

// TestOtherKeyIsAReason: whatever else happens to somebody who had access, a certificate for another key of their own has that among
// its reasons. What certsync cannot compare counts as another key.
func TestOtherKeyIsAReason(t *testing.T) {
	const text = "groups: [{name: devs}]\nusers: [{name: alice, clusterRoles: [view]}]"
	alicia := func(t *testing.T, text string) *inventory.Inventory {
		inv := parse(t, strings.Replace(text, "alice", "alicia", 1))
		inv.Users[0].Previously = []string{"alice", "ally"}
		return inv
	}
	record := func(w *world) *Record { return w.ledger["alice"].versions[w.ledger["alice"].current].record }
	for sentence, c := range map[string]struct {
		before string // alice's own key before; "": certsync makes it
		spoil  func(t *testing.T, w *world)
		after  string // and after
		inv    func(*testing.T, string) *inventory.Inventory
		want   string
	}{
		"renamed, the first key":           {"", nil, "phone", alicia, "issue alicia [renamed request-changed]"},
		"renamed, another key":             {"laptop", nil, "phone", alicia, "issue alicia [renamed request-changed]"},
		"renamed, none any more":           {"laptop", nil, "", alicia, "issue alicia [renamed request-changed]"},
		"renamed, the same key":            {"laptop", nil, "laptop", alicia, "issue alicia [renamed]"},
		"renamed, none as before":          {"", nil, "", alicia, "issue alicia [renamed]"},
		"renamed, and the record is lost":  {"laptop", func(_ *testing.T, w *world) { delete(w.ledger, "alice") }, "laptop", alicia, "issue alicia [renamed request-changed]"},
		"the record is lost":               {"laptop", func(_ *testing.T, w *world) { delete(w.ledger, "alice") }, "phone", nil, "reissue alice [ledger-missing request-changed]"},
		"the record is lost, no key":       {"", func(_ *testing.T, w *world) { delete(w.ledger, "alice") }, "", nil, "reissue alice [ledger-missing]"},
		"two runs at once, another key":    {"laptop", superseded(record), "phone", nil, "reissue alice [credential-missing request-changed]"},
		"two runs at once, the same key":   {"laptop", superseded(record), "laptop", nil, "reissue alice [credential-missing]"},
		"the credential is lost":           {"laptop", func(_ *testing.T, w *world) { delete(w.users, "alice") }, "phone", nil, "reissue alice [credential-missing request-changed]"},
		"reinstated, another key":          {"laptop", leaves, "phone", nil, "reissue alice [reinstated request-changed]"},
		"reinstated, the same key":         {"laptop", leaves, "laptop", nil, "reissue alice [reinstated]"},
		"lapsed, another key":              {"laptop", lapses, "phone", nil, "issue alice [new-user request-changed]"},
		"lapsed, the same key":             {"laptop", lapses, "laptop", nil, "issue alice [new-user]"},
		"denied, another key":              {"laptop", denied(record), "phone", nil, "reissue alice [retried request-changed]"},
		"denied, the same key":             {"laptop", denied(record), "laptop", nil, "reissue alice [retried]"},
		"somebody else wrote, another key": {"laptop", overwritten, "phone", nil, "reissue alice [foreign-credential request-changed] held"},
		"groups too, another key": {"laptop", nil, "phone", func(t *testing.T, text string) *inventory.Inventory {
			return parse(t, strings.Replace(text, "alice,", "alice, groups: [devs],", 1))
		}, "reissue alice [groups-changed request-changed]"},
		"another user": {"laptop", nil, "phone", func(t *testing.T, text string) *inventory.Inventory {
			return parse(t, strings.Replace(text, "alice", "zed", 1))
		}, "issue zed [new-user]"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			w.rules.MaxRemovals = limit(t, "9")
			w.mustApply(firstWithKey(t, parse(t, text), c.before))
			if c.spoil != nil {
				c.spoil(t, w)
			}
			if c.inv == nil {
				c.inv = func(t *testing.T, text string) *inventory.Inventory { return parse(t, text) }
			}
			plan := w.plan(firstWithKey(t, c.inv(t, text), c.after))
			got := slices.DeleteFunc(lines(plan), func(l string) bool { return !strings.Contains(l, "issue ") })
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
	return withOwnKey(t, inv, inv.Users[0].Name, key)
}

func superseded(record func(*world) *Record) func(*testing.T, *world) {
	return func(_ *testing.T, w *world) { record(w).Certificates[0].Status = Superseded }
}

// denied leaves a record as it is after a request that somebody denied.
func denied(record func(*world) *Record) func(*testing.T, *world) {
	return func(_ *testing.T, w *world) {
		record(w).State, record(w).Certificates[0].Status = Denied, Superseded
		delete(w.users, "alice")
		w.rules.Retry = []string{"alice"}
	}
}

func leaves(t *testing.T, w *world) {
	w.rules.AllowEmpty = true
	w.mustApply(parse(t, "users: []"))
	w.rules.AllowEmpty, w.rules.Reinstate = false, []string{"alice"}
}

func lapses(t *testing.T, w *world) {
	inv := parse(t, "users: [{name: alice, clusterRoles: [view]}]")
	inv.Users[0].Until = w.now.Add(-time.Minute)
	w.rules.AllowEmpty = true
	w.mustApply(inv)
}

func overwritten(_ *testing.T, w *world) {
	w.users["alice"].current++
	w.users["alice"].versions[w.users["alice"].current] = w.users["alice"].versions[1]
}
