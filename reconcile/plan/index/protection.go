package index

import (
	"slices"

	"github.com/certsync/certsync/reconcile"
)

// WasProtected reports whether the state says that a user is protected, under this name or one that they had before.
func (x *Index) WasProtected(user string) bool {
	return x.Names[user].Protected || len(x.ProtectedBefore(user)) > 0
}

// ProtectedBefore lists the protected names that a user had before. A rename carries protection over.
func (x *Index) ProtectedBefore(user string) []string {
	var all []string
	for _, old := range x.Users[user].Previously {
		if x.Names[old].Protected && x.Successor[old] == user {
			all = append(all, old)
		}
	}
	return all
}

// Protects reports whether nothing may be taken from a user: by a flag, by the inventory, or by the state. An inventory that
// now leaves a protection out ends it for the next run only.
func (x *Index) Protects(user string) bool {
	return x.protectsCertificates(user) || len(x.ProtectedBefore(user)) > 0
}

// protectsCertificates reports whether the certificates of a user's present name must stay good. A protection that comes with a rename
// is for the old name's: a later epoch of the new one takes nothing from it.
func (x *Index) protectsCertificates(user string) bool {
	return user == x.Rules.Self || slices.Contains(x.Rules.Protect, user) || x.Users[user].Protected || x.Names[user].Protected
}

// protectsFormer reports whether nothing may be taken from an earlier name of a user.
func (x *Index) protectsFormer(old string) bool {
	return x.protectsCertificates(old) || x.Protects(x.Successor[old])
}

// WithholdsFormer reports whether --revoke names an earlier name of a user, and nothing may be taken from it.
func (x *Index) WithholdsFormer(user string) bool {
	return slices.ContainsFunc(x.Rules.Revoke, func(old string) bool {
		n, living := x.Living(old)
		now := x.Successor[old]
		return now != "" && (old == user || now == user) && living && !n.Left && x.protectsFormer(old)
	})
}

// Protected lists the users from whom nothing may be taken, sorted. Of somebody who was renamed it is the present name.
func (x *Index) Protected() []string {
	names := append([]string{x.Rules.Self}, x.Rules.Protect...)
	for _, u := range x.Inventory.Users {
		if u.Protected || x.WasProtected(u.Name) {
			names = append(names, u.Name)
		}
	}
	for name, n := range x.Names {
		if n.Protected && x.Successor[name] == "" {
			names = append(names, name)
		}
	}
	return reconcile.SortedSet(names)
}

// Unprotects reports whether the inventory has a user without `protected` whom the state calls protected.
func (x *Index) Unprotects(user string) bool {
	u, inInventory := x.Users[user]
	return inInventory && !u.Protected && x.WasProtected(user)
}
