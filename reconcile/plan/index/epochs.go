package index

import (
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

// Epochs has the epoch of each name, and the names that begin a new one.
type Epochs struct {
	Counter int64            // of the owner: the last number that was given
	of      map[string]int64 // by user
	Raised  map[string]bool  // users who begin a new epoch in this plan
	// Withheld has protected users: something revokes their certificates, and a guard refuses it.
	Withheld map[string]bool
	// Void has names that need a later epoch and get none. They are too long, or a team names an administrator. Nothing is
	// bound to them.
	Void map[string]bool
	// LostEpochs and LostUntil are the state's, see reconcile.State.
	LostEpochs int64
	LostUntil  time.Time
}

// beginEpochs decides on every name that the inventory or the index has. A name begins a new epoch in these cases:
//
//	the index                | asked for                           | why
//	may lack a revocation    | any                                 | everybody: it is not known whose certificates are void
//	lacked one not long ago  | any                                 | names that are new to it, or in an epoch from then: the same
//	left, may live           | any                                 | the user who left keeps the certificate
//	may live                 | --revoke, revokedBefore after since | the certificates from before are void
//	may live                 | a run without Vault, at the lock    | the same
//	may live, from is ahead  | the last two                        | the same: the name will get access again
//	may live, until passed   | --revoke                            | the same: until may be extended
//	unknown                  | revokedBefore                       | certificates made by hand get nothing
//	unknown, left            | by a team, and others serve it      | a team cannot give what others give to the name
//
// Numbers are given in the order of the names, so that the same inputs give the same plan.
func (x *Index) beginEpochs() {
	x.Epochs = Epochs{Counter: x.counter(), of: map[string]int64{}, Raised: map[string]bool{}, Withheld: map[string]bool{}, Void: map[string]bool{}}
	e := &x.Epochs
	for name, n := range x.Names {
		e.of[name], e.Counter = n.Epoch, max(e.Counter, n.Epoch)
	}
	if x.Grants == nil { // the index may be behind
		for name, epoch := range x.boundEpochs() {
			e.of[name] = max(e.of[name], epoch)
		}
	}
	lacking := x.lacksRevocations()
	if s := x.Observed.State; s != nil && s.LostUntil.After(x.Observed.At) {
		e.LostEpochs, e.LostUntil = s.LostEpochs, s.LostUntil
	}
	if lacking {
		e.LostEpochs = e.Counter
	}
	if lacking || x.Grants == nil { // the index may also lack names
		// Kubernetes' own signer gives certificates for a year at most, unless it is told otherwise.
		e.LostUntil = x.Observed.At.Add(reconcile.LedgerRetention)
	}
	for _, name := range slices.Sorted(maps.Keys(x.Users)) {
		if !x.Active[name] && !x.revokesAhead(name) {
			continue
		}
		_, administrators := x.OfAdministrators(x.Users[name])
		left := x.outlived(name) || x.Doubtful(name) || x.borrowed(x.Users[name])
		revoked := x.revokes(x.Users[name])
		next := e.Counter + 1
		switch {
		case revoked && !lacking && !left && x.protectsCertificates(name) && !x.RevokedAtLock(name):
			e.Withheld[name] = true
		case !lacking && !left && !revoked:
		case administrators:
			e.Void[name] = x.outlived(name) // it is refused, and stays new
		case reconcile.TooLong(reconcile.Username(name, next)):
			e.Void[name] = true
		default:
			e.Counter, e.of[name], e.Raised[name] = next, next, true
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

// Doubtful reports whether certificates of a name may be void that were revoked before the index was restored or lost.
func (x *Index) Doubtful(name string) bool {
	return x.Epochs.LostEpochs > 0 && x.Names[name].Epoch <= x.Epochs.LostEpochs
}

// borrowed reports whether a team names somebody new to whom bindings of others give something.
func (x *Index) borrowed(u inventory.User) bool {
	n, indexed := x.Names[u.Name]
	return u.Team != "" && (!indexed || n.Left) && len(x.Others(reconcile.UserSubject(u.Name))) > 0
}

// OfAdministrators returns a binding of administrators that serves somebody new whom a team has named. The inventory gives a
// team its groups. With an administrator's name the team would get the administrator's access. A user is new unless the index has
// the name. RoleBindings of tenants are none: such a name begins in a later epoch, see beginEpochs.
func (x *Index) OfAdministrators(u inventory.User) (b *reconcile.Binding, serves bool) {
	n, indexed := x.Names[u.Name]
	if u.Team == "" || indexed && !n.Left {
		return nil, false
	}
	others := x.Others(reconcile.UserSubject(u.Name))
	i := slices.IndexFunc(others, func(b *reconcile.Binding) bool {
		return b.Kind == reconcile.ClusterRoleBinding || slices.Contains([]string{"kube-system", x.Rules.Namespace, x.Rules.LockNamespace}, b.Namespace)
	})
	if i < 0 {
		return nil, false
	}
	return others[i], true
}

// Begins reports whether the index has to be written for it: somebody begins a new epoch, or is void from now on.
func (x *Index) Begins() bool {
	for name, void := range x.Epochs.Void {
		if void && x.Indexed(name) && !x.Names[name].Left {
			return true
		}
	}
	return len(x.Epochs.Raised) > 0
}

// revokes reports whether somebody asks for the end of a user's certificates, and some may live.
func (x *Index) revokes(u inventory.User) bool {
	n, living := x.Living(u.Name)
	before := u.RevokedBefore
	if before.After(x.Now()) {
		before = x.Inventory.Defaults.RevokedBefore // a time that lies ahead does not put off everybody's
	}
	switch {
	case x.RevokedAtLock(u.Name):
	case !x.Rules.Policy.Takes() && x.Indexed(u.Name):
		return false // a policy that takes nothing revokes nobody whom certsync has given something
	case slices.Contains(x.Rules.Revoke, u.Name):
	case before.IsZero() || before.After(x.Now()):
		return false
	default:
		living = living && n.Since.Before(before)
	}
	return living || !x.Indexed(u.Name)
}

// revokesAhead reports whether somebody asks for the end of the certificates of a user whose `from` lies ahead, and some may live.
// One of an earlier user of the name ends anyway when the user begins. --revoke also ends those of a user whose `until` has passed, since
// it is given once. A revokedBefore waits in the inventory.
func (x *Index) revokesAhead(name string) bool {
	n, living := x.Living(name)
	waits := x.Ahead[name] || x.Lapsed[name] && slices.Contains(x.Rules.Revoke, name)
	return waits && living && !n.Left && x.revokes(x.Users[name])
}

// RevokesFormer reports whether somebody asks for the end of the certificates that a user has under an earlier name: by --revoke of
// either name, or by a revokedBefore of the user's own. The earlier name then waits for nothing.
func (x *Index) RevokesFormer(old string) bool {
	now := x.Successor[old]
	if now == "" || x.protectsFormer(old) || !x.Rules.Policy.Takes() {
		return false
	}
	n, living := x.Living(old)
	before := x.Users[now].RevokedBefore
	own := before.After(x.Inventory.Defaults.RevokedBefore) && !before.After(x.Now())
	return slices.Contains(x.Rules.Revoke, old) || slices.Contains(x.Rules.Revoke, now) || own && living && n.Since.Before(before)
}

// RevokedAtLock reports whether a run without Vault has revoked a user's certificates since the present epoch began. That run has
// taken everything, so neither a policy nor a protection keeps the next epoch from beginning: the old name would get it all back.
func (x *Index) RevokedAtLock(user string) bool {
	at, revoked := x.Observed.Revoked[user]
	return revoked && !at.Equal(x.Names[user].Revoked)
}

// Now is the API server's time, by which certificates are issued and revoked.
func (x *Index) Now() time.Time {
	if x.Observed.Clock.IsZero() {
		return x.Observed.At
	}
	return x.Observed.Clock
}

// Epoch is the one that a user is in, or will be.
func (x *Index) Epoch(user string) int64 { return max(x.Epochs.of[user], reconcile.FirstEpoch) }

// Username is the name by which Kubernetes knows a user, or will.
func (x *Index) Username(user string) string { return reconcile.Username(user, x.Epoch(user)) }

// Subject is a user in bindings. Certificates with another name of the user get nothing.
func (x *Index) Subject(user string) reconcile.Subject {
	return reconcile.UserSubject(x.Username(user))
}
