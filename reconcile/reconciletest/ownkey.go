package reconciletest

import (
	"sync"
	"testing"

	"github.com/certsync/certsync/inventory/userkey"
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
		var err error
		if k, err = pki.NewKeyPair(userkey.ECDSAP384); err != nil { // not the default of an inventory
			t.Fatal(err)
		}
		ownKeys.keys[name] = k
	}
	return k
}
