package vaultstore

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/vaultstore/kvtest"
)

const (
	// goodToken is looked for in everything that is printed.
	goodToken   = "hvs.CAESIJ-the-token-that-must-not-be-printed"
	invalidBody = "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"
)

// fakeVault answers as Vault v1.21.4 does, as far as Store asks. The statuses and bodies were compared with the real one.
type fakeVault struct {
	*httptest.Server
	mu        sync.Mutex
	calls     []string // "GET secret/data/certsync/prod-eu/state"
	agents    []string // User-Agent of each call
	kv        *kvtest.Mount
	now       func() time.Time
	sealed    bool
	fresh     bool // not initialized
	token     string
	mounts    map[string]string              // path with slash → type and version, "kv 2"
	upgrading int                            // how many more requests to the mount are put off
	denied    func(method, path string) bool // by policies
	fault     map[int]http.HandlerFunc       // in place of the answer to call n, from 1
	floods    map[string]http.HandlerFunc    // in place of the answer about a path
	before    func(n int, method, path string)
	granted   func(path string) []string
	owner     map[string]any    // what lookup-self says beside the rest
	methods   map[string]string // that everybody may see: path with slash → type
	fakeLogins
}

func newFakeVault(t *testing.T) *fakeVault {
	t.Helper()
	f := &fakeVault{
		now: time.Now, token: goodToken,
		mounts:  map[string]string{"secret/": "kv 2"},
		denied:  func(string, string) bool { return false },
		granted: func(string) []string { return []string{"root"} },
		fault:   map[int]http.HandlerFunc{},
		fakeLogins: fakeLogins{
			lease: 3600, longest: 24 * time.Hour, tokens: map[string]*fakeToken{},
			refuse: func(string, map[string]any) (int, string) { return 0, "" },
		},
	}
	// Every write is to be check-and-set.
	f.kv = &kvtest.Mount{Secrets: map[string]*kvtest.Secret{}, Now: func() time.Time { return f.now() }, CASRequired: true}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// quick limits keep retries from taking seconds.
var quick = limits{answer: 5 * time.Second, patience: 10 * time.Second, retryWait: time.Millisecond, closing: 5 * time.Second}

// environment leaves of the machine's settings nothing but the fake's address.
func (f *fakeVault) environment(t *testing.T) {
	t.Helper()
	cleanEnvironment(t)
	t.Setenv("VAULT_ADDR", f.URL)
	t.Setenv("VAULT_TOKEN", goodToken)
}

func (f *fakeVault) open(t *testing.T) *Store {
	t.Helper()
	f.environment(t)
	s, err := open(t.Context(), Options{Owner: "prod-eu"}, quick)
	if err != nil {
		t.Fatal(err)
	}
	f.forget()
	return s
}

// forget starts the call log, and the numbering of faults, anew.
func (f *fakeVault) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls, f.agents = nil, nil
}

func (f *fakeVault) log() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// writes are the calls that would have changed something.
func (f *fakeVault) writes() []string {
	return slices.DeleteFunc(f.log(), func(c string) bool { return strings.HasPrefix(c, "GET") || strings.HasSuffix(c, "capabilities-self") })
}

func (f *fakeVault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	method := r.Method
	if r.URL.Query().Get("list") == "true" {
		method = "LIST"
		path = strings.TrimSuffix(path, "/") + "/"
	}
	name := r.Method
	if method == "LIST" {
		name = "GET list"
	}
	f.calls = append(f.calls, name+" "+path)
	f.agents = append(f.agents, r.UserAgent())
	n := len(f.calls)
	fault, before := f.fault[n], f.before
	if fault == nil {
		fault = f.floods[path]
	}
	f.mu.Unlock()
	if before != nil {
		before(n, method, path)
	}
	if fault != nil {
		fault(w, r)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer(w, r, method, path)
}

func (f *fakeVault) answer(w http.ResponseWriter, r *http.Request, method, path string) {
	switch {
	case path == "sys/seal-status":
		reply(w, 200, map[string]any{"type": "shamir", "initialized": !f.fresh, "sealed": f.sealed || f.fresh})
	case f.sealed || f.fresh:
		fail(w, 503, "Vault is sealed")
	case strings.HasPrefix(path, "auth/") && strings.HasSuffix(path, "/login"):
		f.login(w, r, path)
	case path == "sys/internal/ui/mounts" && (r.Header.Get("X-Vault-Token") == "" || f.knows(r.Header.Get("X-Vault-Token"))):
		f.listMethods(w)
	case r.Header.Get("X-Vault-Token") == "":
		fail(w, 403, "permission denied")
	case !f.knows(r.Header.Get("X-Vault-Token")):
		fail(w, 403, invalidBody)
	case f.denied(method, path):
		fail(w, 403, "1 error occurred:\n\t* permission denied\n\n")
	case path == "auth/token/lookup-self":
		data := map[string]any{"id": r.Header.Get("X-Vault-Token"), "accessor": "the-accessor", "ttl": f.lease, "num_uses": f.uses}
		maps.Copy(data, f.owner)
		reply(w, 200, map[string]any{"data": data})
	case path == "auth/token/renew-self":
		f.renew(w, r.Header.Get("X-Vault-Token"))
	case path == "auth/token/revoke-self":
		f.revoke(w, r.Header.Get("X-Vault-Token"))
	case path == "sys/capabilities-self":
		f.capabilities(w, r)
	case strings.HasPrefix(path, "sys/internal/ui/mounts/"):
		f.mountInfo(w, strings.TrimPrefix(path, "sys/internal/ui/mounts/"))
	default:
		f.secret(w, r, method, path)
	}
}

func (f *fakeVault) listMethods(w http.ResponseWriter) {
	shown := map[string]any{"token/": map[string]any{"type": "token"}}
	for path, kind := range f.methods {
		shown[path] = map[string]any{"type": kind, "description": "", "options": nil}
	}
	reply(w, 200, map[string]any{"data": map[string]any{"secret": map[string]any{}, "auth": shown}})
}

func (f *fakeVault) mountInfo(w http.ResponseWriter, path string) {
	for mount, what := range f.mounts {
		if strings.HasPrefix(path+"/", mount) {
			kind, version, _ := strings.Cut(what, " ")
			data := map[string]any{"path": mount, "type": kind, "options": nil}
			if version != "" {
				data["options"] = map[string]string{"version": version}
			}
			reply(w, 200, map[string]any{"data": data})
			return
		}
	}
	fail(w, 403, fmt.Sprintf("preflight capability check returned 403, please ensure client's policies grant access to path %q", path+"/"))
}

func (f *fakeVault) capabilities(w http.ResponseWriter, r *http.Request) {
	var question struct{ Paths []string }
	_ = json.NewDecoder(r.Body).Decode(&question)
	data := map[string]any{}
	for _, p := range question.Paths {
		data[p] = f.granted(p)
	}
	reply(w, 200, map[string]any{"data": data})
}

func reply(w http.ResponseWriter, status int, body any) { kvtest.Reply(w, status, body) }

func fail(w http.ResponseWriter, status int, errs ...string) { kvtest.Fail(w, status, errs...) }

// failing answers every call with the same error.
func failsWith(status int, errs ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fail(w, status, errs...) }
}

// page answers as something that is not Vault.
func page(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	}
}

func cleanEnvironment(t *testing.T) {
	t.Helper()
	for _, name := range vaultVariables {
		t.Setenv(name, "")
	}
}

var vaultVariables = []string{
	"VAULT_ADDR", "VAULT_AGENT_ADDR", "VAULT_TOKEN", "VAULT_NAMESPACE", "VAULT_CACERT", "VAULT_CACERT_BYTES",
	"VAULT_CAPATH", "VAULT_CLIENT_CERT", "VAULT_CLIENT_KEY", "VAULT_CLIENT_TIMEOUT", "VAULT_HEADERS", "VAULT_MAX_RETRIES",
	"VAULT_PROXY_ADDR", "VAULT_HTTP_PROXY", "VAULT_RATE_LIMIT", "VAULT_SKIP_VERIFY", "VAULT_TLS_SERVER_NAME", "VAULT_WRAP_TTL",
}

func hintOf(err error) string { return reconcile.Hint(err) }
