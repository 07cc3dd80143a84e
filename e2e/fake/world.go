package fake

import (
	"fmt"
	"maps"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/certsync/certsync/vaultstore/kvtest"
)

// World is a cluster and a Vault. Its parts are never changed in place but replaced, so that clones share them.
type World struct {
	mu sync.Mutex
	worldState
	changed chan struct{} // closed, and made anew, by every write to the cluster
	onWrite func(target string, now *World)
}

// worldState is what a clone copies.
type worldState struct {
	authority *Authority
	objects   map[objectKey]object
	version   int   // resourceVersion of the last write, one for the cluster
	serial    int64 // of the world and its clones
	made      int   // counts UIDs and generated names
	history   []event
	oldest    int // watches from before this version are too old
	secrets   map[string]*kvtest.Secret
	writes    int
	settings  Settings
	advanced  time.Duration
}

// Settings say how a world behaves. The zero value is a cluster that signs what is approved, and allows everything.
type Settings struct {
	Signer Signer
	People People
	// Denied lists what nobody may do, as "verb resource", such as "patch rolebindings".
	Denied []string
	// Untrusted: the API server does not take the signer's certificates for anybody.
	Untrusted bool
}

// Signer says what becomes of approved requests.
type Signer struct {
	Silent  bool          // it never signs
	Fails   bool          // it marks them as failed
	Age     time.Duration // both ends of a certificate's life lie this much earlier
	MaxLife time.Duration // 0: as long as asked
}

// People says what somebody does with a request: as soon as it exists, unless it says otherwise.
type People string

// The things that people do with requests: nothing by default.
const (
	Approve     People = "approve"
	ApproveRead People = "approve once read" // after the first answer that shows it
	Deny        People = "deny"
)

// worlds counts worlds: the objects of two of them have different UIDs.
var worlds atomic.Int64

// NewWorld returns a world with the namespaces default and kube-system, and an empty Vault. Certificates come from a.
func NewWorld(a *Authority) *World {
	w := &World{
		worldState: worldState{authority: a, serial: worlds.Add(1), objects: map[objectKey]object{}, version: 100, secrets: map[string]*kvtest.Secret{}},
		changed:    make(chan struct{}),
	}
	w.AddNamespaces("default", "kube-system")
	return w
}

// Clone returns a world of its own in the same state, without the hook.
func (w *World) Clone() *World {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clone()
}

func (w *World) clone() *World {
	c := &World{worldState: w.worldState, changed: make(chan struct{})}
	c.objects, c.secrets = maps.Clone(w.objects), maps.Clone(w.secrets)
	c.history = w.history[:len(w.history):len(w.history)] // appending copies
	return c
}

// Set changes how the world behaves from now on.
func (w *World) Set(s Settings) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settings = s
}

// Advance moves both servers' clocks on against the local one.
func (w *World) Advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.advanced += d
}

// OnWrite has f called after every write with what was written ("ClusterRoleBinding x", "secret/certsync/y") and the
// world at that moment. No request is served while f runs.
func (w *World) OnWrite(f func(target string, now *World)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.onWrite = f
}

// Writes counts what changed the world since it was made.
func (w *World) Writes() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writes
}

// now is the servers' time. The caller holds the lock.
func (w *World) now() time.Time { return time.Now().Add(w.advanced) }

// wrote counts a write and tells the hook. The caller holds the lock.
func (w *World) wrote(target string) {
	w.writes++
	if w.onWrite != nil {
		w.onWrite(target, w.clone())
	}
}

// store puts an object into the cluster at a new version, or takes it out, and tells the watches. The caller holds the
// lock and gives obj away.
func (w *World) store(t watch.EventType, key objectKey, obj object) {
	w.version++
	obj.SetResourceVersion(strconv.Itoa(w.version))
	if w.objects[key] = obj; t == watch.Deleted {
		delete(w.objects, key)
	}
	w.history = append(w.history, event{w.version, t, key, obj})
	close(w.changed)
	w.changed = make(chan struct{})
	w.wrote(key.String())
}

func (w *World) newUID() types.UID {
	w.made++
	return types.UID(fmt.Sprintf("%08d-0000-4000-8000-%012d", w.serial, w.made))
}
