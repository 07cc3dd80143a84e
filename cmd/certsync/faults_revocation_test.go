package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"

	"github.com/certsync/certsync/e2e/fake"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/deploy"
	"github.com/certsync/certsync/reconcile/revocation"
)

// policyName is the admission policy of the owner.
const policyName = "ValidatingAdmissionPolicy certsync-prod-eu-revoked"

// deniedBy lists whose certificates the admission policy denies; nil without one.
func deniedBy(w *fake.World) []string {
	var policy admissionv1.ValidatingAdmissionPolicy
	if json.Unmarshal([]byte(w.Dump()[policyName]), &policy) != nil || policy.Name == "" {
		return nil
	}
	var expressions []string
	for _, v := range policy.Spec.Validations {
		expressions = append(expressions, v.Expression)
	}
	entries, _ := revocation.ParseDenials(expressions)
	users := []string{}
	for _, e := range entries {
		user, _ := reconcile.Person(e.Username)
		users = append(users, user)
	}
	return reconcile.SortedSet(users)
}

// revocations are runs that have to end what earlier certificates give.
var revocations = []scenario{
	{
		// Another owner, whose name begins like this one's, has the same people.
		name: "revocation of one", inventory: company, once: []string{"--revoke=alice"},
		before: []applied{{inventory: company}, {inventory: changed("owner: prod-eu", "owner: prod-eu-2")}},
	},
	{
		// Alice gets another role at the same time, and so do the developers.
		name: "revocation of several", before: []applied{{inventory: company}},
		change: aMoment,
		inventory: changed("name: alice,", "name: alice, revokedBefore: $NOW,", "name: carol,", "name: carol, revokedBefore: $NOW,",
			"[view]", "[edit]", "[node-reader]", "[secret-reader]"),
	},
	{
		name: "revocation of everybody", before: []applied{{inventory: company}}, change: aMoment,
		inventory: changed("defaults: {", "defaults: {revokedBefore: $NOW, "),
	},
	{
		name: "revocation with the admission policy", inventory: company, once: []string{"--revoke=alice"},
		before: []applied{{inventory: company}}, yields: []string{policyName},
		change: func(w *fake.World) {
			for _, object := range deploy.RevocationPolicy("prod-eu", nil) {
				w.Add(object)
			}
		},
	},
	{
		name: "revocation of a user's own key", before: []applied{{inventory: own("alice.csr")}}, inventory: own("alice#2.csr"),
		once: []string{"--revoke=alice"},
	},
	{
		name: "return in a later epoch", inventory: company,
		before: []applied{{inventory: company}, {inventory: company, args: []string{"--revoke=alice"}}, {inventory: withoutAlice}},
	},
	{
		// Alice was revoked after the backup.
		name: "restored state", inventory: company, args: []string{"--accept-rollback"},
		before: []applied{{inventory: company}, {inventory: company, args: []string{"--revoke=alice"}, restored: ownFolder + "/state"}},
	},
	{
		// Alice was revoked after the backup, and left.
		name: "restored Vault", inventory: withoutAlice, args: []string{"--accept-rollback"},
		before: []applied{{inventory: company}, {inventory: company, args: []string{"--revoke=alice"}, restored: ownFolder}},
	},
	{
		name: "lost state", inventory: company, args: []string{"--new-ledger"},
		before: []applied{{inventory: company}, {inventory: company, args: []string{"--revoke=alice"}}},
		change: func(w *fake.World) { w.DropSecret(ownFolder + "/state") },
	},
	{
		name: "lost Lease", inventory: company, args: []string{"--accept-rollback"},
		before: []applied{{inventory: company}, {inventory: company, args: []string{"--revoke=alice"}}},
		change: func(w *fake.World) { w.Remove(lockName) },
	},
}

// aMoment lets $NOW pass: the servers' clocks tell whole seconds.
func aMoment(w *fake.World) { w.Advance(2 * time.Second) }

// TestRevocationOfOneIsOneRequest: to revoke one user's certificates takes one request for a certificate, one approval, and writes
// to what is the user's alone, beside the state, the lock and the bindings of the user's group.
func TestRevocationOfOneIsOneRequest(t *testing.T) {
	p := prepare(t, newLab(t, 1), revocations[0], 1)
	var writes []string
	for _, c := range p.calls {
		if writing(c) {
			writes = append(writes, c.String())
		}
	}
	want := []string{ // sorted by their names
		"DELETE clusterrolebindings certsync:prod-eu:user:alice:node-reader",
		"PATCH clusterrolebindings certsync:prod-eu:group:developers:view",
		"PATCH clusterrolebindings certsync:prod-eu:group:developers:view (2)",
		"PATCH rolebindings staging/certsync:prod-eu:group:developers:edit",
		"PATCH rolebindings staging/certsync:prod-eu:group:developers:edit (2)",
		"POST certificatesigningrequests for alice#2",
		"POST clusterrolebindings",
		"POST events",
		"PUT certificatesigningrequests/approval for alice#2",
		"PUT leases kube-system/certsync-prod-eu",
		"PUT leases kube-system/certsync-prod-eu (2)",
		"PUT leases kube-system/certsync-prod-eu (3)",
		"PUT secret/data/certsync/prod-eu/ledger/alice",
		"PUT secret/data/certsync/prod-eu/state",
		"PUT secret/data/certsync/prod-eu/users/alice",
		"PUT secret/destroy/certsync/prod-eu/users/alice",
	}
	if diff := cmp.Diff(want, writes); diff != "" {
		t.Error(diff)
	}
}
