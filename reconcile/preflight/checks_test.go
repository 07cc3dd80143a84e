package preflight

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/pki"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestEachBindingIsTriedOnce: one dry run for each role in each place, also where the verb bind is granted.
func TestEachBindingIsTriedOnce(t *testing.T) {
	f, p := flight(t)
	f.Inventory = reconciletest.Parse(t, `groups: [{name: devs, clusterRoles: [view]}]
users:
  - {name: alice, clusterRoles: [view, edit], namespaces: {staging: [view]}}
  - {name: bob, groups: [devs], clusterRoles: [view], namespaces: {staging: [view], nowhere: [view]}}`)
	f.Do(t.Context())
	slices.Sort(p.tried)
	const us = "certsync:test:user:certsync-preflight:"
	want := []string{"ClusterRoleBinding " + us + "edit", "ClusterRoleBinding " + us + "view", "RoleBinding staging/" + us + "view"}
	if diff := cmp.Diff(want, p.tried); diff != "" {
		t.Error(diff)
	}
}

// TestRightsForLeavers: Vault is asked what the removal of those takes who are in the ledger and not in the inventory.
func TestRightsForLeavers(t *testing.T) {
	f, p := flight(t)
	p.MustApply(reconciletest.Parse(t, "users: [{name: bob}]"))
	f.Do(t.Context())
	if diff := cmp.Diff([]string{"alice", "bob"}, p.needed.Delete); diff != "" {
		t.Error(diff)
	}
}

// TestPreflightLeavesNoRequest: what was issued is deleted, whatever comes of it.
func TestPreflightLeavesNoRequest(t *testing.T) {
	for _, trusted := range []bool{true, false} {
		f, p := flight(t)
		if !trusted {
			p.Login = func(reconcile.Identity) (reconcile.Identity, error) {
				return reconcile.Identity{}, reconcile.ErrNotTrusted
			}
		}
		f.Do(t.Context())
		if len(p.deleted) != 1 || p.deleted[0].UID == "" {
			t.Errorf("trusted %t: deleted were %v", trusted, p.deleted)
		}
	}
}

// TestPreflightByCA: a CA of certsync's own is compared with the front proxy's, whether the API servers publish it or not.
func TestPreflightByCA(t *testing.T) {
	f, p := flight(t)
	ca := reconciletest.Authority{Cert: p.CA, Key: p.CAKey, Now: p.Now}
	f.CA = ca.Issuer(t)
	f.OpenIssuer = func(reconcile.Identity) reconcile.Issuer { return f.CA }
	if report := f.Do(t.Context()); !report.OK() || report.Count(Passed) != 22 {
		t.Errorf("%+v", report)
	}
	p.World.FrontProxy.CAs = []byte(pki.LeafPEM(p.CA))
	f.Issue = false
	report := f.Do(t.Context())
	if i := slices.IndexFunc(report.Checks, func(c Check) bool { return c.Name == "front proxy" }); report.Checks[i].Verdict != Broken {
		t.Errorf("%+v", report.Checks[i])
	}
}

// TestPreflightJSON: programs are told as much as people.
func TestPreflightJSON(t *testing.T) {
	text, err := json.Marshal(Report{"prod-eu", []Check{
		{"a", Passed, "well", ""}, {"b", NotChecked, "needs a", ""}, {"c", Broken, "gone", "bring it back"}}})
	const want = `{"formatVersion":"1","ok":false,"complete":false,"owner":"prod-eu","checks":[{"name":"a","result":"ok","detail":"well"},` +
		`{"name":"b","result":"not-checked","detail":"needs a"},{"name":"c","result":"failed","detail":"gone","hint":"bring it back"}]}`
	if err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
}
