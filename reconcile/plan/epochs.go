package plan

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// maxForeignEpoch is the highest number that counts of those in bindings and records, which others can write. It leaves room to
// count on: a number that overflows would be the first epoch. The lock reads numbers below 2^62.
const maxForeignEpoch = 1 << 61

// epochs has the epoch of each name, and the names that begin a new one.
type epochs struct {
	counter int64            // of the owner: the last number that was given
	of      map[string]int64 // by user
	raised  map[string]bool  // users who begin a new epoch in this plan
	// withheld has protected users: something revokes their certificates, and a guard refuses it.
	withheld map[string]bool
	// void has names that need a later epoch and get none. They are too long, or a team names an administrator. Nothing is
	// bound to them.
	void map[string]bool
}

// beginEpochs decides on every name that the inventory or the index has. A name begins a new epoch in these cases:
//
//	the index                | asked for                           | why
//	may lack a revocation    | any                                 | everybody in either: it is not known whose certificates are void
//	left, may live           | any                                 | the user who left keeps the certificate
//	may live                 | --revoke, revokedBefore after since | the certificates from before are void
//	unknown                  | revokedBefore                       | certificates made by hand get nothing
//	unknown, left            | by a team, and others serve it      | a team cannot give what others give to the name
//
// Numbers are given in the order of the names, so that the same inputs give the same plan.
func (x *Index) beginEpochs() {
	x.epochs = epochs{counter: x.counter(), of: map[string]int64{}, raised: map[string]bool{}, withheld: map[string]bool{}, void: map[string]bool{}}
	e := &x.epochs
	for name, n := range x.names {
		e.of[name] = n.Epoch
	}
	lacking, names := x.lacksRevocations(), maps.Clone(x.Active)
	for name := range x.names {
		if lacking { // who is absent may come back
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		left := x.outlived(name) || x.borrowed(x.Users[name])
		revoked := x.rules.Policy.Takes() && x.revokes(x.Users[name])
		// The ledger may know a higher number for its own user than the counter is. It does not move the counter for others.
		next := max(e.counter, x.epoch(name)) + 1
		switch {
		case revoked && !lacking && !left && x.protects(name):
			e.withheld[name] = true
		case !lacking && !left && !revoked:
		case namedByTeam(x, x.Users[name]) != "":
			e.void[name] = x.outlived(name) // it is refused, and stays new
		case reconcile.TooLong(reconcile.Username(name, next)):
			e.void[name] = true
		default:
			e.counter++
			e.of[name], e.raised[name] = next, true
		}
	}
}

// counter is the highest number that was given, as far as the lock, the state and our ClusterRoleBindings know. Only certsync and
// administrators write those.
func (x *Index) counter() int64 {
	n := max(x.Observed.Epochs, reconcile.FirstEpoch)
	if s := x.Observed.State; s != nil {
		n = max(n, s.Epochs)
	}
	for _, b := range x.Ours {
		for _, s := range b.Subjects {
			if _, epoch := reconcile.Person(s.Name); b.Kind == reconcile.ClusterRoleBinding {
				n = max(n, min(epoch, maxForeignEpoch))
			}
		}
	}
	return n
}

// lacksRevocations reports whether certificates may have been revoked of which the index does not know: it was restored from
// a backup, or lost.
func (x *Index) lacksRevocations() bool {
	if x.Observed.Generation == 0 { // the lock does not tell
		return x.counter() > reconcile.FirstEpoch
	}
	known := int64(reconcile.FirstEpoch)
	if s := x.Observed.State; s != nil {
		known = max(known, s.Epochs)
	}
	return x.Observed.Epochs > known
}

// borrowed reports whether a team names somebody new to whom bindings of others give something.
func (x *Index) borrowed(u inventory.User) bool {
	n, indexed := x.names[u.Name]
	return u.Team != "" && (!indexed || n.Left) && len(x.serves[reconcile.UserSubject(u.Name)]) > 0
}

// begins reports whether the index has to be written for it: somebody begins a new epoch, or is void from now on.
func (x *Index) begins() bool {
	for name, void := range x.epochs.void {
		if void && !x.names[name].Left {
			return true
		}
	}
	return len(x.epochs.raised) > 0
}

// revokes reports whether somebody asks for the end of a user's certificates, and some may live.
func (x *Index) revokes(u inventory.User) bool {
	n, living := x.living(u.Name)
	if slices.Contains(x.rules.Revoke, u.Name) {
		return living || !x.indexed(u.Name)
	}
	if u.RevokedBefore.IsZero() || u.RevokedBefore.After(x.now()) {
		return false
	}
	return living && n.Since.Before(u.RevokedBefore) || !x.indexed(u.Name)
}

// now is the API server's time, by which certificates are issued and revoked.
func (x *Index) now() time.Time {
	if x.Observed.Clock.IsZero() {
		return x.Observed.At
	}
	return x.Observed.Clock
}

// protects reports whether nothing may be taken from a user.
func (x *Index) protects(user string) bool {
	return user == x.rules.Self || slices.Contains(x.rules.Protect, user)
}

// epoch is the one that a user is in, or will be.
func (x *Index) epoch(user string) int64 { return max(x.epochs.of[user], reconcile.FirstEpoch) }

// Username is the name by which Kubernetes knows a user, or will.
func (x *Index) Username(user string) string { return reconcile.Username(user, x.epoch(user)) }

// subject is a user in bindings. Certificates with another name of the user get nothing.
func (x *Index) subject(user string) reconcile.Subject {
	return reconcile.UserSubject(x.Username(user))
}

// tooLong says why a user whose name is void gets nothing until their certificates have ended.
func tooLong(x *Index, user string) string {
	n := x.names[user]
	return fmt.Sprintf("its certificates are revoked, and the name is too long for a later epoch (over 64 bytes with the number); nothing is issued before they end at %s "+
		"(do not wait: give the user a shorter name, with this one in previously)", reconcile.TimeText(n.Until))
}

// revocationNotes notes a revokedBefore that lies ahead.
func revocationNotes(x *Index) []reconcile.Note {
	var all []reconcile.Note
	for _, u := range x.Inventory.Users {
		if at := u.RevokedBefore; x.Active[u.Name] && at.After(x.now()) {
			all = append(all, reconcile.Note{User: u.Name, Kind: reconcile.RevocationAhead, Until: &at, Message: "revokedBefore lies in the future; apply revokes the older certificates at the first run after it"})
		}
	}
	return all
}
