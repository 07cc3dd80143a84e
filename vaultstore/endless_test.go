package vaultstore

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/vaultstore/kvtest"
)

// flood answers with a head and then with filler, for as long as somebody reads, and counts what it sent.
func flood(sent *atomic.Int64, status int, head, filler string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		block := []byte(strings.Repeat(filler, 32<<10/len(filler)))
		for part := []byte(head); ; part = block {
			n, err := w.Write(part)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	}
}

// TestAnswersWithoutEnd: whatever Vault is asked, what comes without an end is an error that names the server, the call
// and the limit, and little more than the limit leaves the server.
func TestAnswersWithoutEnd(t *testing.T) {
	observe := func(ctx context.Context, s *Store) error { _, err := s.ObserveStore(ctx); return err }
	for name, test := range map[string]struct {
		call         int // which of those that do makes has no end
		status       int
		head, filler string
		path         string
		do           func(ctx context.Context, s *Store) error
	}{
		"the state":            {1, 200, `{"data":{"data":{"a":"`, "x", "secret/data/certsync/prod-eu/state", observe},
		"the state's metadata": {2, 200, `{"data":{"a":"`, "x", "secret/metadata/certsync/prod-eu/state", observe},
		"a list":               {3, 200, `{"data":{"keys":[`, `"alice",`, "secret/metadata/certsync/prod-eu/ledger", observe},
		"no list":              {3, 404, `{"errors":[`, " ", "secret/metadata/certsync/prod-eu/ledger", observe},
		"an error":             {3, 400, `{"errors":["`, "x", "secret/metadata/certsync/prod-eu/ledger", observe},
		"some page":            {2, 403, "<html>", "<br>", "secret/metadata/certsync/prod-eu/state", observe},
		"a write": {1, 200, `{"data":{"version":"`, "1", "secret/data/certsync/prod-eu/state", func(ctx context.Context, s *Store) error {
			return s.WriteState(ctx, reconcile.State{}, 0)
		}},
		"rights": {1, 200, `{"data":{"a":"`, "x", "sys/capabilities-self", func(ctx context.Context, s *Store) error {
			_, err := s.MissingCapabilities(ctx, reconcile.StoreNeeds{})
			return err
		}},
		"health": {1, 200, `{"version":"`, "x", "sys/health", func(ctx context.Context, s *Store) error { _, err := s.Health(ctx); return err }},
		"a credential": {1, 200, `{"data":{"data":{"kubeconfig":"`, "x", "secret/data/certsync/prod-eu/users/alice", func(ctx context.Context, s *Store) error {
			_, err := s.ReadCredential(ctx, "alice")
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			v := newFakeVault(t)
			s := v.open(t)
			var sent atomic.Int64
			v.fault[test.call] = flood(&sent, test.status, test.head, test.filler)
			err := test.do(t.Context(), s)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range []string{v.URL, fmt.Sprintf("%q", "/v1/"+test.path), strconv.Itoa(maxAnswer) + " bytes"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
			if want := "check that VAULT_ADDR is the address of Vault, and that no proxy answers in its place"; hintOf(err) != want {
				t.Errorf("the hint is %q", hintOf(err))
			}
			// Beside what is read, a connection has room for what the kernel buffers on both sides: some 10 MiB with the usual limits.
			if most := int64(maxAnswer + 32<<20); sent.Load() > most {
				t.Errorf("%d bytes were sent, at most %d were to be", sent.Load(), most)
			}
		})
	}
}

// TestLoginWithoutEnd: before there is a token, too.
func TestLoginWithoutEnd(t *testing.T) {
	v := newFakeVault(t)
	v.environment(t)
	var sent atomic.Int64
	v.fault[1] = flood(&sent, 200, `{"auth":{"client_token":"`, "x")
	_, err := openUser(t.Context(), Options{Owner: "prod-eu", Login: Login{Method: "jwt", Role: "people", TokenFile: file(t, "a.b.c")}}, quick)
	if err == nil || !strings.Contains(err.Error(), strconv.Itoa(maxAnswer)+" bytes") || sent.Load() > maxAnswer+32<<20 {
		t.Errorf("%d bytes, %v", sent.Load(), err)
	}
}

// TestLargeEntriesAreTheirUsers: whoever may write one user's paths keeps nobody else's from being read.
func TestLargeEntriesAreTheirUsers(t *testing.T) {
	v := newFakeVault(t)
	s := v.open(t)
	for _, user := range []string{"alice", "bob", "carol", "dave"} {
		if _, err := s.WriteRecord(t.Context(), *parsed(user), 0); err != nil {
			t.Fatal(err)
		}
		if _, err := s.WriteCredential(t.Context(), user, credential(), 0); err != nil {
			t.Fatal(err)
		}
	}
	v.change("ledger/dave", func(version *kvtest.Version) { version.Deleted = v.now().Add(time.Hour) }) // the metadata is asked for
	var sent atomic.Int64
	v.floods = map[string]http.HandlerFunc{
		"secret/metadata/certsync/prod-eu/ledger/dave": flood(&sent, 200, `{"data":{"versions":{"`, "1"),
		"secret/data/certsync/prod-eu/ledger/alice":    flood(&sent, 200, `{"data":{"data":{"a":"`, "x"),
		"secret/metadata/certsync/prod-eu/users/bob":   flood(&sent, 200, `{"data":{"versions":{"`, "1"),
	}
	view, err := s.ObserveStore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for user, path := range map[string]string{"alice": "data/certsync/prod-eu/ledger/alice", "bob": "metadata/certsync/prod-eu/users/bob", "carol": "", "dave": "metadata/certsync/prod-eu/ledger/dave"} {
		entry := view.Ledger[user]
		switch {
		case path == "" && (entry.Problem != "" || entry.Record == nil):
			t.Errorf("%s: %+v", user, entry)
		case path != "" && (entry.Record != nil || !strings.Contains(entry.Problem, path) || !strings.Contains(entry.Problem, strconv.Itoa(maxAnswer)+" bytes")):
			t.Errorf("%s: %+v", user, entry)
		}
	}
}

// TestDeepEntriesAreTheirUsers: Vault before 1.20.3 takes 10,000 nested objects, and its answer has one more.
func TestDeepEntriesAreTheirUsers(t *testing.T) {
	const deepest = 10_000 // of encoding/json
	nested := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	v := newFakeVault(t)
	s := v.open(t)
	v.put("ledger/alice", record("alice"))
	v.put("ledger/bob", record("bob"))
	v.floods = map[string]http.HandlerFunc{
		"secret/data/certsync/prod-eu/ledger/alice": page(200, `{"data":{"data":`+nested(deepest-1)+`,"metadata":{"version":1}}}`),
	}
	view, err := s.ObserveStore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	alice, bob := view.Ledger["alice"], view.Ledger["bob"]
	if alice.Record != nil || !strings.Contains(alice.Problem, "secret/certsync/prod-eu/ledger/alice: its data is nested too deeply") {
		t.Errorf("alice: %+v", alice)
	}
	if bob.Record == nil || bob.Problem != "" {
		t.Errorf("bob: %+v", bob)
	}
	v.floods["secret/data/certsync/prod-eu/users/bob"] = v.floods["secret/data/certsync/prod-eu/ledger/alice"]
	if _, err := s.ReadCredential(t.Context(), "bob"); !Unavailable(err) {
		t.Errorf("a credential: %v", err)
	}
}

// TestLongErrors: what Vault says is not repeated at length.
func TestLongErrors(t *testing.T) {
	v := newFakeVault(t)
	s := v.open(t)
	long := strings.Repeat("no ", 1<<20)
	v.fault[1] = failsWith(400, long, long)
	if _, err := s.ObserveStore(t.Context()); err == nil || len(err.Error()) > maxText+300 {
		t.Errorf("%d bytes", len(err.Error()))
	}
	v.owner = map[string]any{"display_name": long, "policies": []string{long, long}}
	v.methods = map[string]string{}
	for n := range 500 {
		v.methods[fmt.Sprintf("corp%d/", n)] = "userpass"
	}
	v.denied = func(_, path string) bool { return strings.Contains(path, "users/") }
	if _, err := s.ReadCredential(t.Context(), "alice"); err == nil || len(hintOf(err)) > 3*maxText {
		t.Errorf("a hint of %d bytes", len(hintOf(err)))
	}
}
