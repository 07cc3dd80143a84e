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

// holding is what the ledger knows of the certificates of one user.
type holding struct {
	leaver  bool
	expires time.Time // the current one, if a next run would renew it; zero: there is none
	live    int       // certificates that the API server accepts, or would accept if they came to be
}

// holdings counts everybody's certificates before the run.
func (d *differ) holdings() map[string]holding {
	all := map[string]holding{}
	for name := range d.active {
		all[name] = holding{}
	}
	for name, entry := range d.o.Ledger {
		if entry.Record == nil {
			continue
		}
		h := holding{leaver: !d.active[name]}
		if c := entry.Record.current(); c != nil && entry.Record.State == Active {
			h.expires = c.NotAfter
		}
		for _, c := range entry.Record.Certificates {
			if c.NotAfter.After(d.o.At) {
				h.live++
			}
		}
		all[name] = h
	}
	return all
}

// Figures counts what a run did, and what is there after it.
func (a Account) Figures() Figures {
	f := Figures{
		Changes: a.Outcome.changes(), Failures: len(a.Outcome.ended(Failed)), Refusals: len(a.refusals()),
		Held: len(a.Outcome.ended(Held)),
	}
	if a.failure() != nil {
		f.Failures++
	}
	if a.planned() {
		f.Census = a.Outcome.census()
	}
	return f
}

// changes counts the steps that were done.
func (o Outcome) changes() map[Action]int {
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
func (o Outcome) census() *Census {
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
