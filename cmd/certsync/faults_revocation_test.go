package main

import (
	"time"

	"github.com/certsync/certsync/e2e/fake"
)

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
