package index

import (
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile/granted"
)

// addUser adds a user of the inventory, and their earlier names.
func (x *Index) addUser(u inventory.User) {
	x.Users[u.Name] = u
	users, former := x.Active, map[string]bool(nil)
	switch {
	case x.Ended(u.Until):
		users, former = x.Lapsed, x.Former
	case x.IsAhead(u.From):
		users, former = x.Ahead, x.FormerAhead
	}
	users[u.Name] = true
	for _, old := range u.Previously {
		if former == nil {
			x.Successor[old] = u.Name
		} else {
			former[old] = true
		}
	}
}

// Ended reports whether access that lasts until t is over.
func (x *Index) Ended(t time.Time) bool { return granted.Ended(t, x.Observed.At) }

// IsAhead reports whether access from t has not begun.
func (x *Index) IsAhead(t time.Time) bool { return granted.Ahead(t, x.Observed.At) }

// Reached reports whether access from t has begun since the last run, which had this very inventory.
func (x *Index) Reached(t time.Time) bool {
	return x.SameInventory && t.After(x.Observed.State.StartedAt) && !x.IsAhead(t)
}

// Foreseen reports whether t came since the last run. Each run takes what ends, or the index says that it ended: of an end from
// before, somebody has set it in the past, or that run held it.
func (x *Index) Foreseen(t time.Time) bool {
	s := x.Observed.State
	return s == nil || t.After(s.StartedAt)
}
