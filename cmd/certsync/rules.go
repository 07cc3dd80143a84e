package main

import (
	"fmt"
	"strings"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// ruleFlags say what plan and apply may do, and lift refusals. Each flag lifts one refusal.
type ruleFlags struct {
	MaxRemovals reconcile.Limit  `default:"25%" placeholder:"N|N%" help:"Refuse to remove more than this of the owner's users, or of its bindings, or of the subjects in them (default: ${default}, at least 1)."`
	Protect     []string         `placeholder:"NAME" help:"Refuse to take anything from this user, as from the one who runs certsync. Repeatable."`
	Policy      reconcile.Policy `enum:"sync,upsert-only,create-only" default:"sync" placeholder:"sync|upsert-only|create-only" help:"create-only issues and binds; upsert-only also renews, reissues and adds subjects; the rest is shown as held (default: ${default})."`
	Drift       bool             `help:"Correct drift only: refuse an inventory other than the one that was applied last."`
	Namespace   string           `default:"certsync" placeholder:"NAME" help:"Where certsync's own job runs, see certsync manifests: who else gets something there is noted (default: ${default})."`

	Revoke            []string   `placeholder:"NAME" help:"Make this user's certificates void: they get a new one under another name in Kubernetes, and the old ones get nothing that certsync gives. Repeatable."`
	Retry             []string   `placeholder:"NAME" help:"Ask again for this user's certificate, which was denied. Repeatable."`
	Adopt             []adoption `placeholder:"users/NAME" help:"Take over what stands at this user's place in Vault and is not certsync's: it is overwritten and destroyed. Repeatable."`
	AllowEmpty        bool       `help:"Let an inventory without users take everybody's access."`
	MoveToThisCluster bool       `help:"Let an owner whose last run was on another cluster be applied to this one; every credential is made anew."`
	NewLedger         bool       `help:"Begin a new state from ledger and inventory, although the cluster has been certsync's before."`
	AcceptRollback    bool       `help:"Take a state that is older than the one that was last written, as after Vault was restored from a backup, or of which no Lease tells."`
	sharedCAFlags     `group:"Guards, and what lifts them:"`
}

// sharedCAFlags lift a refusal that plan, apply and preflight share.
type sharedCAFlags struct {
	AcceptSharedCA bool `name:"accept-shared-ca" help:"Give out certificates although the cluster's CA is its front proxy's too, so that anybody who has one can be whoever they like."`
}

// adoption is the value of --adopt: the user in users/NAME, as the paths in Vault are called.
type adoption string

// UnmarshalText refuses text that is no such path.
func (a *adoption) UnmarshalText(text []byte) error {
	name, ok := strings.CutPrefix(string(text), "users/")
	if !ok || !inventory.ValidName(name) {
		return fmt.Errorf("expected users/NAME, got %q", text)
	}
	*a = adoption(name)
	return nil
}

// rules returns the rules of a run by the identity self, in whatever epoch, whose Lease is in the namespace lock.
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
