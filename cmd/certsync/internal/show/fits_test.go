package show

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/status"
)

// TestStatusFits: with all legal names and all states, status is 80 columns wide at most.
func TestStatusFits(t *testing.T) {
	wide := 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 5))
		long := func(most int) string {
			return strings.Repeat("w", r.IntN(most-4)) + fmt.Sprintf("%04d", r.IntN(10000))
		}
		groups := []string{long(64), long(64), long(64)}
		text := "groups:\n"
		for _, g := range slices.Compact(slices.Sorted(slices.Values(groups))) {
			text += fmt.Sprintf("  - {name: a%s, clusterRoles: [%q]}\n", g[1:], long(253))
		}
		text += "users:\n"
		seen := map[string]bool{}
		for range 1 + r.IntN(12) {
			user := long(64)
			if seen[user] {
				continue
			}
			seen[user] = true
			until := []string{"", ", until: 2026-02-01", ", until: 2099-12-31"}[r.IntN(3)]
			text += fmt.Sprintf("  - {name: %q, groups: [a%s], clusterRoles: [%q, %q]%s}\n", user, groups[r.IntN(3)][1:], long(253), long(253)+"x", until)
		}
		inv := fixture.Inventory(t, text)
		o := fixture.Settled(inv)
		for i := range o.Bindings {
			if r.IntN(3) == 0 {
				o.Bindings[i].Owner = ""
			}
		}
		for _, u := range inv.Users {
			switch rec := o.Ledger[u.Name].Record; r.IntN(8) {
			case 0:
				rec.State = reconcile.Denied
			case 1:
				rec.State = reconcile.Removed
			case 2:
				delete(o.Credentials, u.Name)
			case 3:
				o.Ledger[u.Name] = reconcile.LedgerEntry{Version: 1, Problem: "it is not"}
			case 4:
				o.Credentials[u.Name] = reconcile.CredentialMeta{CurrentVersion: 9}
			}
		}
		for range r.IntN(4) {
			fixture.Issue(o, long(64), []string{long(64)}, fixture.Noon.Add(-time.Hour)) // unlistedRemoves
		}
		for _, line := range strings.Split(string(Status(status.Of(inv, o, reconcile.Rules{}), false, false)), "\n") {
			if n := utf8.RuneCountInString(line); n > terminal.LineWidth {
				t.Fatalf("seed %d: %d columns: %q", seed, n, line)
			} else if n > terminal.LineWidth-4 {
				wide++
			}
		}
	}
	if wide == 0 {
		t.Error("no line was long")
	}
}
