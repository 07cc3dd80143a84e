package report

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// accountOf is what a run of the world's has to tell.
func accountOf(w *reconciletest.World, inv *inventory.Inventory) Account {
	o, err := w.Apply(inv)
	return Account{Owner: "test", RunID: "run-1", StartedAt: w.Now, EndedAt: w.Now.Add(time.Minute), Err: err, Outcome: o}
}

// crowd is an inventory with that many users.
func crowd(n int) string {
	text := "users:\n"
	for i := range n {
		text += fmt.Sprintf("  - {name: user-%03d, clusterRoles: [view]}\n", i)
	}
	return text
}

// TestKubernetesEvents: one message of a kind and run, which says how much, for whom, and why.
func TestKubernetesEvents(t *testing.T) {
	tests := map[string]struct {
		inventory string // default: team
		settled   bool   // the team was applied before
		world     func(*reconciletest.World)
		account   func(*Account)
		want      []string // what each message begins with, after the run
	}{
		"a first run":          {want: []string{"Applied 3 issue, 4 bind; unchanged users: 0"}},
		"nothing to do":        {settled: true},
		"another inventory":    {settled: true, inventory: reconciletest.Team + "# nothing that anybody notices\n"},
		"another digest alone": {settled: true, inventory: reconciletest.Team + "defaults: {renewBefore: 20%}\n", want: []string{"Applied the inventory is recorded; nothing else was changed"}},
		"hundreds of users": {
			inventory: crowd(300), want: []string{"Applied 300 issue, 300 bind; unchanged users: 0"},
		},
		"hundreds of failures": {
			inventory: crowd(300), world: func(w *reconciletest.World) {
				w.Fail = reconciletest.Failing("create ClusterRoleBinding", reconciletest.ErrBoom)
			},
			want: []string{"Applied 300 issue; unchanged users: 0",
				"Failed steps failed: 300, for user-000, user-001, user-002, user-003, user-004, user-005, user-006, user-007, user-008, user-009 and 290 more; bind of user-000: "},
		},
		"a planted secret, and somebody leaves": {
			settled: true, inventory: reconciletest.WithoutBob,
			world: func(w *reconciletest.World) { _, _ = w.Put(w.Users, "alice", reconciletest.KVVersion{}, 1) },
			want:  []string{"Applied ", "Held steps held back: 1, for alice; reissue of alice: "},
		},
		"a planted secret": {
			world: func(w *reconciletest.World) { _, _ = w.Put(w.Users, "alice", reconciletest.KVVersion{}, 0) },
			want:  []string{"Applied 2 issue", "Held steps held back: 1, for alice; issue of alice: users/alice holds version 1 of a secret that the ledger does not know"},
		},
		"what the policy holds": {
			settled: true, inventory: reconciletest.WithoutBob, world: func(w *reconciletest.World) { w.Rules.Policy = reconcile.CreateOnly },
			want: []string{"Applied the inventory is recorded"},
		},
		"vault is down": {world: func(w *reconciletest.World) { w.Fail = reconciletest.Failing("observe", reconciletest.ErrBoom) }, want: []string{"Failed boom"}},
		"another run has the lock": {account: func(a *Account) {
			a.Outcome, a.Err = reconcile.Outcome{}, reconcile.WithHint(reconcile.Locked{}, "wait")
		}},
		"interrupted before a plan":  {account: func(a *Account) { a.Outcome, a.Err = reconcile.Outcome{}, ErrInterrupted }},
		"an output that was cut off": {account: func(a *Account) { a.Err = reconciletest.ErrBoom }, want: []string{"Applied 3 issue", "Failed boom"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			if tt.settled {
				w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			}
			if tt.world != nil {
				tt.world(w)
			}
			if tt.inventory == "" {
				tt.inventory = reconciletest.Team
			}
			a := accountOf(w, reconciletest.Parse(t, tt.inventory))
			if tt.account != nil {
				tt.account(&a)
			}
			var got []string
			for i, n := range a.KubernetesEvents() {
				text := strings.Replace(fmt.Sprintf("%s %s", n.Reason, n.Message), "run run-1: ", "", 1)
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
		w := reconciletest.NewWorld(t)
		w.Fail = reconciletest.Failing("issue carol", reconciletest.ErrBoom)
		a := accountOf(w, reconciletest.Parse(t, reconciletest.Team))
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
		w := reconciletest.NewWorld(t)
		w.MustApply(reconciletest.Parse(t, reconciletest.Team))
		r := read(t, accountOf(w, reconciletest.Parse(t, "users: []")))
		if len(r.Refusals) != 1 || r.Error != "" || len(r.Steps) != 7 || len(r.Events) != 0 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("an error before anything was seen", func(t *testing.T) {
		r := read(t, Account{RunID: "run-1", ExitCode: 1, Err: reconcile.WithHint(reconciletest.ErrBoom, "look")})
		if r.Error != "boom" || r.Hint != "look" || len(r.Summary) > 0 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("another run has the lock", func(t *testing.T) {
		if r := read(t, Account{Err: reconcile.Locked{Name: "kube-system/certsync-test"}}); !strings.Contains(r.Error, "another run holds the lock") {
			t.Errorf("%+v", r)
		}
	})
}

// TestMetrics: what is counted is the world after the run.
func TestMetrics(t *testing.T) {
	none := func() map[reconcile.Action]int { return changes(reconcile.Outcome{}) }
	with := func(counts map[reconcile.Action]int) map[reconcile.Action]int {
		all := none()
		for a, n := range counts {
			all[a] = n
		}
		return all
	}
	w := reconciletest.NewWorld(t)
	step := func(what string, want Metrics, text string) {
		t.Helper()
		if diff := cmp.Diff(want, accountOf(w, reconciletest.Parse(t, text)).Metrics()); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	start := w.Now
	week := func(from time.Time) time.Time { return from.Add(168 * time.Hour) }
	ends := func(user string) time.Time {
		s := w.Ledger[user]
		return s.Versions[s.Current].Record.Current().NotAfter
	}
	w.Fail = reconciletest.Failing("issue carol", reconciletest.ErrBoom)
	accountOf(w, reconciletest.Parse(t, reconciletest.Team)) // to learn what the signer gives
	if got := ends("alice"); got.Before(start) || got.After(week(start)) {
		t.Fatalf("a certificate until %s", got)
	}
	step("one fails", Metrics{
		Changes: none(), Failures: 1, Held: 1,
		Census: &Census{Users: 3, EarliestExpiry: ends("alice")},
	}, reconciletest.Team)
	w.Fail = nil
	w.Now = w.Now.Add(time.Hour)
	step("she gets hers", Metrics{
		Changes: with(map[reconcile.Action]int{reconcile.Issue: 1, reconcile.Bind: 1}),
		Census:  &Census{Users: 3, EarliestExpiry: ends("alice")},
	}, reconciletest.Team)
	w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
	step("two leave", Metrics{
		Changes: with(map[reconcile.Action]int{reconcile.Unbind: 3, reconcile.Remove: 2}),
		Census:  &Census{Users: 1, EarliestExpiry: ends("carol"), LeaversCertificates: 2},
	}, "users: [{name: carol, namespaces: {payments: [edit]}}]\n")
	w.Now = w.Now.Add(160 * time.Hour)
	renewed := accountOf(w, reconciletest.Parse(t, "users: [{name: carol, namespaces: {payments: [edit]}}]\n")).Metrics()
	if diff := cmp.Diff(Metrics{
		Changes: with(map[reconcile.Action]int{reconcile.Renew: 1}), Census: &Census{Users: 1, EarliestExpiry: ends("carol"), LeaversCertificates: 2},
	}, renewed); diff != "" || !ends("carol").After(week(start)) {
		t.Errorf("renewed until %s: %s", ends("carol"), diff)
	}
	w.Rules.AllowEmpty = true
	step("everybody has left", Metrics{
		Changes: with(map[reconcile.Action]int{reconcile.Unbind: 1, reconcile.Remove: 1}), Census: &Census{LeaversCertificates: 4},
	}, "users: []\n")
	w.Plant(reconcile.NewBinding("test", reconcile.Grant{For: reconcile.ForUser, Subject: "carol", Role: "view", Part: 1}, []string{"carol"}))
	o, err := w.Remove(reconciletest.Parse(t, "users: []\n"))
	if diff := cmp.Diff(Metrics{Changes: with(map[reconcile.Action]int{reconcile.Unbind: 1})}, Account{Owner: "test", Err: err, Outcome: o}.Metrics()); diff != "" {
		t.Errorf("without Vault nobody is counted: %s", diff)
	}
	w.Fail = reconciletest.Failing("observe", reconciletest.ErrBoom)
	step("vault is down", Metrics{Changes: none(), Failures: 1}, reconciletest.Team)
}

// TestRemovals: a removal is outstanding until it is done, whatever keeps it from being done.
func TestRemovals(t *testing.T) {
	const left = "users: [{name: carol, namespaces: {payments: [edit]}}]\n"
	w := reconciletest.NewWorld(t)
	removals := func(what string, want []string, text string) {
		t.Helper()
		a := accountOf(w, reconciletest.Parse(t, text))
		if diff := cmp.Diff(want, a.Removals()); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
		if a.Outstanding = a.Removals(); want != nil && *a.Metrics().Outstanding != len(want) || want == nil && a.Metrics().Outstanding != nil {
			t.Errorf("%s: metrics: %v", what, a.Metrics().Outstanding)
		}
	}
	removals("everybody is new", []string{}, reconciletest.Team)
	removals("a guard refuses", []string{"alice", "bob"}, left)
	w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
	w.Fail = reconciletest.Failing("observe", reconciletest.ErrBoom)
	removals("there is no plan", nil, left)
	w.Fail = reconciletest.Failing("erase bob", reconciletest.ErrBoom)
	removals("one fails", []string{"bob"}, left)
	w.Fail = nil
	removals("all are done", []string{}, left)
	o, err := w.Remove(reconciletest.Parse(t, "users: []\n"))
	if got := (Account{Owner: "test", Err: err, Outcome: o}).Removals(); got != nil {
		t.Errorf("without Vault: %q", got)
	}
}
