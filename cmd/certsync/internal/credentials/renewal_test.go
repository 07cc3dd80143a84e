//go:build linux

// On other systems $XDG_CACHE_HOME does not say where the cache folder is.

package credentials

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"testing"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/pki"
	"github.com/certsync/certsync/vaultstore"
)

// TestCertificateStaysInUse: the plugin changes to a new certificate in the last tenth of the old one's life, and at once if
// the new one gives other access. So a run that reissues certificates does not make clients reconnect.
func TestCertificateStaysInUse(t *testing.T) {
	ca, p256 := fixture.NewCA(t), elliptic.P256()
	other := fixture.NewCA(t)
	const life = 100 * time.Hour
	later := func(from time.Duration) (time.Time, time.Time) {
		return fixture.Noon.Add(from), fixture.Noon.Add(from + life)
	}
	renewed := func(a fixture.CA, key *ecdsa.PrivateKey, groups ...string) reconcile.Credential {
		from, until := later(70 * time.Hour)
		return a.Sign(key, from, until, groups...)
	}
	for name, tt := range map[string]struct {
		gives   reconcile.Credential
		at      time.Duration
		refresh bool
		want    int // version
	}{
		"a renewed one":                      {gives: renewed(ca, fixture.Key(t, p256), "devs"), at: 71 * time.Hour, want: 1},
		"just before the last tenth":         {gives: renewed(ca, fixture.Key(t, p256), "devs"), at: 90*time.Hour - time.Second, want: 1},
		"in the last tenth":                  {gives: renewed(ca, fixture.Key(t, p256), "devs"), at: 90 * time.Hour, want: 2},
		"somebody asks for the new one":      {gives: renewed(ca, fixture.Key(t, p256), "devs"), at: 71 * time.Hour, refresh: true, want: 2},
		"one with another group":             {gives: renewed(ca, fixture.Key(t, p256), "devs", "ops"), at: 71 * time.Hour, want: 2},
		"one without a group":                {gives: renewed(ca, fixture.Key(t, p256)), at: 71 * time.Hour, want: 2},
		"one of a new CA, of the same name":  {gives: renewed(other, fixture.Key(t, p256), "devs"), at: 71 * time.Hour, want: 2},
		"one with another kind of key":       {gives: renewed(ca, fixture.Key(t, elliptic.P384()), "devs"), at: 71 * time.Hour, want: 2},
		"one that does not say which CA's":   {gives: fixture.Credential("alice", fixture.Noon.Add(200*time.Hour)), at: 71 * time.Hour, want: 2},
		"the old one has ended in the cache": {gives: renewed(ca, fixture.Key(t, p256), "devs"), at: life, want: 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			from, until := later(0)
			s.gives.Credential = ca.Sign(fixture.Key(t, p256), from, until, "devs")
			s.want(0, 1, 1)
			s.gives = vaultstore.Stored{Credential: tt.gives, Version: 2}
			s.Refresh = tt.refresh
			s.want(tt.at, tt.want, 1)
			s.Refresh = false
			s.want(tt.at+time.Minute, tt.want, 0) // Vault was asked a minute ago
		})
	}
}

// TestOwnKeyIsOtherAccess: after a new signing request, the certificate for the old key is not used on.
func TestOwnKeyIsOtherAccess(t *testing.T) {
	ca := fixture.NewCA(t)
	first := ca.Sign(fixture.Key(t, elliptic.P256()), fixture.Noon, fixture.Noon.Add(100*time.Hour))
	second := ca.Sign(fixture.Key(t, elliptic.P256()), fixture.Noon, fixture.Noon.Add(200*time.Hour))
	first.Key, second.Key = reconcile.Secret{}, reconcile.Secret{}
	if pki.SameAccess(first, second) || !pki.SameAccess(first, first) {
		t.Error("which key it is makes no difference")
	}
}

// TestRerunInTheLastTenth: kubectl runs the plugin at the last tenth of the certificate's life, and not at every request.
func TestRerunInTheLastTenth(t *testing.T) {
	ca := fixture.NewCA(t)
	h := &entry{Credential: ca.Sign(fixture.Key(t, elliptic.P256()), fixture.Noon, fixture.Noon.Add(5*time.Hour)), until: fixture.Noon.Add(5 * time.Hour)}
	for at, want := range map[time.Duration]time.Duration{
		0: time.Hour, 4 * time.Hour: 4*time.Hour + 30*time.Minute, 4*time.Hour + 30*time.Minute: 4*time.Hour + 58*time.Minute,
		4*time.Hour + 58*time.Minute: 5 * time.Hour,
	} {
		if got := h.rerunAt(fixture.Noon.Add(at)); !got.Equal(fixture.Noon.Add(want)) {
			t.Errorf("at %s: again at %s, want %s", at, got.Sub(fixture.Noon), want)
		}
	}
}
