package plan

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// epochs is in which epoch each name is, and who begins a new one.
type epochs struct {
	counter int64            // of the owner: the number that was given last
	of      map[string]int64 // by user
	raised  map[string]bool  // who begins a new one in this plan
	// withheld has whom something revokes from whom nothing may be taken, see protection.
	withheld map[string]bool
	// void has names that need a later epoch and get none: they are too long, or a team's to whom they are not to be given.
	// Nothing is bound to them.
	void map[string]bool
}

// beginEpochs decides on every name that the inventory or the index has. When a name begins a new epoch:
//
//	the index            | asked for                          | epoch
//	behind the lock      | any                                | a new one, for everybody: nobody knows who was revoked
//	left, may live       | any                                | a new one: whoever left keeps their certificate
//	may live             | --revoke, revokedBefore after since | a new one
//	unknown              | revokedBefore                      | a new one: certificates made by hand for the name get nothing
//	unknown, left        | by a team, and others serve it     | a new one: what others give to the name is not the team's to give
//	any                  | any other                          | as before
//
// Numbers are given in the order of the names, so that the same inputs give the same plan.
func (x *Index) beginEpochs() {
	x.epochs = epochs{counter: max(x.Observed.Epochs, reconcile.FirstEpoch), of: map[string]int64{}, raised: map[string]bool{}, withheld: map[string]bool{}, void: map[string]bool{}}
	e := &x.epochs
	behind := x.Observed.Epochs > reconcile.FirstEpoch
	if s := x.Observed.State; s != nil {
		e.counter = max(e.counter, s.Epochs)
		behind = behind && x.Observed.Epochs > s.Epochs
	}
	for name, n := range x.names {
		e.of[name] = max(n.Epoch, reconcile.FirstEpoch)
	}
	for _, name := range slices.Sorted(maps.Keys(x.Active)) {
		left := x.outlived(name) || x.borrowed(x.Users[name])
		revoked := x.rules.Policy.Takes() && x.revokes(x.Users[name])
		switch {
		case revoked && !behind && !left && x.protects(name):
			e.withheld[name] = true
		case !behind && !left && !revoked:
		case namedByTeam(x, x.Users[name]) != "":
			e.void[name] = x.outlived(name) // it is refused, and stays new
		case reconcile.TooLong(reconcile.Username(name, e.counter+1)):
			e.void[name] = true
		default:
			e.counter++
			e.of[name], e.raised[name] = e.counter, true
		}
	}
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
	if u.RevokedBefore == nil || u.RevokedBefore.After(x.now()) {
		return false
	}
	return living && n.Since.Before(*u.RevokedBefore) || !x.indexed(u.Name)
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

// subject is whom bindings name for a user. Under every other of their names, a certificate gets nothing.
func (x *Index) subject(user string) reconcile.Subject {
	return reconcile.UserSubject(x.Username(user))
}

// tooLong says why a user whose name is void gets nothing until their certificates have ended.
func tooLong(x *Index, user string) string {
	n := x.names[user]
	return fmt.Sprintf("its certificates are revoked, and with the number of an epoch behind it the name would be over 64 bytes long: nothing is issued until %s, when they have ended (or under another name, with this one in previously)",
		reconcile.TimeText(n.Until))
}

// revocationNotes notes a revokedBefore that lies ahead.
func revocationNotes(x *Index) []reconcile.Note {
	var all []reconcile.Note
	for _, u := range x.Inventory.Users {
		if at := u.RevokedBefore; x.Active[u.Name] && at != nil && at.After(x.now()) {
			all = append(all, reconcile.Note{User: u.Name, Kind: reconcile.RevocationAhead, Until: at, Message: "revokedBefore lies ahead: certificates from before that time are revoked when it has come"})
		}
	}
	return all
}
