package main

import (
	"strings"
	"time"

	"github.com/certsync/certsync/e2e/fake"
)

// scenario is a run of certsync that has something to do.
type scenario struct {
	name   string
	before []applied // in this order, each without a fault
	// change is what happens in the world after that.
	change func(*fake.World)
	// settings of the world during the run that meets the fault, and those after it.
	settings  fake.Settings
	inventory string   // $NOW is the time after all that was before
	args      []string // beside those that say where everything is; $CA_CERT and $CA_KEY are files of the cluster's CA
	// once are flags of the first run alone, once it has written the state: it has done then what they ask for, or the next run does.
	once []string
	// exit is the code of the run without a fault.
	exit int
	// yields lists objects that are not certsync's at first and that this run may take over all the same.
	yields []string
}

// applied is an earlier run.
type applied struct {
	inventory string
	args      []string
	settings  fake.Settings
	// restored is a path in Vault. After the run, what stands there and below is what stood there before.
	restored string
}

// faultOwner is the owner of all scenarios, and ownFolder its folder in Vault.
const faultOwner, ownFolder = "prod-eu", "certsync/prod-eu"

// lockName is the owner's Lease.
const lockName = "Lease kube-system/certsync-" + faultOwner

// head begins every inventory. It names the server: every run finds its world at another address.
const head = `apiVersion: certsync.dev/v1
kind: Inventory
owner: prod-eu
cluster: {name: prod-eu, server: "https://prod-eu.example.com:6443"}
defaults: {expiration: 24h}
`

// company has users with and without groups, roles cluster-wide and in a namespace.
const company = head + `groups:
  - {name: developers, clusterRoles: [view], namespaces: {staging: [edit]}}
  - {name: operators, clusterRoles: [admin]}
users:
  - {name: alice, groups: [developers], clusterRoles: [node-reader]}
  - {name: bob, groups: [developers, operators]}
  - {name: carol, namespaces: {payments: [edit]}}
`

// withoutAlice is company before her, or after.
var withoutAlice = strings.Replace(company, "  - {name: alice, groups: [developers], clusterRoles: [node-reader]}\n", "", 1)

// night is how apply is run while Vault is down.
var night = []string{"--removals-only", "--revoke=bob"}

// changed is company with other text in place of some.
func changed(oldNew ...string) string { return strings.NewReplacer(oldNew...).Replace(company) }

var scenarios = append(revocations, []scenario{
	{
		name: "first issue", inventory: company,
	},
	{
		// Alice holds a certificate in the last quarter of its life.
		name: "renewal", inventory: company,
		before: []applied{
			{inventory: withoutAlice},
			{inventory: company, settings: fake.Settings{Signer: fake.Signer{Age: 18 * time.Hour}}},
		},
	},
	{
		// Alice's credential was deleted, Bob's record is gone, and so is Carol's binding; somebody has bound Mallory.
		name: "re-issue of what was lost, and drift", inventory: company,
		before: []applied{{inventory: company}},
		change: func(w *fake.World) {
			w.DeleteSecret(ownFolder + "/users/alice")
			w.DropSecret(ownFolder + "/ledger/bob")
			w.Remove("RoleBinding payments/certsync:prod-eu:user:carol:edit")
			w.Add(binding("", "certsync:prod-eu:group:developers:view", ourLabels(), "view", "alice", "mallory"))
			w.Add(binding("", "certsync:prod-eu:user:mallory:admin", ourLabels(), "admin", "mallory"))
		},
	},
	{
		name: "re-issue for another server", before: []applied{{inventory: small("old.example.com")}},
		inventory: small("new.example.com"),
	},
	{
		name: "role change", before: []applied{{inventory: company}},
		inventory: changed("[view]", "[edit]", "{staging: [edit]}", "{staging: [admin]}", "[node-reader]", "[secret-reader]"),
	},
	{
		name: "group change", before: []applied{{inventory: company}}, args: []string{"--max-removals=50%"},
		inventory: changed("alice, groups: [developers]", "alice, groups: [operators]", "[developers, operators]", "[developers]"),
	},
	{
		// Alice leaves, Carol's access ends, and so does a role of Bob's group.
		name: "removal", before: []applied{{inventory: company}}, args: []string{"--max-removals=100%"},
		inventory: strings.NewReplacer("name: carol,", "name: carol, until: 2020-01-31,",
			"clusterRoles: [admin]", "clusterRoles: [{name: admin, until: 2020-01-31}]").Replace(withoutAlice),
	},
	{
		name: "back again", before: []applied{{inventory: company}, {inventory: withoutAlice}},
		inventory: company,
	},
	{
		name: "rename", before: []applied{{inventory: company}},
		inventory: changed("name: alice,", "name: alicia, previously: [alice],"),
	},
	{
		// Somebody took the labels off a binding, and wrote a secret and a record of their own.
		name: "adoption", inventory: company, before: []applied{{inventory: company}},
		change: func(w *fake.World) {
			w.Add(binding("", "certsync:prod-eu:group:developers:view", nil, "view", "alice", "mallory"))
			w.WriteSecret(ownFolder+"/users/bob", map[string]string{"kubeconfig": "of somebody else"})
			w.WriteSecret(ownFolder+"/ledger/carol", map[string]string{"state": "of somebody else"})
		},
		args:   []string{"--adopt=users/bob", "--adopt=users/carol"},
		yields: []string{"ClusterRoleBinding certsync:prod-eu:group:developers:view"},
	},
	{
		// What is not adopted is held for those whom it is about, and Alice leaves all the same.
		name: "held", inventory: withoutAlice, before: []applied{{inventory: company}},
		change: func(w *fake.World) {
			w.WriteSecret(ownFolder+"/users/bob", map[string]string{"kubeconfig": "of somebody else"})
		},
		args: []string{"--hold"}, exit: exitError,
	},
	{
		// They approve only after certsync has looked, so that it has to wait for them.
		name: "people who approve", inventory: company, settings: fake.Settings{People: fake.ApproveRead},
		args: []string{"--approval=manual", "--approval-timeout=5s"},
	},
	{
		name: "a CA's key", inventory: company,
		args: []string{"--issuer=ca", "--ca-cert=$CA_CERT", "--ca-key=$CA_KEY"},
	},
	{
		// Vault is down. Alice has left, and Bob's key was stolen.
		name: "removals without Vault", inventory: withoutAlice, before: []applied{{inventory: company}}, args: night,
	},
	{
		// Vault is back: Alice's credential goes, and Bob gets a new one under another name.
		name: "after removals without Vault", inventory: withoutAlice, before: []applied{{inventory: company}, {inventory: withoutAlice, args: night}},
	},
	{
		// Alice's key is hers alone: it outlives a run that is cut off.
		name: "a user's own key", inventory: own("alice.csr"),
	},
	{
		// People approve the request as soon as it exists, whatever certsync has written by then.
		name: "another key of the user's own", inventory: own("alice-2.csr"), before: []applied{{inventory: own("alice.csr")}},
		settings: fake.Settings{People: fake.Approve}, args: []string{"--approval=manual", "--approval-timeout=5s"},
	},
}...)

// ownRequests are the files of requests that alice has made with keys of her own.
var ownRequests = []string{"alice.csr", "alice-2.csr", "alice#2.csr"}

// own is an inventory in which alice has a request of her own.
func own(request string) string {
	return head + `groups:
  - {name: developers, clusterRoles: [view]}
users:
  - {name: alice, groups: [developers], clusterRoles: [node-reader], request: ` + request + `}
  - {name: bob, clusterRoles: [view]}
`
}

// small is an inventory of two users for that server.
func small(server string) string {
	return `apiVersion: certsync.dev/v1
kind: Inventory
owner: prod-eu
cluster: {name: prod-eu, server: "https://` + server + `"}
defaults: {expiration: 24h}
users:
  - {name: alice, clusterRoles: [view]}
  - {name: bob, clusterRoles: [view]}
`
}
