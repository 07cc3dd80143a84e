package apply_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// listed names what the admission policy denies.
func listed(w *reconciletest.World) []string {
	names := []string{}
	for _, e := range w.Policy.Entries {
		names = append(names, e.Username)
	}
	return names
}

// fingerprint is that of the certificate with that name that was issued last.
func fingerprint(w *reconciletest.World, user string) string {
	return w.Ledger[user].Versions[w.Ledger[user].Current].Record.Last().SHA256
}

// TestPolicyKeptInStep: the policy denies a revoked certificate before anything else is written. The entry stays until the
// certificate's own end, and leaves then.
func TestPolicyKeptInStep(t *testing.T) {
	w := hourLater(t)
	w.Policy = w.NewPolicy()
	inv := reconciletest.Parse(t, reconciletest.Team)
	w.MustApply(inv)
	if !w.State.Admission || len(w.Policy.Entries) != 0 {
		t.Errorf("state %t, entries %q", w.State.Admission, listed(w))
	}
	old := fingerprint(w, "alice")
	w.Calls, w.Rules.Revoke = nil, []string{"alice"}
	w.MustApply(inv)
	if got := w.Writes()[:2]; !slices.Equal(got, []string{"write state", "deny certsync-test-revoked 1"}) {
		t.Errorf("began with %q", got)
	}
	want := []reconcile.RevokedCertificate{{Username: "alice", SHA256: old, Until: w.Policy.Entries[0].Until}}
	if diff := cmp.Diff(want, w.Policy.Entries); diff != "" {
		t.Error(diff)
	}
	w.Rules.Revoke = nil
	if p := w.Plan(inv); p.Changes() {
		t.Errorf("once more: %q", reconciletest.Lines(p))
	}
	end := w.Policy.Entries[0].Until
	for w.Now.Before(end.Add(-time.Hour)) {
		w.Now = w.Now.Add(24 * time.Hour)
		w.Now = minTime(w.Now, end.Add(-time.Minute))
		w.MustApply(inv)
		if !slices.Equal(listed(w), []string{"alice"}) {
			t.Fatalf("at %s: %q", w.Now, listed(w))
		}
	}
	w.Now = end.Add(time.Second)
	if got := reconciletest.Lines(w.Plan(inv)); !slices.Contains(got, "purge  ValidatingAdmissionPolicy certsync-test-revoked [certificates-expired]") {
		t.Errorf("%q", got)
	}
	w.MustApply(inv)
	if got := listed(w); len(got) > 0 {
		t.Errorf("after the end: %q", got)
	}
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// TestPolicyDeniesLeavers: all certificates of somebody who leaves are denied, also when a guard holds somebody else; and those of
// somebody whose removal is held are not.
func TestPolicyDeniesLeavers(t *testing.T) {
	w := hourLater(t)
	w.Policy = w.NewPolicy()
	w.Rules.MaxRemovals = reconciletest.Limit(t, "9")
	w.Rules.Protect, w.Hold = []string{"carol"}, true
	if _, err := w.Apply(reconciletest.Parse(t, "groups: [{name: devs, clusterRoles: [view], namespaces: {staging: [edit]}}]\nusers: [{name: alice, groups: [devs], clusterRoles: [admin]}]\n")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"bob"}, listed(w)); diff != "" {
		t.Error(diff)
	}
}

// TestDeletedRecordRevivesNothing: an entry stays in the policy although somebody deletes the ledger record that named it.
func TestDeletedRecordRevivesNothing(t *testing.T) {
	w := hourLater(t)
	w.Policy = w.NewPolicy()
	inv := reconciletest.Parse(t, reconciletest.Team)
	w.Rules.Revoke = []string{"alice"}
	w.MustApply(inv)
	w.Rules.Revoke = nil
	delete(w.Ledger, "alice")
	w.MustApply(inv)
	if diff := cmp.Diff([]string{"alice"}, listed(w)); diff != "" {
		t.Error(diff)
	}
}

// TestWrongEntryGoes: an entry for a certificate that is in use, which somebody else put into the policy, goes.
func TestWrongEntryGoes(t *testing.T) {
	w := hourLater(t)
	w.Policy = w.NewPolicy()
	inv := reconciletest.Parse(t, reconciletest.Team)
	w.Policy.Entries = []reconcile.RevokedCertificate{{Username: "bob", SHA256: fingerprint(w, "bob"), Until: w.Now.AddDate(1, 0, 0)}}
	if got := reconciletest.Lines(w.Plan(inv)); !slices.Contains(got, "update  ValidatingAdmissionPolicy certsync-test-revoked [revoked] -bob sha256:"+fingerprint(w, "bob")) {
		t.Errorf("%q", got)
	}
	w.MustApply(inv)
	if got := listed(w); len(got) > 0 {
		t.Errorf("%q", got)
	}
}

// TestPolicyThatIsGone: once the policy has been in force, its loss is told and fails the run, and everybody else is served. It is
// no news once nothing is left to deny, nor where it never was.
func TestPolicyThatIsGone(t *testing.T) {
	for sentence, lose := range map[string]func(w *reconciletest.World){
		"it was deleted":  func(w *reconciletest.World) { w.Policy = nil },
		"its binding was": func(w *reconciletest.World) { w.Policy.Problem = "its binding does not exist" },
		"certsync may not read it": func(w *reconciletest.World) {
			w.Policy = &reconcile.RevocationPolicy{Problem: "certsync may not read it"}
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := hourLater(t)
			inv := reconciletest.Parse(t, reconciletest.Team)
			if p := w.Plan(inv); p.Changes() {
				t.Errorf("without a policy: %q", reconciletest.Lines(p))
			}
			w.Policy = w.NewPolicy()
			w.Rules.Revoke = []string{"alice"}
			w.MustApply(inv)
			lose(w)
			w.Rules.Revoke = []string{"bob"}
			o, err := w.Apply(inv)
			if err != nil || o.Failed() != 1 || len(o.Plan.Held()) != 1 || !strings.Contains(o.Plan.Held()[0].Held, "certsync manifests --revocation") {
				t.Errorf("%v, %d failed, held %+v", err, o.Failed(), o.Plan.Held())
			}
			if len(w.Served("bob#3")) != 2 || len(w.Served("bob")) > 0 {
				t.Errorf("bob has %q, bob#3 %q", w.Served("bob"), w.Served("bob#3"))
			}
			w.Rules.Revoke = nil
			w.Now = w.Now.AddDate(0, 0, 8)
			w.Apply(inv)
			w.MustApply(inv)
			if w.State.Admission {
				t.Error("the state still wants the policy, which would deny nothing")
			}
		})
	}
}

// TestPolicyThatGoesDuringARun: a policy that the first plan saw, and the one under the lock cannot read, fails the run, although
// no state knows of it yet. Everything else is done.
func TestPolicyThatGoesDuringARun(t *testing.T) {
	w := hourLater(t)
	policy := w.NewPolicy()
	w.Policy = policy
	inv := reconciletest.Parse(t, reconciletest.Team)
	w.Unseen, w.Rules.Revoke = true, []string{"alice"}
	w.Fail = func(call string) error {
		if call == "lock" {
			w.Policy = &reconcile.RevocationPolicy{Problem: "certsync may not read it"}
		}
		return nil
	}
	o, err := w.Apply(inv)
	held := slices.ContainsFunc(o.Plan.Held(), func(s reconcile.Step) bool {
		return s.Kind == reconcile.AdmissionPolicy && s.HeldBy == reconcile.ByConflict
	})
	if err != nil || !held || !w.State.Admission {
		t.Errorf("%v, %q, recorded: %t", err, reconciletest.Results(o), w.State.Admission)
	}
	onlyEpoch(t, w, "alice#2", "alice")
	w.Fail, w.Policy, w.Rules.Revoke = nil, policy, nil
	w.MustApply(inv)
	if diff := cmp.Diff([]string{"alice"}, listed(w)); diff != "" {
		t.Error(diff)
	}
}

// TestPolicyWriteFails: the run goes on, reports the failure, and the next run writes the list.
func TestPolicyWriteFails(t *testing.T) {
	w := hourLater(t)
	w.Policy = w.NewPolicy()
	inv := reconciletest.Parse(t, reconciletest.Team)
	w.Rules.Revoke = []string{"alice"}
	w.Fail = reconciletest.Failing("deny", reconciletest.ErrBoom)
	if o, err := w.Apply(inv); err != nil || o.Failed() != 1 {
		t.Errorf("%v, %d failed", err, o.Failed())
	}
	onlyEpoch(t, w, "alice#2", "alice")
	w.Fail, w.Rules.Revoke = nil, nil
	w.MustApply(inv)
	if diff := cmp.Diff([]string{"alice"}, listed(w)); diff != "" {
		t.Error(diff)
	}
}

// TestPolicyOfAPolicy: a run that may take nothing away denies nobody anything more.
func TestPolicyOfAPolicy(t *testing.T) {
	w := hourLater(t)
	inv := reconciletest.Parse(t, reconciletest.Team)
	w.Rules.Revoke = []string{"alice"}
	w.MustApply(inv)
	w.Policy = w.NewPolicy()
	w.Rules = reconcile.Rules{Policy: reconcile.UpsertOnly}
	if _, err := w.Apply(inv); err != nil {
		t.Fatal(err)
	}
	if got := listed(w); len(got) > 0 {
		t.Errorf("%q", got)
	}
	w.Rules = reconcile.Rules{}
	w.MustApply(inv)
	if diff := cmp.Diff([]string{"alice"}, listed(w)); diff != "" {
		t.Error(diff)
	}
}

// TestResidualAccess: what bindings of others give to a revoked certificate is noted once, by its name, its groups and everybody's.
func TestResidualAccess(t *testing.T) {
	w := hourLater(t)
	inv := reconciletest.Parse(t, reconciletest.Team)
	group := reconcile.Subject{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: "devs"}
	w.RoleRules = map[reconcile.Role][]reconcile.Rule{{Name: "view"}: {reconciletest.Rule("get", "", "pods")}}
	for i, s := range []reconcile.Subject{reconcile.UserSubject("alice"), group, reconcile.UserSubject("alice#2")} {
		w.Plant(reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Name: fmt.Sprint("other", i), RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: "view"}, Subjects: []reconcile.Subject{s}})
	}
	w.Rules.Revoke = []string{"alice"}
	w.MustApply(inv)
	w.Rules.Revoke = nil
	var got []string
	for _, n := range w.Plan(inv).Notes {
		if n.Kind == reconcile.ResidualAccess {
			got = append(got, n.User+": "+n.Message)
		}
	}
	want := []string{"alice: revoked certificates still get access from bindings that are not this owner's: ClusterRoleBinding other0 (ClusterRole/view), " +
		"ClusterRoleBinding other1 (ClusterRole/view) (certsync revocations lists the rules)"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestPolicyInBatches: certificates that are exchanged in batches are denied with their batch. If the signer stops, the users of
// later batches go on writing with theirs, and the next run denies them.
func TestPolicyInBatches(t *testing.T) {
	w := hourLater(t)
	w.Policy = w.NewPolicy()
	inv := reconciletest.Parse(t, "defaults: {revokedBefore: "+w.Now.Add(-time.Minute).Format(time.RFC3339)+"}\n"+reconciletest.Team)
	w.Rules.BatchSize = 1
	w.Rules.MaxRemovals = reconciletest.Limit(t, "9")
	w.Fail = reconciletest.Failing("issue bob", reconcile.ErrNotIssued)
	if o, err := w.Apply(inv); err != nil || o.Failed() == 0 {
		t.Errorf("%v, %d failed", err, o.Failed())
	}
	if diff := cmp.Diff([]string{"alice", "bob"}, listed(w)); diff != "" || len(w.Served("carol")) != 1 {
		t.Errorf("%s; carol has %q", diff, w.Served("carol"))
	}
	w.Fail = nil
	w.MustApply(inv)
	if diff := cmp.Diff([]string{"alice", "bob", "carol"}, listed(w)); diff != "" {
		t.Error(diff)
	}
	if p := w.Plan(inv); p.Changes() {
		t.Errorf("once more: %q", reconciletest.Lines(p))
	}
}
