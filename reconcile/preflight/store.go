package preflight

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/refusal"
	"github.com/certsync/certsync/reconcile/retention"
)

// vault makes the checks of Vault. That it is open, knows the token and has a KV v2 mount there is known since it was
// connected to.
func (in *inspection) vault(ctx context.Context) []Check {
	return append(inOrder(ctx, in.StoreErr, []step{
		{"Vault", in.health},
		{"Vault contents", in.contents},
		{"Vault rights", in.storeRights},
	}), in.names(ctx)...)
}

func (in *inspection) health(ctx context.Context) Check {
	h, err := in.Store.Health(ctx)
	where := fmt.Sprintf("%s, folder %s of the KV v2 mount %s", h.Address, h.Folder, h.Mount)
	switch {
	case err != nil:
		return Check{Verdict: NotChecked, Detail: fmt.Sprintf("%s; %v", where, err), Hint: again(reconcile.Hint(err))}
	case h.Sealed:
		return broken(reconcile.WithHint(fmt.Errorf("%s: it is sealed", h.Address), "unseal it with `vault operator unseal`"))
	case h.Standby:
		return passed(fmt.Sprintf("%s at %s (a standby, which forwards)", h.Version, where))
	}
	return passed(fmt.Sprintf("%s at %s", h.Version, where))
}

func (in *inspection) storeRights(ctx context.Context) Check {
	needed := in.needs()
	lacks, mayAsk, err := in.Store.Lacks(ctx, needed)
	switch {
	case err != nil:
		return broken(err)
	case !mayAsk:
		return Check{Verdict: NotChecked, Detail: "the token may not read its own capabilities",
			Hint: again(`allow it "update" on sys/capabilities-self, as Vault's default policy does`)}
	case len(lacks) > 0:
		return broken(reconcile.WithHint(fmt.Errorf("the token lacks %s", strings.Join(lacks, "; ")), "add it to the token's policy"))
	}
	if err := ShortLived(in.Store.TokenLife(), in.RunTime); err != nil {
		return warning(err.Error(), reconcile.Hint(err))
	}
	return passed(fmt.Sprintf("all that the users of the inventory and of the ledger need (%d)", len(needed.Read)))
}

// ShortLived says that a token of Vault's ends while a run may still need it, or is nil. A life of 0 does not end.
func ShortLived(life, run time.Duration) error {
	if life <= 0 || life >= run {
		return nil
	}
	return reconcile.WithHint(fmt.Errorf("the Vault token expires in %s, and apply may take %s, including the wait for approval: steps after the expiry fail",
		inventory.DurationText(life), inventory.DurationText(run)),
		"renew it with `vault token renew`, use one that lives longer, or let certsync log in with --vault-auth: it then logs in again")
}

func (in *inspection) contents(ctx context.Context) Check {
	view, err := in.Store.ObserveStore(ctx)
	if err != nil {
		return broken(err)
	}
	in.store = &view
	if err := in.Store.CheckRetention(ctx); err != nil {
		return broken(err)
	}
	var problems []string
	for _, u := range in.Inventory.Users {
		if why := retention.Limits(u.Name, view.Ledger[u.Name], view.Credentials[u.Name]); why != "" {
			problems = append(problems, why)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(view.Ledger)) {
		if why := view.Ledger[name].Problem; why != "" {
			problems = append(problems, fmt.Sprintf("ledger/%s is no record of this user: %s", name, why))
		}
	}
	if len(problems) > 0 {
		return warning(strings.Join(problems, "; "), "run `certsync plan` to see what happens to these users")
	}
	return passed(fmt.Sprintf("readable: ledger/ (%d), and of users/ the metadata (%d)", len(view.Ledger), len(view.Credentials)))
}

// state compares whose cluster Vault's state is about with the one that is there.
func (in *inspection) state() Check {
	if in.store == nil || in.uid == "" || in.lock == nil {
		return notChecked("needs Vault contents, namespaces and lock")
	}
	o := reconcile.Observed{StoreView: *in.store, ClusterView: reconcile.ClusterView{UID: in.uid, Mark: in.lock.Mark, Leased: in.lock.Leased, Bindings: in.bindings}}
	if o.StateProblem != nil {
		return broken(o.StateProblem)
	}
	if why := refusal.Misplaced(in.Inventory.Owner, o, reconcile.Rules{}); why != "" {
		return broken(errors.New(why))
	}
	if n := len(in.store.Ledger) + len(in.store.Credentials); o.State == nil && n > 0 {
		return warning(fmt.Sprintf("Vault has no state, and %d entries in ledger/ and users/: the state may be lost", n),
			"check that Vault, mount and prefix are right; if the state is lost, `certsync apply --new-ledger` begins a new one")
	}
	if o.State == nil && in.bindings == nil {
		return notChecked("needs open access")
	}
	if o.State == nil {
		return passed("none yet: nothing has been applied here")
	}
	return passed(fmt.Sprintf("of this cluster, generation %d; last run %s by %q", o.State.Generation,
		reconcile.TimeText(o.State.StartedAt), o.State.StartedBy))
}
