package vaultstore

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/vaultstore/kvtest"
)

func record(user string) map[string]any {
	return map[string]any{
		"formatVersion": "1", "user": user, "state": "removed", "since": "2026-01-02T03:04:05Z", "reason": "not-in-inventory",
		"kubeconfig": map[string]any{"cluster": "", "server": "", "caSHA256": ""}, "certificates": nil,
	}
}

func parsed(user string) *reconcile.Record {
	return &reconcile.Record{
		FormatVersion: "1", User: user, State: reconcile.Removed,
		Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Reason: "not-in-inventory",
	}
}

func TestObserveStore(t *testing.T) {
	f := newFakeVault(t)
	f.put("state", map[string]any{"formatVersion": "1"})
	f.put("state", map[string]any{"formatVersion": "1", "clusterUID": "uid", "generation": 7})

	f.put("ledger/alice+ops@example.com", record("alice+ops@example.com"))
	f.put("ledger/bob", record("bob"))
	f.put("ledger/bob", record("eve")) // somebody else's record
	f.put("ledger/carol", record("carol"))
	f.change("ledger/carol", func(v *kvtest.Version) { v.Deleted = f.now().Add(-time.Hour) })
	f.put("ledger/dave", record("dave"))
	f.change("ledger/dave", func(v *kvtest.Version) { v.Destroyed = true })
	f.put("ledger/cut-short", map[string]any{})
	f.put("ledger/metadata-only", nil)
	f.put("ledger/x y", record("x y"))

	f.put("users/alice+ops@example.com", map[string]any{"tls.key": "secret"})
	f.put("users/alice+ops@example.com", map[string]any{"tls.key": "secret"})
	f.change("users/alice+ops@example.com", func(v *kvtest.Version) { v.Destroyed = true })
	f.put("users/bob", map[string]any{"tls.key": "secret"})
	f.change("users/bob", func(v *kvtest.Version) { v.Deleted = f.now().Add(-time.Second) })
	f.put("users/carol", map[string]any{"tls.key": "secret"})
	f.change("users/carol", func(v *kvtest.Version) { v.Deleted = f.now().Add(24 * time.Hour) }) // delete_version_after
	f.put("users/metadata-only", nil)
	f.put("users/folder/inner", map[string]any{"tls.key": "secret"})

	got, err := f.open(t).ObserveStore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := reconcile.StoreView{
		State:        &reconcile.State{FormatVersion: "1", ClusterUID: "uid", Generation: 7},
		StateVersion: 2,
		Ledger: map[string]reconcile.LedgerEntry{
			"alice+ops@example.com": {Version: 1, Record: parsed("alice+ops@example.com")},
			"bob":                   {Version: 2, Problem: `it is the record of "eve"`},
			"carol":                 {Version: 1, Lost: true},
			"dave":                  {Version: 1, Lost: true},
			"cut-short":             {Version: 1},
			"metadata-only":         {Lost: true},
		},
		Credentials: map[string]reconcile.CredentialMeta{
			"alice+ops@example.com": {CurrentVersion: 2, Versions: []reconcile.CredentialVersion{{Version: 1, Destroyed: true}, {Version: 2}}},
			"bob":                   {CurrentVersion: 1, Versions: []reconcile.CredentialVersion{{Version: 1, Deleted: true}}},
			"carol":                 {CurrentVersion: 1, Versions: []reconcile.CredentialVersion{{Version: 1}}},
			"metadata-only":         {},
		},
		UnknownEntries: []string{"ledger/x y", "users/folder/"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ObserveStore (-want +got):\n%s", diff)
	}
	for _, call := range f.log() {
		if strings.Contains(call, "/data/") && strings.Contains(call, "/users") {
			t.Errorf("%q reads a key", call)
		}
	}
	if writes := f.writes(); len(writes) > 0 {
		t.Errorf("observing wrote: %q", writes)
	}
}

func TestObserveNothing(t *testing.T) {
	got, err := newFakeVault(t).open(t).ObserveStore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := reconcile.StoreView{Ledger: map[string]reconcile.LedgerEntry{}, Credentials: map[string]reconcile.CredentialMeta{}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ObserveStore (-want +got):\n%s", diff)
	}
}

// An entry that goes between the list and the read is as if it had gone before.
func TestObserveVanishingEntries(t *testing.T) {
	f := newFakeVault(t)
	f.put("ledger/alice", record("alice"))
	f.put("users/alice", map[string]any{"tls.key": "secret"})
	s := f.open(t)
	f.before = func(_ int, method, path string) {
		if method == "GET" && strings.HasSuffix(path, "/alice") {
			f.mu.Lock()
			defer f.mu.Unlock()
			clear(f.kv.Secrets)
		}
	}
	got, err := s.ObserveStore(t.Context())
	if err != nil || len(got.Ledger) > 0 || len(got.Credentials) > 0 {
		t.Errorf("got %v, error %v; want nothing", got, err)
	}
}

// Calls 1 to 5: state, list of ledger/, list of users/, then the record and the metadata, in any order.
var halfObserved = map[string]struct {
	call  int
	fault http.HandlerFunc
	want  string
	hint  string
}{
	"a list that is denied": {2, failsWith(403, "1 error occurred:\n\t* permission denied\n\n"),
		"listing secret/certsync/prod-eu/ledger/: Vault answered 403 Forbidden: permission denied",
		`the token's policies must allow "list" on secret/metadata/certsync/prod-eu/ledger/`},
	"another list that is denied": {3, failsWith(403, "permission denied"),
		"listing secret/certsync/prod-eu/users/: Vault answered 403 Forbidden: permission denied",
		`the token's policies must allow "list" on secret/metadata/certsync/prod-eu/users/`},
	"a state that is denied": {1, failsWith(403, "permission denied"),
		"reading secret/certsync/prod-eu/state: Vault answered 403 Forbidden: permission denied",
		`the token's policies must allow "read" on secret/data/certsync/prod-eu/state`},
	"a token that ended": {2, failsWith(403, invalidBody),
		"listing secret/certsync/prod-eu/ledger/: Vault answered 403 Forbidden: permission denied, invalid token",
		"the token is unknown, expired or revoked: run `vault login`, or set VAULT_TOKEN"},
	"a mount that is gone": {2, failsWith(404, `no handler for route "secret/metadata/". route entry not found.`),
		`listing secret/certsync/prod-eu/ledger/: Vault answered 404 Not Found: no handler for route "secret/metadata/". route entry not found.`,
		"check --vault-mount and VAULT_NAMESPACE: nothing is mounted there, the mount was moved, or its plugin has failed"},
	"a proxy's page": {2, page(404, "<h1>who?</h1>"),
		"listing secret/certsync/prod-eu/ledger/: Vault answered 404 Not Found",
		"check VAULT_ADDR: the answer did not come from Vault itself"},
	"a proxy that speaks JSON": {2, page(404, `{"message":"no such service"}`),
		"listing secret/certsync/prod-eu/ledger/: Vault answered 404 Not Found",
		"check VAULT_ADDR: the answer did not come from Vault itself"},
	"a page that looks well":        {2, page(200, "<h1>welcome</h1>"), "listing secret/certsync/prod-eu/ledger/: talking to ADDRESS: the answer does not come from Vault", "check that VAULT_ADDR is the address of Vault"},
	"an object that is not Vault's": {2, page(200, `{"ok":true}`), "listing secret/certsync/prod-eu/ledger/: talking to ADDRESS: the answer does not come from Vault", "check that VAULT_ADDR is the address of Vault"},
	"a list without names":          {2, page(200, `{"data":{}}`), "listing secret/certsync/prod-eu/ledger/: the answer does not come from Vault", ""},
	"half an answer":                {2, page(200, `{"data":{"keys":["a`), "listing secret/certsync/prod-eu/ledger/: talking to ADDRESS: the answer does not come from Vault", "check that VAULT_ADDR is the address of Vault"},
	"a version without a number":    {1, page(200, `{"data":{"data":{"formatVersion":"1"}}}`), "reading secret/certsync/prod-eu/state: the answer does not come from Vault", ""},
	"metadata without versions":     {5, page(200, `{"data":{"current_version":1}}`), "reading the metadata of secret/certsync/prod-eu/users/alice: the answer does not come from Vault", ""},
	"a Vault that was sealed meanwhile": {3, failsWith(503, "Vault is sealed"),
		"listing secret/certsync/prod-eu/users/: Vault answered 503 Service Unavailable: Vault is sealed", "unseal it with `vault operator unseal`"},
}

// TestStateThatIsNone: what stands at the state's path and is none is no empty state.
func TestStateThatIsNone(t *testing.T) {
	for stands, want := range map[string]string{
		`{"formatVersion":"9"}`: `its formatVersion is "9", not "2"`,
		`{"formatVersion":"2"}`: "it has no endpoint",
		`{"formatVersion":"2","endpoint":{},"grants":"x","names":"x"}`:   "its grants: unexpected EOF",
		`{"formatVersion":"2","endpoint":{},"grants":"H4sI","names":""}`: "its grants: unexpected EOF",
		`{"generation":"x"}`: "json: cannot unmarshal string into Go struct field document.generation of type int64",
	} {
		f := newFakeVault(t)
		s := f.open(t)
		f.fault[1] = page(200, `{"data":{"data":`+stands+`,"metadata":{"version":3}}}`)
		view, err := s.ObserveStore(t.Context())
		if err != nil || view.State != nil || view.StateVersion != 3 || view.StateProblem == nil {
			t.Fatalf("%s: %+v, %v", stands, view, err)
		}
		if got := view.StateProblem.Error(); got != "reading secret/certsync/prod-eu/state: "+want || !strings.Contains(hintOf(view.StateProblem), "--new-ledger") {
			t.Errorf("%s: %s", stands, got)
		}
	}
}

func TestObserveIsAllOrNothing(t *testing.T) {
	for name, test := range halfObserved {
		t.Run(name, func(t *testing.T) {
			f := newFakeVault(t)
			f.put("state", map[string]any{"formatVersion": "1"})
			f.put("users/alice", map[string]any{"tls.key": "secret"})
			if test.call < 5 {
				f.put("ledger/alice", record("alice"))
			} else {
				test.call = 4 // with no record, the metadata is the fourth call
			}
			s := f.open(t)
			f.fault[test.call] = test.fault
			view, err := s.ObserveStore(t.Context())
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(reconcile.StoreView{}, view); diff != "" {
				t.Errorf("a view beside the error:\n%s", diff)
			}
			if diff := cmp.Diff(strings.ReplaceAll(test.want, "ADDRESS", f.URL), err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.hint, hintOf(err)); diff != "" {
				t.Errorf("hint (-want +got):\n%s", diff)
			}
		})
	}
}

// The first error is the one to report, and nothing more is asked after it.
func TestObserveStopsAtTheFirstError(t *testing.T) {
	f := newFakeVault(t)
	for i := range 500 {
		user := "user" + string(rune('a'+i%26)) + strings.Repeat("x", i/26)
		f.put("ledger/"+user, record(user))
	}
	s := f.open(t)
	f.fault[10] = failsWith(403, "permission denied")
	_, err := s.ObserveStore(t.Context())
	if err == nil || !strings.Contains(err.Error(), "reading secret/certsync/prod-eu/ledger/user") || errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the denial of one record", err)
	}
	if n := len(f.log()); n > 250 {
		t.Errorf("%d calls were made, although the tenth failed", n)
	}
}

func TestObserveEndsWithItsContext(t *testing.T) {
	f := newFakeVault(t)
	s := f.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.fault[2] = func(w http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() }
	if _, err := s.ObserveStore(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestDeletionTimes(t *testing.T) {
	header := http.Header{"Date": {"Mon, 05 Jan 2026 10:00:00 GMT"}}
	for name, test := range map[string]struct {
		time   string
		header http.Header
		want   bool
	}{
		"none":                            {"", header, false},
		"passed":                          {"2026-01-05T09:00:00.123456789Z", header, true},
		"within the second of the answer": {"2026-01-05T10:00:00.9Z", header, true},
		"ahead":                           {"2026-01-05T10:01:00Z", header, false},
		"unreadable":                      {"soon", header, true},
		"ahead, as far as we know":        {"2026-01-05T10:01:00Z", http.Header{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := deleted(test.time, test.header); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}

func TestConcurrencyIsBounded(t *testing.T) {
	f := newFakeVault(t)
	for _, user := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		f.put("ledger/"+user, record(user))
	}
	f.environment(t)
	s, err := open(t.Context(), Options{Owner: "prod-eu", Concurrency: 3}, quick)
	if err != nil {
		t.Fatal(err)
	}
	running, most := make(chan int, 100), 0
	f.before = func(int, string, string) {
		running <- 1
		time.Sleep(5 * time.Millisecond)
		f.mu.Lock()
		most = max(most, len(running))
		f.mu.Unlock()
		<-running
	}
	if _, err := s.ObserveStore(t.Context()); err != nil {
		t.Fatal(err)
	}
	if most > 3 {
		t.Errorf("%d requests were under way at once, want at most 3", most)
	}
	if !slices.ContainsFunc(f.agents, func(a string) bool { return a == "certsync" }) {
		t.Errorf("the user agents are %q", f.agents)
	}
}
