package reconcile

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
)

// accountOf is what a run of the world's has to tell.
func accountOf(w *world, inv *inventory.Inventory) Account {
	o, err := w.apply(inv)
	return Account{Owner: "test", RunID: "run-1", StartedAt: w.now, EndedAt: w.now.Add(time.Minute), Err: err, Outcome: o}
}

// crowd is an inventory with that many users.
func crowd(n int) string {
	text := "users:\n"
	for i := range n {
		text += fmt.Sprintf("  - {name: user-%03d, clusterRoles: [view]}\n", i)
	}
	return text
}

// TestNews: one message of a kind and run, which says how much, for whom, and why.
func TestNews(t *testing.T) {
	tests := map[string]struct {
		inventory string // default: team
		settled   bool   // the team was applied before
		world     func(*world)
		account   func(*Account)
		want      []string // what each message begins with, after the run
	}{
		"a first run":          {want: []string{"Applied 3 issue, 4 bind; unchanged users: 0"}},
		"nothing to do":        {settled: true},
		"another inventory":    {settled: true, inventory: team + "# nothing that anybody notices\n"},
		"another digest alone": {settled: true, inventory: team + "defaults: {renewBefore: 20%}\n", want: []string{"Applied the inventory is recorded; nothing else was changed"}},
		"hundreds of users": {
			inventory: crowd(300), want: []string{"Applied 300 issue, 300 bind; unchanged users: 0"},
		},
		"hundreds of failures": {
			inventory: crowd(300), world: func(w *world) { w.fail = failing("create ClusterRoleBinding", errBoom) },
			want: []string{"Applied 300 issue; unchanged users: 0",
				"Failed steps failed: 300, for user-000, user-001, user-002, user-003, user-004, user-005, user-006, user-007, user-008, user-009 and 290 more; bind of user-000: "},
		},
		"a planted secret, and somebody leaves": {
			settled: true, inventory: withoutBob,
			world: func(w *world) { _, _ = w.put(w.users, "alice", kvVersion{}, 1) },
			want:  []string{"Applied ", "Held steps held back: 1, for alice; reissue of alice: "},
		},
		"a planted secret": {
			world: func(w *world) { _, _ = w.put(w.users, "alice", kvVersion{}, 0) },
			want:  []string{"Applied 2 issue", "Held steps held back: 1, for alice; issue of alice: users/alice holds version 1 of a secret that the ledger does not know"},
		},
		"what the policy holds": {
			settled: true, inventory: withoutBob, world: func(w *world) { w.rules.Policy = CreateOnly },
			want: []string{"Applied the inventory is recorded"},
		},
		"vault is down":              {world: func(w *world) { w.fail = failing("observe", errBoom) }, want: []string{"Failed boom"}},
		"another run has the lock":   {account: func(a *Account) { a.Outcome, a.Err = Outcome{}, WithHint(Locked{}, "wait") }},
		"interrupted before a plan":  {account: func(a *Account) { a.Outcome, a.Err = Outcome{}, ErrInterrupted }},
		"an output that was cut off": {account: func(a *Account) { a.Err = errBoom }, want: []string{"Applied 3 issue", "Failed boom"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if tt.settled {
				w.mustApply(parse(t, team))
			}
			if tt.world != nil {
				tt.world(w)
			}
			if tt.inventory == "" {
				tt.inventory = team
			}
			a := accountOf(w, parse(t, tt.inventory))
			if tt.account != nil {
				tt.account(&a)
			}
			var got []string
			for i, n := range a.News() {
				text := strings.Replace(fmt.Sprintf("%s %s", n.Kind, n.Message), "run run-1: ", "", 1)
				if i < len(tt.want) && strings.HasPrefix(text, tt.want[i]) {
					text = tt.want[i]
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestReport: what stands in it, however a run ended. The same account gives the same bytes.
func TestReport(t *testing.T) {
	type accountJSON struct {
		FormatVersion, Owner, ClusterUID, Run, Error, Hint string
		ExitCode                                           int
		StartedAt, EndedAt                                 time.Time
		Refusals                                           []string
		Summary                                            map[string]int
		Steps, Events, Held, Notes                         []map[string]any
	}
	read := func(t *testing.T, a Account) (r accountJSON) {
		t.Helper()
		text, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := json.Marshal(a); string(again) != string(text) {
			t.Error("it is another one every time")
		}
		if err := json.Unmarshal(text, &r); err != nil {
			t.Fatal(err)
		}
		if r.Refusals == nil || r.Summary == nil || r.Steps == nil || r.Events == nil || r.Held == nil || r.Notes == nil {
			t.Errorf("null where a list belongs: %s", text)
		}
		return r
	}
	t.Run("done, but for a failure and what waits for it", func(t *testing.T) {
		w := newWorld(t)
		w.fail = failing("issue carol", errBoom)
		a := accountOf(w, parse(t, team))
		a.ExitCode = 1
		r := read(t, a)
		if r.Owner != "test" || r.ClusterUID != "cluster-1" || r.Run != "run-1" || r.ExitCode != 1 || r.EndedAt.Sub(r.StartedAt) != time.Minute || r.Error != "" {
			t.Errorf("%+v", r)
		}
		if diff := cmp.Diff(map[string]int{"issue": 2, "bind": 3, "failed": 1, "held": 1, "unchanged": 0}, r.Summary); diff != "" {
			t.Error(diff)
		}
		if len(r.Steps) != 7 || len(r.Events) != 7 || len(r.Held) != 1 || r.Held[0]["user"] != "carol" {
			t.Errorf("%d steps, %d events, held %v", len(r.Steps), len(r.Events), r.Held)
		}
	})
	t.Run("refused", func(t *testing.T) {
		w := newWorld(t)
		w.mustApply(parse(t, team))
		r := read(t, accountOf(w, parse(t, "users: []")))
		if len(r.Refusals) != 1 || r.Error != "" || len(r.Steps) != 7 || len(r.Events) != 0 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("an error before anything was seen", func(t *testing.T) {
		r := read(t, Account{RunID: "run-1", ExitCode: 1, Err: WithHint(errBoom, "look")})
		if r.Error != "boom" || r.Hint != "look" || len(r.Summary) > 0 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("another run has the lock", func(t *testing.T) {
		if r := read(t, Account{Err: Locked{Name: "kube-system/certsync-test"}}); !strings.Contains(r.Error, "another run holds the lock") {
			t.Errorf("%+v", r)
		}
	})
}

// TestFigures: what is counted is the world after the run.
func TestFigures(t *testing.T) {
	none := func() map[Action]int { return changes(Outcome{}) }
	with := func(counts map[Action]int) map[Action]int {
		all := none()
		for a, n := range counts {
			all[a] = n
		}
		return all
	}
	w := newWorld(t)
	step := func(what string, want Figures, text string) {
		t.Helper()
		if diff := cmp.Diff(want, accountOf(w, parse(t, text)).Figures()); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	start := w.now
	week := func(from time.Time) time.Time { return from.Add(168 * time.Hour) }
	ends := func(user string) time.Time {
		s := w.ledger[user]
		return s.versions[s.current].record.current().NotAfter
	}
	w.fail = failing("issue carol", errBoom)
	accountOf(w, parse(t, team)) // to learn what the signer gives
	if got := ends("alice"); got.Before(start) || got.After(week(start)) {
		t.Fatalf("a certificate until %s", got)
	}
	step("one fails", Figures{
		Changes: none(), Failures: 1, Held: 1,
		Census: &Census{Users: 3, EarliestExpiry: ends("alice")},
	}, team)
	w.fail = nil
	w.now = w.now.Add(time.Hour)
	step("she gets hers", Figures{
		Changes: with(map[Action]int{Issue: 1, Bind: 1}),
		Census:  &Census{Users: 3, EarliestExpiry: ends("alice")},
	}, team)
	w.rules.MaxRemovals = limit(t, "100%")
	step("two leave", Figures{
		Changes: with(map[Action]int{Unbind: 3, Remove: 2}),
		Census:  &Census{Users: 1, EarliestExpiry: ends("carol"), LeaversCertificates: 2},
	}, "users: [{name: carol, namespaces: {payments: [edit]}}]\n")
	w.now = w.now.Add(160 * time.Hour)
	renewed := accountOf(w, parse(t, "users: [{name: carol, namespaces: {payments: [edit]}}]\n")).Figures()
	if diff := cmp.Diff(Figures{
		Changes: with(map[Action]int{Renew: 1}), Census: &Census{Users: 1, EarliestExpiry: ends("carol"), LeaversCertificates: 2},
	}, renewed); diff != "" || !ends("carol").After(week(start)) {
		t.Errorf("renewed until %s: %s", ends("carol"), diff)
	}
	w.rules.AllowEmpty = true
	step("everybody has left", Figures{
		Changes: with(map[Action]int{Unbind: 1, Remove: 1}), Census: &Census{LeaversCertificates: 4},
	}, "users: []\n")
	w.fail = failing("observe", errBoom)
	step("vault is down", Figures{Changes: none(), Failures: 1}, team)
}
