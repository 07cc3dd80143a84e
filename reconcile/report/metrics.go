package report

import (
	"maps"
	"time"

	"github.com/certsync/certsync/reconcile"
)

// Metrics are what monitoring wants to know of a run.
type Metrics struct {
	Changes  map[reconcile.Action]int // steps done, with every action in it
	Failures int                      // steps that failed, and one more if the run failed as a whole
	Refusals int
	Held     int     // steps that somebody should look at, so not those that the policy holds
	Census   *Census // nil: the run ended before it had seen cluster and Vault
	// Outstanding counts the users of Account.Outstanding; nil: nobody knows.
	Outstanding *int
}

// Census counts people and certificates as they are after a run.
type Census struct {
	Users int // who should have access
	// EarliestExpiry is when the first of their current certificates expires; zero: they have none. A user to whom
	// somebody denied a new one does not count.
	EarliestExpiry time.Time
	// LeaversCertificates counts the live certificates of those who should have no access any more, or not under that name.
	LeaversCertificates int
}

// Metrics counts what a run did, and what is there after it.
func (a Account) Metrics() Metrics {
	f := Metrics{
		Changes: changes(a.Outcome), Failures: len(a.Outcome.Ended(reconcile.Failed)), Refusals: len(a.refusals()),
		Held: len(a.Outcome.Ended(reconcile.Held)),
	}
	if a.failure() != nil {
		f.Failures++
	}
	if n := len(a.Outstanding); a.Outstanding != nil {
		f.Outstanding = &n
	}
	if a.planned() && !a.Outcome.Plan.RemovalsOnly { // without Vault nobody knows of certificates
		f.Census = census(a.Outcome)
	}
	return f
}

// changes counts the steps that were done.
func changes(o reconcile.Outcome) map[reconcile.Action]int {
	done := map[reconcile.Action]int{}
	for _, action := range reconcile.Actions {
		done[action] = 0
	}
	for _, e := range o.Ended(reconcile.Done) {
		done[e.Action]++
	}
	return done
}

// census is what the plan found, with the certificates that the run has issued since.
func census(o reconcile.Outcome) *Census {
	all := maps.Clone(o.Plan.Certificates)
	for _, e := range o.Ended(reconcile.Done) {
		if !e.Expires.IsZero() {
			all[e.User] = reconcile.UserCertificates{Expires: e.Expires}
		}
	}
	var c Census
	for _, h := range all {
		if h.Leaver {
			c.LeaversCertificates += h.Live
			continue
		}
		c.Users++
		if !h.Expires.IsZero() && (c.EarliestExpiry.IsZero() || h.Expires.Before(c.EarliestExpiry)) {
			c.EarliestExpiry = h.Expires
		}
	}
	return &c
}
