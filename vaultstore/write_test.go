package vaultstore

import (
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/vaultstore/kvtest"
)

const keyMarker = "MC4CAQAwBQYDK2VwBCIEIMARKEROFAKEY"

func credential() reconcile.Credential {
	return reconcile.Credential{
		Kubeconfig:  reconcile.NewSecret([]byte("kind: Config # " + keyMarker)),
		Certificate: []byte("chain"),
		Key:         reconcile.NewSecret([]byte("-----BEGIN PRIVATE KEY-----\n" + keyMarker)),
		CA:          []byte("ca"),
	}
}

func TestWriteCredential(t *testing.T) {
	f := newFakeVault(t)
	s := f.open(t)
	for cas := range 2 {
		version, err := s.WriteCredential(t.Context(), "alice@example.com", credential(), cas)
		if err != nil || version != cas+1 {
			t.Fatalf("got version %d, error %v; want %d", version, err, cas+1)
		}
	}
	want := map[string]any{
		"kubeconfig": "kind: Config # " + keyMarker, "tls.crt": "chain",
		"tls.key": "-----BEGIN PRIVATE KEY-----\n" + keyMarker, "ca.crt": "ca",
	}
	if diff := cmp.Diff(want, f.data("users/alice@example.com", 2)); diff != "" {
		t.Errorf("what stands in Vault (-want +got):\n%s", diff)
	}
}

// TestWriteCredentialWithoutKey: there is no field for a key that certsync does not have.
func TestWriteCredentialWithoutKey(t *testing.T) {
	f := newFakeVault(t)
	c := credential()
	c.Key = reconcile.Secret{}
	if _, err := f.open(t).WriteCredential(t.Context(), "alice", c, 0); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"kubeconfig": "kind: Config # " + keyMarker, "tls.crt": "chain", "ca.crt": "ca"}
	if diff := cmp.Diff(want, f.data("users/alice", 1)); diff != "" {
		t.Errorf("what stands in Vault (-want +got):\n%s", diff)
	}
}

func TestWrittenIsObserved(t *testing.T) {
	s := newFakeVault(t).open(t)
	state := reconcile.State{FormatVersion: "1", ClusterUID: "uid", Generation: 3, RunID: "run"}
	if err := s.WriteState(t.Context(), state, 0); err != nil {
		t.Fatal(err)
	}
	if version, err := s.WriteRecord(t.Context(), *parsed("alice"), 0); err != nil || version != 1 {
		t.Fatalf("got version %d, error %v", version, err)
	}
	got, err := s.ObserveStore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := reconcile.StoreView{
		State: &state, StateVersion: 1,
		Ledger:      map[string]reconcile.LedgerEntry{"alice": {Version: 1, Record: parsed("alice")}},
		Credentials: map[string]reconcile.CredentialMeta{},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ObserveStore (-want +got):\n%s", diff)
	}
}

// each write finds another version than it expects.
func TestWritesAreCheckAndSet(t *testing.T) {
	for name, write := range map[string]func(*testing.T, *Store) error{
		"writing secret/certsync/prod-eu/state": func(t *testing.T, s *Store) error {
			return s.WriteState(t.Context(), reconcile.State{FormatVersion: "1"}, 0)
		},
		"writing secret/certsync/prod-eu/ledger/alice": func(t *testing.T, s *Store) error {
			_, err := s.WriteRecord(t.Context(), *parsed("alice"), 1)
			return err
		},
		"writing secret/certsync/prod-eu/users/alice": func(t *testing.T, s *Store) error {
			_, err := s.WriteCredential(t.Context(), "alice", credential(), 3)
			return err
		},
		"deleting secret/certsync/prod-eu/users/alice": func(t *testing.T, s *Store) error {
			return s.DeleteCredential(t.Context(), "alice", 1)
		},
		"deleting secret/certsync/prod-eu/ledger/alice": func(t *testing.T, s *Store) error {
			return s.DeleteRecord(t.Context(), "alice", 1)
		},
		"deleting secret/certsync/prod-eu/users/bob": func(t *testing.T, s *Store) error {
			return s.DeleteCredential(t.Context(), "bob", 1) // who is gone meanwhile
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeVault(t)
			for range 2 {
				f.put("state", map[string]any{"formatVersion": "1"})
				f.put("ledger/alice", record("alice"))
				f.put("users/alice", map[string]any{"tls.key": "somebody else's"})
			}
			err := write(t, f.open(t))
			if !errors.Is(err, reconcile.ErrPrecondition) {
				t.Fatalf("got %v, want ErrPrecondition", err)
			}
			if want := name + ": " + reconcile.ErrPrecondition.Error(); err.Error() != want {
				t.Errorf("got %q, want %q", err, want)
			}
			for _, entry := range []string{"state", "ledger/alice", "users/alice"} {
				if e := f.at(entry); e == nil || e.Current != 2 {
					t.Errorf("%s is %+v, want version 2", entry, e)
				}
			}
			if f.at("users/bob") != nil {
				t.Error("bob is back")
			}
		})
	}
}

func TestDelete(t *testing.T) {
	f := newFakeVault(t)
	f.put("users/alice", map[string]any{"tls.key": "secret"})
	f.change("users/alice", func(v *kvtest.Version) { v.Destroyed = true }) // cas counts destroyed versions too
	f.put("ledger/alice", record("alice"))
	s := f.open(t)
	if err := s.DeleteCredential(t.Context(), "alice", 1); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteRecord(t.Context(), "alice", 1); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteCredential(t.Context(), "bob", 0); err != nil {
		t.Fatal(err)
	}
	if f.at("users/alice") != nil || f.at("ledger/alice") != nil {
		t.Error("something is left")
	}
	want := []string{
		"PUT secret/data/certsync/prod-eu/users/alice", "DELETE secret/metadata/certsync/prod-eu/users/alice",
		"PUT secret/data/certsync/prod-eu/ledger/alice", "DELETE secret/metadata/certsync/prod-eu/ledger/alice",
	}
	if diff := cmp.Diff(want, f.log()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// A run that dies between the empty version and the delete must not leave what the next one takes for a conflict.
func TestDeleteCutShort(t *testing.T) {
	f := newFakeVault(t)
	f.put("ledger/alice", record("alice"))
	s := f.open(t)
	f.fault[2] = failsWith(403, "permission denied")
	err := s.DeleteRecord(t.Context(), "alice", 1)
	if want := "deleting secret/certsync/prod-eu/ledger/alice: Vault answered 403 Forbidden: permission denied"; err == nil || err.Error() != want {
		t.Fatalf("got %v, want %q", err, want)
	}
	if want := `the token's policies must allow "delete" on secret/metadata/certsync/prod-eu/ledger/alice`; hintOf(err) != want {
		t.Errorf("the hint is %q, want %q", hintOf(err), want)
	}
	view, err := s.ObserveStore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]reconcile.LedgerEntry{"alice": {Version: 2}}, view.Ledger); diff != "" {
		t.Errorf("the ledger (-want +got):\n%s", diff)
	}
	if err := s.DeleteRecord(t.Context(), "alice", 2); err != nil || f.at("ledger/alice") != nil {
		t.Errorf("deleting again: %v; left: %v", err, f.at("ledger/alice"))
	}
}

func TestDestroyVersions(t *testing.T) {
	f := newFakeVault(t)
	for range 3 {
		f.put("users/alice", map[string]any{"tls.key": "secret"})
	}
	s := f.open(t)
	if err := s.DestroyVersions(t.Context(), "alice", nil); err != nil || len(f.log()) > 0 {
		t.Errorf("destroying nothing: error %v, calls %q", err, f.log())
	}
	if err := s.DestroyVersions(t.Context(), "alice", []int{1, 2}); err != nil {
		t.Fatal(err)
	}
	var left []int
	for n, v := range f.at("users/alice").Versions {
		if !v.Destroyed {
			left = append(left, n)
		}
	}
	if diff := cmp.Diff([]int{3}, left); diff != "" {
		t.Errorf("versions left (-want +got):\n%s", diff)
	}
	f.denied = func(string, string) bool { return true }
	err := s.DestroyVersions(t.Context(), "alice", []int{3})
	if want := `the token's policies must allow "update" on secret/destroy/certsync/prod-eu/users/alice`; hintOf(err) != want {
		t.Errorf("got %v with hint %q, want hint %q", err, hintOf(err), want)
	}
}

// vault/api joins paths: a name with ".." would leave the folder.
func TestNamesAreCheckedBeforeTheyArePaths(t *testing.T) {
	f := newFakeVault(t)
	s := f.open(t)
	for _, name := range []string{"", ".", "..", "../state", "a/b", "a b", "a?list=true", "a%2e", "system:admin", "alice-"} {
		ctx := t.Context()
		_, recordErr := s.WriteRecord(ctx, *parsed(name), 0)
		_, credentialErr := s.WriteCredential(ctx, name, credential(), 0)
		_, missingErr := s.MissingCapabilities(ctx, reconcile.StoreNeeds{Purge: []string{name}})
		for what, err := range map[string]error{
			"WriteRecord": recordErr, "WriteCredential": credentialErr, "MissingCapabilities": missingErr,
			"DestroyVersions":  s.DestroyVersions(ctx, name, []int{1}),
			"DeleteCredential": s.DeleteCredential(ctx, name, 1),
			"DeleteRecord":     s.DeleteRecord(ctx, name, 1),
		} {
			if err == nil {
				t.Errorf("%s takes the name %q", what, name)
			}
		}
	}
	if calls := f.log(); len(calls) > 0 {
		t.Errorf("requests were made: %q", calls)
	}
}

func TestNamesReachVaultAsTheyAre(t *testing.T) {
	f := newFakeVault(t)
	s := f.open(t)
	const name = "a+b_c.d-e@example.com"
	if _, err := s.WriteCredential(t.Context(), name, credential(), 0); err != nil {
		t.Fatal(err)
	}
	if f.at("users/"+name) == nil {
		t.Errorf("calls %q don't name %s", f.log(), name)
	}
}

// A standby that cannot forward answers with a redirect. The body must go along.
func TestWriteThroughAStandby(t *testing.T) {
	f := newFakeVault(t)
	s := f.open(t)
	f.fault[1] = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, f.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}
	if _, err := s.WriteCredential(t.Context(), "alice", credential(), 0); err != nil {
		t.Fatal(err)
	}
	if e := f.at("users/alice"); e == nil || f.data("users/alice", 1)["tls.crt"] != "chain" {
		t.Errorf("what stands in Vault is %+v", e)
	}
}

// TestDeleteAsIfChecked: the deletion of metadata has no check-and-set. An answer as if it had one does not mean that somebody else wrote
// the empty version.
func TestDeleteAsIfChecked(t *testing.T) {
	f := newFakeVault(t)
	f.put("users/alice", map[string]any{"tls.key": "secret"})
	s := f.open(t)
	f.fault[2] = failsWith(400, "check-and-set parameter did not match the current version")
	if err := s.DeleteCredential(t.Context(), "alice", 1); err == nil || errors.Is(err, reconcile.ErrPrecondition) || hintOf(err) == "" {
		t.Errorf("%v, hint %q", err, hintOf(err))
	}
}
