package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/preflight"
	"github.com/certsync/certsync/reconcile/status"
)

// in is a result for a cluster.
func in[T any](name string, value T, err error) Result[T] {
	return Result[T]{Target{Member: inventory.Member{Name: name, Owner: name + "-owner"}, Inventory: &inventory.Inventory{Owner: name + "-owner"}}, value, err}
}

var errDown = reconcile.WithHint(errors.New("connection refused"), "start it")

// TestPlanDocument: a cluster has its plan or its error, and the digest changes with any of them.
func TestPlanDocument(t *testing.T) {
	changes := reconcile.Plan{Owner: "dev-owner", RecordState: true}
	of := func(p reconcile.Plan, unknown ...string) Planned {
		made := Planned{Plan: p}
		for _, name := range unknown {
			made.Unknown = append(made.Unknown, reconcile.UnknownName{Flag: "--revoke", Name: name})
		}
		return made
	}
	results := []Result[Planned]{in("dev", of(changes), nil), in("prod-eu", Planned{}, errDown)}
	sum, err := SumOf(results)
	if err != nil {
		t.Fatal(err)
	}
	d := PlanDocument(results, sum)
	plan, err := json.Marshal(changes)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"formatVersion":"2","digest":"` + digest([]string{"dev", "prod-eu"}, []string{changes.Digest(), ""}) + `","changes":true,"clusters":[{"cluster":"dev","owner":"dev-owner","plan":` + string(plan) +
		`},{"cluster":"prod-eu","owner":"prod-eu-owner","error":"connection refused","hint":"start it"}]}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	for sentence, c := range map[string]struct {
		plan                   reconcile.Plan
		changes, runs, refused bool
	}{
		"nothing to do":       {},
		"the state is new":    {reconcile.Plan{RecordState: true}, true, true, false},
		"all of it is held":   {reconcile.Plan{Steps: []reconcile.Step{{Held: "why"}}}, true, false, false},
		"it would be refused": {reconcile.Plan{RecordState: true, Forbidden: []string{"why"}}, true, true, true},
	} {
		s, err := SumOf([]Result[Planned]{in("a", of(reconcile.Plan{}, "alice"), nil), in("b", of(c.plan, "bob"), nil), in("c", of(reconcile.Plan{RecordState: true, Forbidden: []string{"not read"}}), errDown)})
		if err != nil || s.Changes != c.changes || s.Runs != c.runs || s.Refused != c.refused {
			t.Errorf("%s: %+v", sentence, s)
		}
	}
	var unknown reconcile.UnknownName
	if _, err := SumOf([]Result[Planned]{in("a", of(changes, "alice", "bob"), nil), in("b", of(changes, "bob"), nil)}); !errors.As(err, &unknown) || unknown.Name != "bob" {
		t.Error(err)
	}
	if _, err := SumOf([]Result[Planned]{in("a", of(changes, "bob"), nil), in("b", Planned{}, errDown)}); err != nil {
		t.Errorf("a cluster that is down stops the revocations in others: %v", err)
	}
	protects := Planned{Plan: changes, Unknown: []reconcile.UnknownName{{Flag: "--protect", Name: "bob"}}}
	if _, err := SumOf([]Result[Planned]{in("a", protects, nil), in("b", Planned{}, errDown)}); !errors.As(err, &unknown) {
		t.Errorf("a typing error in --protect passes: %v", err)
	}
}

// TestPreflightDocument: it is OK if all clusters are.
func TestPreflightDocument(t *testing.T) {
	good := preflight.Report{Checks: []preflight.Check{{Verdict: preflight.Warning}}}
	bad := preflight.Report{Checks: []preflight.Check{{Verdict: preflight.Broken}}}
	if d := PreflightDocument([]Result[preflight.Report]{in("a", good, nil), in("b", good, nil)}); !*d.OK {
		t.Error("a warning is no failure")
	}
	if d := PreflightDocument([]Result[preflight.Report]{in("a", good, nil), in("b", bad, nil)}); *d.OK {
		t.Error("a failed check is none")
	}
}

type fakeCluster struct{ err error }

func (c fakeCluster) ObserveCluster(context.Context, string) (reconcile.ClusterView, error) {
	return reconcile.ClusterView{}, c.err
}

type fakeStore struct {
	state  *reconcile.State
	ledger map[string]reconcile.LedgerEntry
	err    error
}

func (s fakeStore) ObserveStore(context.Context) (reconcile.StoreView, error) {
	return reconcile.StoreView{State: s.state, Ledger: s.ledger}, s.err
}

// TestStandingOf: Vault says which removals wait, also in a cluster that cannot be reached. If neither answers, the cluster's error counts.
func TestStandingOf(t *testing.T) {
	state := &reconcile.State{FormatVersion: reconcile.StateVersion, Names: map[string]reconcile.Name{"bob": {}, "carol": {Left: true}}}
	for sentence, c := range map[string]struct {
		cluster    reconcile.ClusterReader
		clusterErr error
		store      fakeStore
		want       []string
		err        error
	}{
		"all answer":                         {fakeCluster{}, nil, fakeStore{state: state}, []string{"bob"}, nil},
		"the cluster does not answer":        {fakeCluster{errDown}, nil, fakeStore{state: state}, []string{"bob"}, errDown},
		"the cluster cannot be connected":    {nil, errDown, fakeStore{state: state}, []string{"bob"}, errDown},
		"an earlier run ended in the middle": {fakeCluster{errDown}, nil, fakeStore{state: state, ledger: map[string]reconcile.LedgerEntry{"carol": {Record: &reconcile.Record{State: reconcile.Removing}}}}, []string{"bob", "carol"}, errDown},
		"nothing was ever applied there":     {fakeCluster{errDown}, nil, fakeStore{}, []string{}, errDown},
		"neither answers, and one is told":   {nil, errDown, fakeStore{err: errors.New("sealed")}, nil, errDown},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, err := StandingOf(t.Context(), in("dev", 0, nil).Target, c.cluster, c.clusterErr, c.store, reconcile.Rules{}, time.Now)
			if diff := cmp.Diff(c.want, got.Outstanding); diff != "" || !errors.Is(err, c.err) {
				t.Error(diff, err)
			}
		})
	}
}

// TestOnlyUsers: a user whom one cluster knows is known. While a cluster cannot be read, nobody knows who is unknown.
func TestOnlyUsers(t *testing.T) {
	of := func(names ...string) Standing {
		s := Standing{Outstanding: []string{"zoe"}}
		for _, n := range names {
			s.Report.Users = append(s.Report.Users, status.User{Name: n})
		}
		return s
	}
	results := []Result[Standing]{in("dev", of("alice", "bob"), nil), in("prod-eu", of("bob"), nil)}
	if err := OnlyUsers(results, []string{"alice"}); err != nil {
		t.Error(err)
	}
	if a, b := results[0].Value, results[1].Value; len(a.Report.Users) != 1 || len(b.Report.Users) != 0 || len(a.Outstanding) != 0 {
		t.Errorf("%+v %+v", a, b)
	}
	var unknown reconcile.UnknownName
	if err := OnlyUsers(results, []string{"eve"}); !errors.As(err, &unknown) || unknown.Name != "eve" {
		t.Error(err)
	}
	if err := OnlyUsers(append(results, in("prod-us", Standing{}, errDown)), []string{"eve"}); err != nil {
		t.Error(err)
	}
}

// TestFailures: each failure names its clusters and keeps its hint. What is the same in several is said once.
func TestFailures(t *testing.T) {
	failures := Failures([]Result[int]{in("dev", 1, nil), in("prod-eu", 0, errDown)})
	if len(failures) != 1 || failures[0].Error() != "cluster prod-eu: connection refused" || reconcile.Hint(failures[0]) != "start it" {
		t.Error(failures)
	}
	hintless := errors.New(errDown.Error())
	failures = Failures([]Result[int]{in("dev", 0, errDown), in("stage", 0, hintless), in("prod-eu", 0, errDown), in("prod-us", 1, nil)})
	if len(failures) != 2 || failures[0].Error() != "clusters dev, prod-eu: connection refused" || reconcile.Hint(failures[0]) != "start it" ||
		failures[1].Error() != "cluster stage: connection refused" {
		t.Errorf("what clusters have in common: %q", failures)
	}
	one, two := []Target{{}}, []Target{{}, {}}
	if err := OnlyOne("--since", one); err != nil {
		t.Error(err)
	}
	if err := OnlyOne("--since", two); err == nil || err.Error() != "--since is for one cluster, and 2 are chosen" {
		t.Error(err)
	}
}
