package revocation

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/certsync/certsync/reconcile"
)

// MaxEntries is how many certificates a list has at most. With 5,000, an admission policy has three quarters of a megabyte, of
// the 1.5 MiB that etcd takes for an object.
const MaxEntries = 5000

// Entries makes the list of these certificates, and returns how many do not fit. Each user's latest-ending certificates come
// first in turn, so that no ledger record can keep other users' certificates out of the list.
func Entries(certificates []Certificate) (entries []reconcile.RevokedCertificate, left int) {
	byUser := map[string][]reconcile.RevokedCertificate{}
	for _, c := range certificates {
		if c.SHA256 != "" {
			byUser[c.User] = append(byUser[c.User], c.entry())
		}
	}
	users := slices.Sorted(maps.Keys(byUser))
	for turn := 0; len(users) > 0; turn++ {
		for _, u := range users {
			of := byUser[u] // by end
			if len(entries) < MaxEntries {
				entries = append(entries, of[len(of)-1-turn])
			} else {
				left++
			}
		}
		users = slices.DeleteFunc(users, func(u string) bool { return len(byUser[u]) <= turn+1 })
	}
	sortEntries(entries)
	return entries, left
}

func sortEntries(entries []reconcile.RevokedCertificate) {
	slices.SortFunc(entries, func(a, b reconcile.RevokedCertificate) int {
		return cmp.Or(cmp.Compare(a.Username, b.Username), cmp.Compare(a.SHA256, b.SHA256))
	})
}

// keep adds what a policy denies already until the certificate's own end, although no record tells of it any more: whoever can
// delete a ledger record must not revive a certificate. It leaves out what good reports to be in use.
func keep(entries, has []reconcile.RevokedCertificate, good func(reconcile.RevokedCertificate) bool, at time.Time) []reconcile.RevokedCertificate {
	listed := map[string]bool{}
	for _, e := range entries {
		listed[key(e)] = true
	}
	for _, e := range has {
		if len(entries) < MaxEntries && !listed[key(e)] && e.Until.After(at) && !good(e) {
			entries = append(entries, e)
		}
	}
	sortEntries(entries)
	return entries
}

// key is how a list names a certificate: its name and its fingerprint together.
func key(e reconcile.RevokedCertificate) string { return e.Username + " " + e.SHA256 }
