package vaultstore

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/retention"
	"github.com/certsync/certsync/vaultstore/kvtest"
)

// limit sets delete_version_after of a key.
func (f *fakeVault) limit(entry string, after time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kv.Change(ownFolder+entry, func(s *kvtest.Secret) { s.DeleteAfter = after })
}

// TestWritesThatVanish: a write to which Vault gives a deletion time is an error, though it was written. The record of a user who
// leaves is written all the same: access ends, whatever becomes of the record.
func TestWritesThatVanish(t *testing.T) {
	state := func(s *Store) error {
		return s.WriteState(t.Context(), reconcile.State{FormatVersion: "1", RunID: "7"}, 0)
	}
	credential := func(s *Store) error {
		_, err := s.WriteCredential(t.Context(), "alice", reconcile.Credential{}, 0)
		return err
	}
	written := func(state reconcile.RecordState) func(s *Store) error {
		return func(s *Store) error {
			version, err := s.WriteRecord(t.Context(), reconcile.Record{User: "alice", State: state}, 0)
			if version != 1 {
				t.Errorf("version %d, %v", version, err)
			}
			return err
		}
	}
	all := func(after time.Duration) func(*fakeVault) {
		return func(f *fakeVault) { f.kv.DeleteAfter = after }
	}
	key := func(entry string) func(*fakeVault) { return func(f *fakeVault) { f.limit(entry, time.Hour) } }
	for sentence, tt := range map[string]struct {
		set   func(*fakeVault)
		write func(*Store) error
		want  string
	}{
		"a state, by the mount":                  {all(2 * time.Hour), state, "secret/certsync/prod-eu/state"},
		"a state, by its key":                    {key("state"), state, "secret/certsync/prod-eu/state"},
		"a state, whose key the mount overrules": {func(f *fakeVault) { key("state")(f); f.kv.DeleteAfter = -1 }, state, ""},
		"a record, by its key":                   {key("ledger/alice"), written(reconcile.Active), "secret/certsync/prod-eu/ledger/alice"},
		"a record of somebody who leaves":        {all(time.Hour), written(reconcile.Removing), ""},
		"a credential, by the mount":             {all(time.Hour), credential, "secret/certsync/prod-eu/users/alice"},
		"a state, in a mount that keeps all":     {all(0), state, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			f := newFakeVault(t)
			tt.set(f)
			err := tt.write(f.open(t))
			if (tt.want != "") != errors.Is(err, retention.ErrLimited) || tt.want == "" && err != nil {
				t.Fatal(err)
			}
			if tt.want == "" {
				return
			}
			hint := "run `vault write secret/config delete_version_after=0s` for the mount, " +
				"and `vault kv metadata patch -delete-version-after=0s " + tt.want + "` for the key; then apply again"
			if diff := cmp.Diff(hint, hintOf(err)); diff != "" || !strings.HasPrefix(err.Error(), "writing "+tt.want+": the server deletes what certsync writes there after a time, at 20") {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}

// TestStateThatVanishesAfterALostAnswer: the repetition finds its own write, which Vault will delete.
func TestStateThatVanishesAfterALostAnswer(t *testing.T) {
	f := newFakeVault(t)
	f.kv.DeleteAfter = time.Hour
	s := f.open(t)
	f.put("state", map[string]any{"formatVersion": "1", "runID": "7"})
	f.fault[1] = failsWith(502, "lost")
	err := s.WriteState(t.Context(), reconcile.State{FormatVersion: "1", RunID: "7"}, 0)
	if !errors.Is(err, retention.ErrLimited) {
		t.Error(err)
	}
}

// TestLostState: a state of which only metadata or a deleted version is left is not one that never was.
func TestLostState(t *testing.T) {
	stored := func(change func(f *fakeVault, v *kvtest.Version)) func(f *fakeVault) {
		return func(f *fakeVault) {
			f.put("state", map[string]any{"formatVersion": "1"})
			f.change("state", func(v *kvtest.Version) { change(f, v) })
		}
	}
	denyMetadata := func(_, path string) bool { return strings.HasPrefix(path, "secret/metadata/certsync/prod-eu/state") }
	for sentence, tt := range map[string]struct {
		there   func(*fakeVault)
		version int
		want    string
	}{
		"never was": {func(*fakeVault) {}, 0, ""},
		"deleted, or gone with its time": {stored(func(f *fakeVault, v *kvtest.Version) {
			v.Deleted = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		}), 1, "reading secret/certsync/prod-eu/state: version 1 was deleted at 2026-01-02T03:04:05Z"},
		"destroyed":                            {stored(func(_ *fakeVault, v *kvtest.Version) { v.Destroyed = true }), 1, "reading secret/certsync/prod-eu/state: version 1 was destroyed"},
		"metadata without versions":            {func(f *fakeVault) { f.put("state", nil) }, 0, "reading secret/certsync/prod-eu/state: its metadata exists, but no version"},
		"metadata that the token may not read": {func(f *fakeVault) { f.put("state", nil); f.denied = denyMetadata }, 0, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			f := newFakeVault(t)
			tt.there(f)
			view, err := f.open(t).ObserveStore(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if view.StateProblem != nil {
				got = view.StateProblem.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || view.State != nil || view.StateVersion != tt.version {
				t.Errorf("%+v %s", view, diff)
			}
			if got != "" && !strings.Contains(hintOf(view.StateProblem), "--new-ledger") {
				t.Errorf("hint %q", hintOf(view.StateProblem))
			}
		})
	}
}

// TestKeysThatVanish: what a key's own setting says of new versions is observed, where the token may know.
func TestKeysThatVanish(t *testing.T) {
	f := newFakeVault(t)
	f.limit("ledger/prepared", time.Hour)
	f.limit("ledger/written", 2*time.Hour)
	f.put("ledger/written", record("written"))
	f.limit("users/written", 3*time.Hour)
	want := reconcile.StoreView{
		Ledger: map[string]reconcile.LedgerEntry{
			"prepared": {Lost: true, DeleteAfter: time.Hour},
			"written":  {Version: 1, Record: parsed("written"), DeleteAfter: 2 * time.Hour},
		},
		Credentials: map[string]reconcile.CredentialMeta{"written": {DeleteAfter: 3 * time.Hour}},
	}
	s := f.open(t)
	for _, denied := range []bool{false, true} {
		f.denied = func(method, path string) bool {
			return denied && method == "GET" && strings.HasPrefix(path, "secret/metadata/certsync/prod-eu/ledger/")
		}
		if denied { // a policy of an earlier version
			want.Ledger = map[string]reconcile.LedgerEntry{"prepared": {Lost: true}, "written": {Version: 1, Record: parsed("written")}}
		}
		got, err := s.ObserveStore(t.Context())
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("denied %t: %v %s", denied, err, diff)
		}
	}
}

// TestCheckRetention: preflight learns of delete_version_after before the first write, where the token may know.
func TestCheckRetention(t *testing.T) {
	for sentence, tt := range map[string]struct {
		mount, state time.Duration
		denied       bool
		want         string
	}{
		"neither":                   {},
		"the mount":                 {mount: 2 * time.Hour, want: "the server deletes what certsync writes there after a time: the mount has delete_version_after=2h"},
		"the state":                 {state: time.Hour, want: "the server deletes what certsync writes there after a time: secret/certsync/prod-eu/state has delete_version_after=1h"},
		"a mount that switches off": {mount: -time.Second},
		"nobody may know":           {mount: time.Hour, state: time.Hour, denied: true},
	} {
		t.Run(sentence, func(t *testing.T) {
			f := newFakeVault(t)
			f.kv.DeleteAfter = tt.mount
			if tt.state > 0 {
				f.limit("state", tt.state)
			}
			f.denied = func(_, path string) bool {
				return tt.denied && (path == "secret/config" || strings.HasPrefix(path, "secret/metadata/"))
			}
			got := ""
			err := f.open(t).CheckRetention(t.Context())
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil && !errors.Is(err, retention.ErrLimited) {
				t.Error(diff, err)
			}
		})
	}
}
