//go:build linux

// Where $XDG_CACHE_HOME says where caches are.

package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/vaultstore"
)

// authority signs clients' certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, key: newKey(t, elliptic.P256())}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"}, NotAfter: time.Now().AddDate(100, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err == nil {
		a.cert, err = x509.ParseCertificate(der)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func newKey(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign makes alice's credential. It lives from one time to the other.
func (a *authority) sign(key crypto.Signer, from, until time.Time, groups ...string) reconcile.Credential {
	a.t.Helper()
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(from.UnixNano()), Subject: pkix.Name{CommonName: "alice", Organization: groups},
		NotBefore: from, NotAfter: until, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, a.cert, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return reconcile.Credential{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:         reconcile.NewSecret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
	}
}

// TestACertificateIsHeldOnTo: the plugin changes to a new certificate in the last tenth of the old one's life, and at once if
// the new one gives something else. A run that issues again and again does not make programs reconnect.
func TestACertificateIsHeldOnTo(t *testing.T) {
	ca, p256 := newAuthority(t), elliptic.P256()
	other := newAuthority(t)
	const life = 100 * time.Hour
	later := func(from time.Duration) (time.Time, time.Time) { return noon.Add(from), noon.Add(from + life) }
	renewed := func(a *authority, key crypto.Signer, groups ...string) reconcile.Credential {
		from, until := later(70 * time.Hour)
		return a.sign(key, from, until, groups...)
	}
	for name, tt := range map[string]struct {
		gives   reconcile.Credential
		at      time.Duration
		refresh bool
		want    int // version
	}{
		"a renewed one":                      {gives: renewed(ca, newKey(t, p256), "devs"), at: 71 * time.Hour, want: 1},
		"just before the last tenth":         {gives: renewed(ca, newKey(t, p256), "devs"), at: 90*time.Hour - time.Second, want: 1},
		"in the last tenth":                  {gives: renewed(ca, newKey(t, p256), "devs"), at: 90 * time.Hour, want: 2},
		"somebody asks for the new one":      {gives: renewed(ca, newKey(t, p256), "devs"), at: 71 * time.Hour, refresh: true, want: 2},
		"one with another group":             {gives: renewed(ca, newKey(t, p256), "devs", "ops"), at: 71 * time.Hour, want: 2},
		"one without a group":                {gives: renewed(ca, newKey(t, p256)), at: 71 * time.Hour, want: 2},
		"one of a new CA, of the same name":  {gives: renewed(other, newKey(t, p256), "devs"), at: 71 * time.Hour, want: 2},
		"one with another kind of key":       {gives: renewed(ca, newKey(t, elliptic.P384()), "devs"), at: 71 * time.Hour, want: 2},
		"one that does not say which CA's":   {gives: newCredential("alice", noon.Add(200*time.Hour)), at: 71 * time.Hour, want: 2},
		"the old one has ended in the cache": {gives: renewed(ca, newKey(t, p256), "devs"), at: life, want: 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			from, until := later(0)
			s.gives.Credential = ca.sign(newKey(t, p256), from, until, "devs")
			s.want(0, 1, 1)
			s.gives = vaultstore.Stored{Credential: tt.gives, Version: 2}
			s.refresh = tt.refresh
			s.want(tt.at, tt.want, 1)
			s.refresh = false
			s.want(tt.at+time.Minute, tt.want, 0) // Vault was asked, whatever came of it
		})
	}
}

// TestAKeyOfTheUsersOwnIsNotHeldOnTo: after a new request the old key is not used on.
func TestAKeyOfTheUsersOwnIsNotHeldOnTo(t *testing.T) {
	ca := newAuthority(t)
	first := ca.sign(newKey(t, elliptic.P256()), noon, noon.Add(100*time.Hour))
	second := ca.sign(newKey(t, elliptic.P256()), noon, noon.Add(200*time.Hour))
	first.Key, second.Key = reconcile.Secret{}, reconcile.Secret{}
	if reconcile.SameAccess(first, second) || !reconcile.SameAccess(first, first) {
		t.Error("which key it is makes no difference")
	}
}

// TestVaultIsAskedInTheLastTenth: and in it until there is another one, and not at every request.
func TestVaultIsAskedInTheLastTenth(t *testing.T) {
	ca := newAuthority(t)
	h := &heldCredential{Credential: ca.sign(newKey(t, elliptic.P256()), noon, noon.Add(5*time.Hour)), until: noon.Add(5 * time.Hour)}
	for at, want := range map[time.Duration]time.Duration{
		0: time.Hour, 4 * time.Hour: 4*time.Hour + 30*time.Minute, 4*time.Hour + 30*time.Minute: 4*time.Hour + 58*time.Minute,
		4*time.Hour + 58*time.Minute: 5 * time.Hour,
	} {
		if got := h.askAgain(noon.Add(at)); !got.Equal(noon.Add(want)) {
			t.Errorf("at %s: again at %s, want %s", at, got.Sub(noon), want)
		}
	}
}
