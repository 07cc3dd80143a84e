package main

import (
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/vaultstore"
)

// The plugin's times.
const (
	// untilCompared is how long a credential from Vault is used without asking Vault again.
	untilCompared = 5 * time.Minute
	// respite is how long Vault is left alone after it could not be reached: not every kubectl is to wait for it.
	respite = 30 * time.Second
	// untilAskedAgain is how long at most kubectl and other clients go on before they run the plugin again.
	untilAskedAgain = time.Hour
	// beforeTheEnd is how long before its end a certificate is replaced, if Vault has a new one: clocks may differ by two
	// minutes (see the guards), and who comes too late gets a 401.
	beforeTheEnd = 2 * time.Minute
	// patience is how long a request to Vault may take, and inAHurry if there is something else to go on with.
	patience = 15 * time.Second
	inAHurry = 5 * time.Second
)

// heldCredential is a credential as the cache has it: certificate and key, or the certificate alone.
type heldCredential struct {
	reconcile.Credential
	version   int       // in Vault
	until     time.Time // the certificate's end
	fetchedAt time.Time
	failedAt  time.Time // when Vault could not be reached after that; zero: never
}

// live reports a credential that can be used; nil is none.
func (h *heldCredential) live(now time.Time) bool { return h != nil && now.Before(h.until) }

// choice is what the plugin does for a credential.
type choice int

const (
	ask    choice = iota // Vault
	use                  // the one in the cache
	makeDo               // with the one in the cache, since Vault cannot be reached
	forget               // the one in the cache, and fail: Vault says that it is not the user's any more
	fail
)

// before chooses what to do first. A time that lies ahead is a mistake of some clock, and does not count.
func (h *heldCredential) before(now time.Time, refresh bool) choice {
	switch {
	case refresh, !h.live(now):
		return ask
	case recent(untilCompared, h.fetchedAt, now) && now.Add(beforeTheEnd).Before(h.until):
		return use
	case recent(respite, h.failedAt, now):
		return makeDo
	}
	return ask
}

// after chooses what to do after Vault was asked, and err came of it.
func (h *heldCredential) after(err error, now time.Time, refresh bool) choice {
	switch {
	case vaultstore.Refused(err):
		return forget
	case vaultstore.Unavailable(err) && h.live(now) && !refresh:
		return makeDo
	}
	return fail
}

// margin is how long before its end a certificate gives way to another one. It outlasts a short outage of Vault. A change
// closes all connections of a program, so it comes late.
func (h *heldCredential) margin() time.Duration {
	return max(beforeTheEnd, reconcile.Lifetime(h.Credential)/10)
}

// goesOn reports whether the credential is used on, although Vault has another one: that one gives nothing else, and the
// certificate does not end soon.
func (h *heldCredential) goesOn(other *heldCredential, now time.Time) bool {
	return h.live(now) && now.Add(h.margin()).Before(h.until) && reconcile.SameAccess(h.Credential, other.Credential)
}

// recent reports whether t is now, or less than d ago.
func recent(d time.Duration, t, now time.Time) bool { return !t.After(now) && now.Sub(t) < d }

// askAgain is when kubectl is to run the plugin again: when the certificate that it gets now may give way to another one,
// and while it lives.
func (h *heldCredential) askAgain(now time.Time) time.Time {
	again := h.until // if it is about to end: each request would run the plugin otherwise
	for _, early := range []time.Duration{beforeTheEnd, h.margin()} {
		if at := h.until.Add(-early); at.After(now) {
			again = at
		}
	}
	if soon := now.Add(untilAskedAgain); soon.Before(again) {
		return soon
	}
	return again
}
