package reconcile

import (
	"maps"
	"time"
)

// actions are all that there are.
var actions = []Action{Issue, Renew, Reissue, Bind, Unbind, Update, Remove, Purge}

// Figures are what monitoring wants to know of a run.
type Figures struct {
	Changes  map[Action]int // steps done, with every action in it
	Failures int            // steps that failed, and one more if the run failed as a whole
	Refusals int
	Held     int     // steps that somebody should look at, so not those that the policy holds
	Census   *Census // nil: the run ended before it had seen cluster and Vault
}

// Census counts people and certificates as they are after a run.
type Census struct {
	Users int // who should have access
	// EarliestExpiry is when the first of their current certificates expires; zero: they have none. Whom somebody denied
	// a new one does not count.
	EarliestExpiry time.Time
	// LeaversCertificates counts the live certificates of those who should have no access any more, or not under that name.
	LeaversCertificates int
}

// Figures counts what a run did, and what is there after it.
func (a Account) Figures() Figures {
	f := Figures{
		Changes: changes(a.Outcome), Failures: len(a.Outcome.ended(Failed)), Refusals: len(a.refusals()),
		Held: len(a.Outcome.ended(Held)),
	}
	if a.failure() != nil {
		f.Failures++
	}
	if a.planned() {
		f.Census = census(a.Outcome)
	}
	return f
}

// changes counts the steps that were done.
func changes(o Outcome) map[Action]int {
	done := map[Action]int{}
	for _, action := range actions {
		done[action] = 0
	}
	for _, e := range o.ended(Done) {
		done[e.Action]++
	}
	return done
}

// census is what the plan found, with the certificates that the run has issued since.
func census(o Outcome) *Census {
	all := maps.Clone(o.Plan.holdings)
	for _, e := range o.ended(Done) {
		if !e.expires.IsZero() {
			all[e.User] = holding{expires: e.expires}
		}
	}
	var c Census
	for _, h := range all {
		if h.leaver {
			c.LeaversCertificates += h.live
			continue
		}
		c.Users++
		if !h.expires.IsZero() && (c.EarliestExpiry.IsZero() || h.expires.Before(c.EarliestExpiry)) {
			c.EarliestExpiry = h.expires
		}
	}
	return &c
}
