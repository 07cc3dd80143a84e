package credentials

import (
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/pki"
	"github.com/certsync/certsync/vaultstore"
)

const (
	// recheckAfter is how long a credential from Vault is used without asking Vault again.
	recheckAfter = 5 * time.Minute
	// retryAfter is how long Vault is left alone after an outage has shown. Otherwise every kubectl would wait for it.
	retryAfter = 30 * time.Second
	// rerunAfter is how long kubectl and other clients go on at most before they run the plugin again.
	rerunAfter = time.Hour
	// expiryMargin is how long before its end a certificate is replaced at the latest, if Vault has a newer one. Clocks may
	// differ by two minutes, and the API server answers 401 to an expired certificate.
	expiryMargin = 2 * time.Minute
	// vaultTimeout is how long a request to Vault may take, and shortVaultTimeout how long with a usable credential at hand.
	vaultTimeout      = 15 * time.Second
	shortVaultTimeout = 5 * time.Second
)

// entry is a credential in the cache: certificate and key, or the certificate alone.
type entry struct {
	reconcile.Credential
	version   int       // in Vault
	until     time.Time // the certificate's end
	fetchedAt time.Time
	failedAt  time.Time // when Vault was not available after that; zero: never
}

// live reports whether an entry is there and its certificate has not ended.
func (e *entry) live(now time.Time) bool { return e != nil && now.Before(e.until) }

// choice is the plugin's choice between the cached entry and Vault.
type choice int

const (
	askVault    choice = iota
	useEntry           // without asking Vault
	fallBack           // to the entry, since Vault is not available
	deleteEntry        // and fail: Vault says that the user has no credential any more
	fail
)

// firstChoice chooses before Vault is asked. A time in the future comes from a wrong clock, and does not count.
func (e *entry) firstChoice(now time.Time, refresh bool) choice {
	switch {
	case refresh, !e.live(now):
		return askVault
	case within(recheckAfter, e.fetchedAt, now) && now.Add(expiryMargin).Before(e.until):
		return useEntry
	case within(retryAfter, e.failedAt, now):
		return fallBack
	}
	return askVault
}

// choiceAfter chooses after Vault was asked and failed with err.
func (e *entry) choiceAfter(err error, now time.Time, refresh bool) choice {
	switch {
	case vaultstore.Refused(err):
		return deleteEntry
	case vaultstore.Unavailable(err) && e.live(now) && !refresh:
		return fallBack
	}
	return fail
}

// renewalMargin is how long before its end a certificate gives way to a newer one. It outlasts a short outage of Vault. It
// is no longer than that, since a change of certificate closes all connections of a client.
func (e *entry) renewalMargin() time.Duration {
	return max(expiryMargin, pki.Lifetime(e.Credential)/10)
}

// staysInUse reports whether the entry is used on although Vault has another credential. That one must give the same
// access, and the entry's certificate must not end soon.
func (e *entry) staysInUse(other *entry, now time.Time) bool {
	return e.live(now) && now.Add(e.renewalMargin()).Before(e.until) && pki.SameAccess(e.Credential, other.Credential)
}

// within reports whether t is now, or less than d ago.
func within(d time.Duration, t, now time.Time) bool { return !t.After(now) && now.Sub(t) < d }

// rerunAt is when kubectl runs the plugin again: when the entry's certificate may give way to a newer one, and always
// before its end. Shortly before the end that is the end itself. Otherwise each request would run the plugin.
func (e *entry) rerunAt(now time.Time) time.Time {
	at := e.until
	for _, margin := range []time.Duration{expiryMargin, e.renewalMargin()} {
		if early := e.until.Add(-margin); early.After(now) {
			at = early
		}
	}
	if latest := now.Add(rerunAfter); latest.Before(at) {
		return latest
	}
	return at
}
