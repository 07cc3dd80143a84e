package fake

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Front is a world as one run of certsync sees it. Give each run its own: what the run leaves behind finds it closed.
type Front struct {
	world   *World
	servers *Servers
	name    string

	mu       sync.Mutex
	handlers sync.WaitGroup
	calls    []Call
	seen     map[string]int
	faults   map[Call]FaultKind
	late     string        // the name of calls that come late
	delay    time.Duration // by how much
	die      func()
	met      []Fault
	dead     bool
	conns    map[net.Conn]bool // to Vault
	atVault  chan struct{}     // closed by the first request to Vault
	once     sync.Once
	over     context.Context // ends with Close
	end      context.CancelFunc
}

// Break has the run meet faults. die is called, once, when one of them ends the run.
func (f *Front) Break(die func(), faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.die = die
	for _, fault := range faults {
		f.faults[fault.Call] = fault.Kind
	}
}

// Delay has all calls of that name come late by d, unless the run is over before.
func (f *Front) Delay(name string, d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.late, f.delay = name, d
}

// Met lists the faults that the run came to.
func (f *Front) Met() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.met)
}

// Calls are the requests so far, in the order in which they came. Of those that a run sends at once, that can be
// another one every time.
func (f *Front) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Close ends the run: no request has an effect any more, and those under way are waited for.
func (f *Front) Close() {
	f.servers.forget(f.name)
	f.mu.Lock()
	f.dead = true
	for conn := range f.conns {
		_ = conn.Close()
	}
	f.mu.Unlock()
	f.end()
	f.handlers.Wait()
}

// enter counts a request. It returns false if the run is over.
func (f *Front) enter(name string) (k FaultKind, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return "", false
	}
	f.handlers.Add(1)
	f.seen[name]++
	call := Call{name, f.seen[name]}
	f.calls = append(f.calls, call)
	k = f.faults[call]
	if k != "" {
		f.met = append(f.met, Fault{call, k})
	}
	if k == DieBefore {
		f.kill()
	}
	return k, true
}

// hold waits if calls of that name come late.
func (f *Front) hold(name string) {
	f.mu.Lock()
	late, delay := f.late, f.delay
	f.mu.Unlock()
	if name != late {
		return
	}
	select {
	case <-f.over.Done():
	case <-time.After(delay):
	}
}

// kill ends the run. The caller holds the lock.
func (f *Front) kill() {
	if !f.dead {
		f.dead = true
		f.die()
	}
}

// serve answers one request, with its fault if that is the one.
func (f *Front) serve(w http.ResponseWriter, r *http.Request, name string, do http.HandlerFunc, refuse func(http.ResponseWriter, int)) {
	f.hold(name)
	kind, ok := f.enter(name)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	defer f.handlers.Done()
	if kind == "" {
		do(w, r)
		return
	}
	kind.serve(w, r, func(w http.ResponseWriter, r *http.Request) {
		do(w, r)
		if kind == DieAfter {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.kill()
		}
	}, refuse)
}

func (f *Front) serveKubernetes(w http.ResponseWriter, r *http.Request, path string) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(f.over, cancel)() // watches end with the run
	r = r.WithContext(ctx)
	f.serve(w, r, f.world.kubernetesCall(r, path, body), func(w http.ResponseWriter, r *http.Request) {
		f.world.serveKubernetes(w, r, path, body)
	}, refuseAsKubernetes(r, path))
}

func (f *Front) serveVault(w http.ResponseWriter, r *http.Request, path string) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	f.once.Do(func() { close(f.atVault) })
	f.serve(w, r, vaultVerb(r)+" "+strings.TrimSuffix(path, "/"), func(w http.ResponseWriter, r *http.Request) {
		f.world.serveVault(w, r, path, body)
	}, refuseAsVault)
}

// Kubeconfig is what the run connects with, as whom user says: the token is the name.
func (f *Front) Kubeconfig(user string) []byte {
	config := map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "fake",
		"clusters": []any{map[string]any{"name": "fake", "cluster": map[string]any{
			"server": f.servers.kubernetes.URL + "/" + f.name, "certificate-authority-data": f.servers.authority.CertPEM()}}},
		"users":    []any{map[string]any{"name": "fake", "user": map[string]any{"token": user}}},
		"contexts": []any{map[string]any{"name": "fake", "context": map[string]any{"cluster": "fake", "user": "fake"}}},
	}
	data, err := json.Marshal(config) // JSON is YAML
	if err != nil {
		panic(err)
	}
	return data
}

// VaultToken is the run's token for Vault.
func (f *Front) VaultToken() string { return f.name }

// AtVault is closed when the run has sent something to Vault, and so has its token. Only then may another run in this
// process be given another VAULT_TOKEN in the environment.
func (f *Front) AtVault() <-chan struct{} { return f.atVault }

// remember keeps a connection to Vault, to be closed with the run: the run's client would keep it.
func (f *Front) remember(conn net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns[conn] = true
}
