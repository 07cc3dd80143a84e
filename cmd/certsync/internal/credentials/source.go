package credentials

import (
	"context"
	"fmt"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/pki"
	"github.com/certsync/certsync/vaultstore"
)

// Source returns a user's credential from the cache or from Vault.
type Source struct {
	User    string
	Refresh bool   // ask Vault in any case, and use what it returns
	Cache   *Cache // may be nil
	// Fetch reads the credential from Vault. Each of its requests may take that long.
	Fetch func(ctx context.Context, timeout time.Duration) (vaultstore.Stored, error)
	// AddKey returns a credential with its key. A key that it adds is never kept in the cache.
	AddKey func(reconcile.Credential) (reconcile.Credential, error)
	Now    func() time.Time
	Warn   func(error)  // prints an error, with its hint, that does not keep the source from returning a credential
	Inform func(string) // prints a sentence
}

// Get returns a credential with its key and a certificate that has not ended. The time again tells kubectl when to run the
// plugin again. It is never after the end of the certificate.
func (s Source) Get(ctx context.Context) (c reconcile.Credential, again time.Time, err error) {
	e, err := s.obtain(ctx)
	if err != nil {
		return reconcile.Credential{}, time.Time{}, err
	}
	c, err = s.AddKey(e.Credential)
	return c, e.rerunAt(s.Now()), err
}

// obtain returns the live entry to use.
func (s Source) obtain(ctx context.Context) (*entry, error) {
	cached := s.cached()
	switch cached.firstChoice(s.Now(), s.Refresh) {
	case useEntry:
		return cached, nil
	case fallBack:
		return s.fallBack(cached), nil
	}
	timeout := vaultTimeout
	if cached.live(s.Now()) && !s.Refresh {
		timeout = shortVaultTimeout
	}
	stored, err := s.Fetch(ctx, timeout)
	if err == nil {
		return s.take(cached, stored)
	}
	// Another plugin may have reached Vault in the meantime.
	if newer := s.cached(); newer != nil && (cached == nil || newer.fetchedAt.After(cached.fetchedAt)) {
		cached = newer
	}
	switch cached.choiceAfter(err, s.Now(), s.Refresh) {
	case fallBack:
		s.Warn(err)
		cached.failedAt = s.Now()
		s.cacheEntry(cached)
		return s.fallBack(cached), nil
	case deleteEntry:
		if left := s.Cache.remove(); left != nil {
			err = fmt.Errorf("%w; and deleting the cached credential: %w", err, left)
		}
	}
	return nil, err
}

// cached returns the entry in the cache, or nil if there is none or it does not fit the user's key. After a new signing
// request, Vault may have the certificate for the new key.
func (s Source) cached() *entry {
	e := s.Cache.read(s.User)
	if e == nil {
		return nil
	}
	if _, err := s.AddKey(e.Credential); err != nil {
		return nil
	}
	return e
}

// take checks what Vault returned, chooses between that and the cached entry, which may be nil, and keeps the chosen one.
func (s Source) take(cached *entry, stored vaultstore.Stored) (*entry, error) {
	now := s.Now()
	e := &entry{version: stored.Version, fetchedAt: now}
	e.Certificate, e.Key = stored.Certificate, stored.Key
	var err error
	if e.until, err = pki.Usable(e.Credential, s.User); err != nil {
		return nil, err
	}
	if !e.live(now) {
		return nil, reconcile.WithHint(fmt.Errorf("reading the credential of %q: its certificate expired at %s", s.User, reconcile.TimeText(e.until)),
			"ask the administrator of certsync to run certsync apply, which renews it; or correct this machine's clock")
	}
	if !s.Refresh && cached.staysInUse(e, now) {
		e = &entry{Credential: cached.Credential, version: cached.version, until: cached.until, fetchedAt: now}
	}
	s.cacheEntry(e)
	return e, nil
}

// cacheEntry writes an entry into the cache. A failure is no reason not to use it.
func (s Source) cacheEntry(e *entry) {
	if err := s.Cache.write(e); err != nil {
		s.Warn(notKept(err))
	}
}

// fallBack returns the cached entry, and informs the user that Vault was not asked.
func (s Source) fallBack(e *entry) *entry {
	s.Inform(fmt.Sprintf("Vault is not available: certsync uses the cached credential from %s, until its certificate expires at %s",
		reconcile.TimeText(e.fetchedAt), reconcile.TimeText(e.until)))
	return e
}
