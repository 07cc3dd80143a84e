package credentials

import (
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/vaultstore"
)

// The plugin's times.
const (
	// recheckAfter is how long a credential from Vault is used without asking Vault again.
	recheckAfter = 5 * time.Minute
	// retryAfter is how long Vault is left alone after it could not be reached: not every kubectl is to wait for it.
	retryAfter = 30 * time.Second
	// rerunAfter is how long at most kubectl and other clients go on before they run the plugin again.
	rerunAfter = time.Hour
	// expiryMargin is how long before its end a certificate is replaced, if Vault has a new one: clocks may differ by two
	// minutes (see the guards), and who comes too late gets a 401.
	expiryMargin = 2 * time.Minute
	// vaultTimeout is how long a request to Vault may take, and shortVaultTimeout if there is something else to go on with.
	vaultTimeout      = 15 * time.Second
	shortVaultTimeout = 5 * time.Second
)

// entry is a credential as the cache has it: certificate and key, or the certificate alone.
type entry struct {
	reconcile.Credential
	version   int       // in Vault
	until     time.Time // the certificate's end
	fetchedAt time.Time
	failedAt  time.Time // when Vault could not be reached after that; zero: never
}

// live reports a credential that can be used; nil is none.
func (h *entry) live(now time.Time) bool { return h != nil && now.Before(h.until) }

// choice is what the plugin does for a credential.
type choice int

const (
	askVault    choice = iota // Vault
	useEntry                  // the one in the cache
	fallBack                  // with the one in the cache, since Vault cannot be reached
	deleteEntry               // the one in the cache, and fail: Vault says that it is not the user's any more
	fail
)

// before chooses what to do first. A time that lies ahead is a mistake of some clock, and does not count.
func (h *entry) firstChoice(now time.Time, refresh bool) choice {
	switch {
	case refresh, !h.live(now):
		return askVault
	case within(recheckAfter, h.fetchedAt, now) && now.Add(expiryMargin).Before(h.until):
		return useEntry
	case within(retryAfter, h.failedAt, now):
		return fallBack
	}
	return askVault
}

// after chooses what to do after Vault was asked, and err came of it.
func (h *entry) choiceAfter(err error, now time.Time, refresh bool) choice {
	switch {
	case vaultstore.Refused(err):
		return deleteEntry
	case vaultstore.Unavailable(err) && h.live(now) && !refresh:
		return fallBack
	}
	return fail
}

// margin is how long before its end a certificate gives way to another one. It outlasts a short outage of Vault. A change
// closes all connections of a program, so it comes late.
func (h *entry) renewalMargin() time.Duration { return max(expiryMargin, h.Lifetime()/10) }

// staysInUse reports whether the credential is used on, although Vault has another one: that one gives nothing else, and the
// certificate does not end soon.
func (h *entry) staysInUse(other *entry, now time.Time) bool {
	return h.live(now) && now.Add(h.renewalMargin()).Before(h.until) && h.SameAccess(other.Credential)
}

// within reports whether t is now, or less than d ago.
func within(d time.Duration, t, now time.Time) bool { return !t.After(now) && now.Sub(t) < d }

// rerunAt is when kubectl is to run the plugin again: when the certificate that it gets now may give way to another one,
// and while it lives.
func (h *entry) rerunAt(now time.Time) time.Time {
	again := h.until // if it is about to end: each request would run the plugin otherwise
	for _, early := range []time.Duration{expiryMargin, h.renewalMargin()} {
		if at := h.until.Add(-early); at.After(now) {
			again = at
		}
	}
	if soon := now.Add(rerunAfter); soon.Before(again) {
		return soon
	}
	return again
}
