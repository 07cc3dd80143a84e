package main

import (
	"cmp"

	"github.com/certsync/certsync/cmd/certsync/internal/flagvalue"
	"github.com/certsync/certsync/reconcile"
)

// ruleFlags limit what plan and apply may do, or lift one refusal each.
type ruleFlags struct {
	MaxRemovals reconcile.Limit  `default:"25%" placeholder:"N|N%" help:"Refuse to remove more than this number or share of the owner's users, bindings, or subjects in bindings. Each is counted separately (default: ${default}, at least 1)."`
	Protect     []string         `placeholder:"NAME" help:"Refuse to take access from this user. The user who runs certsync is always protected. Repeatable."`
	Policy      reconcile.Policy `enum:"sync,upsert-only,create-only" default:"sync" placeholder:"sync|upsert-only|create-only" help:"create-only only issues and binds. upsert-only also renews, reissues and adds subjects. sync does everything. The plan shows other changes as held (default: ${default})."`
	Drift       bool             `help:"Only correct drift: refuse an inventory that differs from the one that was applied last."`
	jobFlags

	Revoke            []string             `placeholder:"NAME" help:"Revoke this user's certificates. The user gets a new certificate with a new Kubernetes name, and certsync binds only that name. Repeatable."`
	Retry             []string             `placeholder:"NAME" help:"Request this user's certificate again after it was denied. Repeatable."`
	Adopt             []flagvalue.Adoption `placeholder:"users/NAME" help:"Take over this user's path in Vault although certsync did not write it. certsync overwrites and destroys its content. Repeatable."`
	AllowEmpty        bool                 `help:"Allow an inventory without users. All users then lose their access."`
	MoveToThisCluster bool                 `help:"Allow this inventory on this cluster although the owner's last run was on another one. certsync reissues every credential."`
	NewLedger         bool                 `help:"Start a new state from the ledger and the inventory, although certsync has used this cluster for the owner before."`
	AcceptRollback    bool                 `help:"Accept an old state in Vault, for example after a restore from a backup. Also accept a state without a Lease to compare it with."`
	sharedCAFlags     `group:"Guards, and flags that lift them:"`
}

// AfterApply is called by kong after parsing, also for an empty flag.
func (f ruleFlags) AfterApply() error {
	return cmp.Or(flagvalue.RefuseEmpty("--protect", f.Protect), flagvalue.RefuseEmpty("--revoke", f.Revoke),
		flagvalue.RefuseEmpty("--retry", f.Retry), flagvalue.RefuseEmpty("--adopt", f.Adopt))
}

// jobFlags name the namespace of the CronJob.
type jobFlags struct {
	Namespace string `default:"certsync" placeholder:"NAME" help:"Namespace of the CronJob (see certsync manifests). No selector of the inventory matches it, and the plan notes other users who get access to it (default: ${default})."`
}

// own returns the rules on certsync's own namespaces.
func (f jobFlags) own(lock string) reconcile.Rules {
	return reconcile.Rules{Namespace: f.Namespace, LockNamespace: lock}
}

// sharedCAFlags lift a refusal that plan, apply and preflight share.
type sharedCAFlags struct {
	AcceptSharedCA bool `name:"accept-shared-ca" help:"Issue certificates although the cluster's front proxy trusts the same CA. Each user with a certificate can then impersonate any other."`
}

// rules returns the rules of a run by the identity self, in any epoch. Its Lease is in the namespace lock.
func (f ruleFlags) rules(self reconcile.Identity, lock string) reconcile.Rules {
	person, _ := reconcile.Person(self.Name)
	r := reconcile.Rules{
		Namespace: f.Namespace, LockNamespace: lock,
		MaxRemovals: f.MaxRemovals, Protect: f.Protect, Policy: f.Policy, Drift: f.Drift, Self: person,
		Revoke: f.Revoke, Retry: f.Retry, AllowEmpty: f.AllowEmpty, MoveToThisCluster: f.MoveToThisCluster,
		NewLedger: f.NewLedger, AcceptRollback: f.AcceptRollback, AcceptSharedCA: f.AcceptSharedCA,
	}
	for _, a := range f.Adopt {
		r.Adopt = append(r.Adopt, string(a))
	}
	return r
}
