package reconciletest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"sync"
	"testing"

	"github.com/certsync/certsync/reconcile/pki"
)

// ownKeys are keys of users' own, by what tests call them, and the requests that were made with them. Making one takes
// longer than all else that a test does, so that they are kept.
var ownKeys = struct {
	sync.Mutex
	keys     map[string]pki.KeyPair
	requests map[string][]byte
}{keys: map[string]pki.KeyPair{}, requests: map[string][]byte{}}

// ownKeyNamed returns a key, always the same for a name.
func ownKeyNamed(t testing.TB, name string) pki.KeyPair {
	t.Helper()
	ownKeys.Lock()
	defer ownKeys.Unlock()
	k, ok := ownKeys.keys[name]
	if !ok {
		signer, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader) // not what the inventories' default is
		if err != nil {
			t.Fatal(err)
		}
		k = pki.KeyPair{Public: signer.Public(), Signer: signer}
		ownKeys.keys[name] = k
	}
	return k
}
