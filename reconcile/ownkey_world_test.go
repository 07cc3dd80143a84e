package reconcile

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/certsync/certsync/inventory"
)

// ownKeys are keys of users' own, by what tests call them, and the requests that were made with them. Making one takes
// longer than all else that a test does, so that they are kept.
var ownKeys = struct {
	sync.Mutex
	keys     map[string]keyPair
	requests map[string][]byte
}{keys: map[string]keyPair{}, requests: map[string][]byte{}}

// ownKeyNamed returns a key, always the same for a name.
func ownKeyNamed(t testing.TB, name string) keyPair {
	t.Helper()
	ownKeys.Lock()
	defer ownKeys.Unlock()
	k, ok := ownKeys.keys[name]
	if !ok {
		signer, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader) // not what the inventories' default is
		if err != nil {
			t.Fatal(err)
		}
		k = keyPair{public: signer.Public(), signer: signer}
		ownKeys.keys[name] = k
	}
	return k
}

// fingerprintOf is what a plan and the ledger call a key.
func fingerprintOf(t testing.TB, name string) string {
	return inventory.Fingerprint(ownKeyNamed(t, name).public)
}

// withOwnKey gives a user of an inventory a request, made with the key of that name.
func withOwnKey(t testing.TB, inv *inventory.Inventory, user, key string) *inventory.Inventory {
	t.Helper()
	i := slices.IndexFunc(inv.Users, func(u inventory.User) bool { return u.Name == user })
	if i < 0 {
		return inv
	}
	k, groups := ownKeyNamed(t, key), sortedSet(inv.Users[i].Groups)
	ownKeys.Lock()
	defer ownKeys.Unlock()
	name := strings.Join(append([]string{key, user}, groups...), " ")
	if ownKeys.requests[name] == nil {
		request, err := k.request(user, groups)
		if err != nil {
			t.Fatal(err)
		}
		ownKeys.requests[name] = request
	}
	inv.Users[i].Request = ownKeys.requests[name]
	return inv
}

// accounted checks that the ledger knows every live certificate for a key that certsync does not have, whatever came of
// the run that asked for it.
func (w *world) accounted() {
	w.t.Helper()
	w.accountedSince(0)
}

// accountedSince checks those that were issued after the first so many.
func (w *world) accountedSince(n int) {
	w.t.Helper()
	ownKeys.Lock()
	own := map[string]bool{}
	for _, k := range ownKeys.keys {
		own[inventory.Fingerprint(k.public)] = true
	}
	ownKeys.Unlock()
	for _, cert := range w.issued[n:] {
		print := inventory.Fingerprint(cert.PublicKey)
		if !own[print] || !cert.NotAfter.After(w.now) {
			continue
		}
		known := false
		if entry := w.ledger[cert.Subject.CommonName]; entry != nil && entry.versions[entry.current].record != nil {
			for _, c := range entry.versions[entry.current].record.Certificates {
				requested := c.Certificate == "" && c.PublicKeySHA256 == print && !c.NotAfter.Before(cert.NotAfter) &&
					slices.Equal(c.Groups, sortedSet(cert.Subject.Organization))
				known = known || requested || c.Certificate == leafPEM(cert)
			}
		}
		if !known {
			w.t.Errorf("the ledger does not know a certificate of %s, for their own key", cert.Subject.CommonName)
		}
	}
}

// entries lists what the ledger says of somebody's certificates: "current", or "requested?" for one that may be there.
func (w *world) entries(user string) []string {
	out := []string{}
	if entry := w.ledger[user]; entry != nil {
		for _, c := range entry.versions[entry.current].record.Certificates {
			text := string(c.Status)
			if c.Certificate == "" {
				text += "?"
			}
			out = append(out, text)
		}
	}
	return out
}
