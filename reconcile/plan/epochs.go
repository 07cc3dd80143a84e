package plan

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// maxForeignEpoch is the highest number that counts of those in bindings, which others can write. It leaves room to count on: a
// number that overflows would be the first epoch. The lock reads numbers below 2^62.
const maxForeignEpoch = 1 << 61

// maxForeignStep is how far above the counter a number in a ledger record counts, where the lock does not tell: as many as ten
// revocations of everybody give. A forged number must not make the names of others too long.
const maxForeignStep = 10 * reconcile.MaxNames

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
	// lostEpochs and lostUntil are the state's, see reconcile.State.
	lostEpochs int64
	lostUntil  time.Time
}

// beginEpochs decides on every name that the inventory or the index has. A name begins a new epoch in these cases:
//
//	the index                | asked for                           | why
//	may lack a revocation    | any                                 | everybody: it is not known whose certificates are void
//	lacked one not long ago  | any                                 | names that are new to it, or in an epoch from then: the same
//	left, may live           | any                                 | the user who left keeps the certificate
//	may live                 | --revoke, revokedBefore after since | the certificates from before are void
//	may live                 | a run without Vault, at the lock    | the same
//	unknown                  | revokedBefore                       | certificates made by hand get nothing
//	unknown, left            | by a team, and others serve it      | a team cannot give what others give to the name
//
// Numbers are given in the order of the names, so that the same inputs give the same plan.
func (x *Index) beginEpochs() {
	x.epochs = epochs{counter: x.counter(), of: map[string]int64{}, raised: map[string]bool{}, withheld: map[string]bool{}, void: map[string]bool{}}
	e := &x.epochs
	for name, n := range x.names {
		e.of[name], e.counter = n.Epoch, max(e.counter, n.Epoch)
	}
	if x.grants == nil { // the index may be behind
		for name, epoch := range x.boundEpochs() {
			e.of[name] = max(e.of[name], epoch)
		}
	}
	lacking := x.lacksRevocations()
	if s := x.Observed.State; s != nil && s.LostUntil.After(x.Observed.At) {
		e.lostEpochs, e.lostUntil = s.LostEpochs, s.LostUntil
	}
	if lacking {
		e.lostEpochs = e.counter
	}
	if lacking || x.grants == nil { // the index may also lack names
		// Kubernetes' own signer gives certificates for a year at most, unless it is told otherwise.
		e.lostUntil = x.Observed.At.Add(reconcile.Retention)
	}
	for _, name := range slices.Sorted(maps.Keys(x.Active)) {
		left := x.outlived(name) || x.doubtful(name) || x.borrowed(x.Users[name])
		revoked := x.revokes(x.Users[name])
		next := e.counter + 1
		switch {
		case revoked && !lacking && !left && x.protects(name) && !x.revokedAtLock(name):
			e.withheld[name] = true
		case !lacking && !left && !revoked:
		case namedByTeam(x, x.Users[name]) != "":
			e.void[name] = x.outlived(name) // it is refused, and stays new
		case reconcile.TooLong(reconcile.Username(name, next)):
			e.void[name] = true
		default:
			e.counter, e.of[name], e.raised[name] = next, next, true
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
	for _, epoch := range x.boundEpochs() {
		n = max(n, epoch)
	}
	return n
}

// boundEpochs has the latest epoch of each name in our ClusterRoleBindings.
func (x *Index) boundEpochs() map[string]int64 {
	epochs := map[string]int64{}
	for _, b := range x.Ours {
		for _, s := range b.Subjects {
			if name, epoch := reconcile.Person(s.Name); b.Kind == reconcile.ClusterRoleBinding {
				epochs[name] = max(epochs[name], min(epoch, maxForeignEpoch))
			}
		}
	}
	return epochs
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

// doubtful reports whether certificates of a name may be void that were revoked before the index was restored or lost.
func (x *Index) doubtful(name string) bool {
	return x.epochs.lostEpochs > 0 && x.names[name].Epoch <= x.epochs.lostEpochs
}

// borrowed reports whether a team names somebody new to whom bindings of others give something.
func (x *Index) borrowed(u inventory.User) bool {
	n, indexed := x.names[u.Name]
	return u.Team != "" && (!indexed || n.Left) && len(x.serves[reconcile.UserSubject(u.Name)]) > 0
}

// begins reports whether the index has to be written for it: somebody begins a new epoch, or is void from now on.
func (x *Index) begins() bool {
	for name, void := range x.epochs.void {
		if void && x.indexed(name) && !x.names[name].Left {
			return true
		}
	}
	return len(x.epochs.raised) > 0
}

// revokes reports whether somebody asks for the end of a user's certificates, and some may live.
func (x *Index) revokes(u inventory.User) bool {
	n, living := x.living(u.Name)
	before := u.RevokedBefore
	if before.After(x.now()) {
		before = x.Inventory.Defaults.RevokedBefore // a time that lies ahead does not put off everybody's
	}
	switch {
	case x.revokedAtLock(u.Name):
	case !x.rules.Policy.Takes() && x.indexed(u.Name):
		return false // a policy that takes nothing revokes nobody whom certsync has given something
	case slices.Contains(x.rules.Revoke, u.Name):
	case before.IsZero() || before.After(x.now()):
		return false
	default:
		living = living && n.Since.Before(before)
	}
	return living || !x.indexed(u.Name)
}

// revokedAtLock reports whether a run without Vault has revoked a user's certificates since the present epoch began. That run has
// taken everything, so neither a policy nor a protection keeps the next epoch from beginning: the old name would get it all back.
func (x *Index) revokedAtLock(user string) bool {
	at, revoked := x.Observed.Revoked[user]
	return revoked && !at.Equal(x.names[user].Revoked)
}

// staysRevoked has the revocations that stay at the lock when the index is written, nil if all of them do. Those of users who begin
// a new epoch go, and so do those of users whom the index then calls gone: they begin one when they return.
func staysRevoked(x *Index, next reconcile.State) map[string]time.Time {
	if len(x.Observed.Revoked) == 0 {
		return nil
	}
	stays := maps.Clone(x.Observed.Revoked)
	maps.DeleteFunc(stays, func(name string, _ time.Time) bool {
		_, inInventory := x.Users[name]
		_, living := x.living(name)
		open := living || inInventory && !x.indexed(name)
		return !open || !x.revokedAtLock(name) || x.epochs.raised[name] || next.Names[name].Left
	})
	if len(stays) == len(x.Observed.Revoked) {
		return nil
	}
	return stays
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
	until := x.names[user].Until
	if x.doubtful(user) {
		until = x.epochs.lostUntil
	}
	if until.IsZero() {
		return "its certificates are revoked, and the name is too long for a later epoch: over 64 bytes with the number (give the user a shorter name)"
	}
	return fmt.Sprintf("its certificates are revoked, and the name is too long for a later epoch (over 64 bytes with the number); nothing is issued before they end at %s "+
		"(do not wait: give the user a shorter name, with this one in previously)", reconcile.TimeText(until))
}

// revocationNotes notes what the lock says of revocations, and a revokedBefore that lies ahead.
func revocationNotes(x *Index) []reconcile.Note {
	var all []reconcile.Note
	for name, at := range x.Observed.Revoked {
		if x.revokedAtLock(name) {
			all = append(all, reconcile.Note{User: name, Kind: reconcile.RevokedAtLock, Message: fmt.Sprintf(
				"a run without Vault revoked the user's certificates at %s; the lock records this until a run with Vault begins the user's next epoch", reconcile.TimeText(at))})
		}
	}
	for _, u := range x.Inventory.Users {
		if at := u.RevokedBefore; x.Active[u.Name] && at.After(x.now()) {
			all = append(all, reconcile.Note{User: u.Name, Kind: reconcile.RevocationAhead, Until: &at, Message: "revokedBefore is in the future; the first apply after it revokes the older certificates"})
		}
	}
	return all
}
