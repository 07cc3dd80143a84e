//go:build linux

// On other systems $XDG_CACHE_HOME does not say where the cache folder is.

package credentials

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/pki"
	"github.com/certsync/certsync/vaultstore"
)

// stage is a source with a clock that stands still, and a Vault that answers as it is told.
type stage struct {
	Source
	t       *testing.T
	folder  string // of the cache
	clock   time.Time
	gives   vaultstore.Stored
	fails   error
	asked   []time.Duration // the timeout of each question
	printed string
}

func newStage(t *testing.T) *stage {
	c, folder := newCache(t)
	s := &stage{t: t, folder: folder, clock: fixture.Noon}
	s.Source = Source{
		User: "alice", Cache: c, Now: func() time.Time { return s.clock },
		AddKey: func(c reconcile.Credential) (reconcile.Credential, error) { return c, nil },
		Fetch: func(_ context.Context, timeout time.Duration) (vaultstore.Stored, error) {
			s.asked = append(s.asked, timeout)
			return s.gives, s.fails
		},
		Warn:   func(err error) { s.printed += fmt.Sprintf("%v\nhint: %s\n", err, reconcile.Hint(err)) },
		Inform: func(text string) { s.printed += text + "\n" },
	}
	s.issue(1)
	return s
}

// issue puts a new version into Vault. Its certificate ends in an hour.
func (s *stage) issue(version int) {
	s.gives = vaultstore.Stored{Credential: fixture.Credential("alice", s.clock.Add(time.Hour)), Version: version}
}

// at runs the plugin some time after noon. It returns the version of the credential, 0 for none, and how often Vault was
// asked.
func (s *stage) at(after time.Duration) (version, asked int, err error) {
	s.t.Helper()
	s.clock, s.asked, s.printed = fixture.Noon.Add(after), nil, ""
	e, err := s.obtain(s.t.Context())
	if e != nil {
		version = e.version
	}
	return version, len(s.asked), err
}

// want checks a run without an error.
func (s *stage) want(after time.Duration, version, asked int) {
	s.t.Helper()
	gotVersion, gotAsked, err := s.at(after)
	if diff := cmp.Diff([]int{version, asked}, []int{gotVersion, gotAsked}); diff != "" || err != nil {
		s.t.Errorf("after %s: version and questions %s, %v", after, diff, err)
	}
}

// TestVaultIsAskedAgain: Vault is asked again after five minutes, and then a new version is used.
func TestVaultIsAskedAgain(t *testing.T) {
	s := newStage(t)
	s.want(0, 1, 1)
	if s.asked[0] != vaultTimeout {
		t.Errorf("without anything to go on with it waits %s", s.asked[0])
	}
	s.issue(2)
	s.want(4*time.Minute, 1, 0)
	s.want(5*time.Minute, 2, 1)
	if s.asked[0] != shortVaultTimeout {
		t.Errorf("with something to go on with it waits %s", s.asked[0])
	}
	s.issue(3)
	s.want(6*time.Minute, 2, 0)
	s.Refresh = true
	s.want(6*time.Minute, 3, 1)
	if s.asked[0] != vaultTimeout {
		t.Errorf("for who wants it anew it waits %s", s.asked[0])
	}
	s.Refresh = false
	s.want(7*time.Minute, 3, 0)
	if s.printed != "" {
		t.Error(s.printed)
	}
	// Vault was restored from a backup: what it says counts.
	s.issue(1)
	s.want(12*time.Minute, 1, 1)
}

// TestVaultIsGone: the entry is used until its certificate ends, and Vault is asked every half minute.
func TestVaultIsGone(t *testing.T) {
	s := newStage(t)
	s.want(0, 1, 1)
	s.fails = unreachable(t)
	s.want(4*time.Minute, 1, 0)
	for _, tt := range []struct {
		after time.Duration
		asked int
	}{{6 * time.Minute, 1}, {6*time.Minute + 29*time.Second, 0}, {6*time.Minute + 30*time.Second, 1}, {59 * time.Minute, 1}} {
		s.want(tt.after, 1, tt.asked)
		const want = "Vault is not available: certsync uses the cached credential from 2026-03-01T12:00:00Z, until its certificate expires at 2026-03-01T13:00:00Z\n"
		reason, line, _ := strings.Cut("\n"+s.printed, "\nVault is not")
		if "Vault is not"+line != want || strings.Contains(reason, "connection refused\nhint: ") != (tt.asked == 1) {
			t.Errorf("after %s: %s", tt.after, s.printed)
		}
	}
	s.Refresh = true
	if version, _, err := s.at(59 * time.Minute); version != 0 || !vaultstore.Unavailable(err) {
		t.Errorf("who wants it anew gets version %d, %v", version, err)
	}
	s.Refresh = false
	if version, _, err := s.at(time.Hour); version != 0 || !vaultstore.Unavailable(err) {
		t.Errorf("at its end: version %d, %v", version, err)
	}
	s.fails = nil
	s.issue(2)
	s.want(time.Hour, 2, 1)
	s.want(time.Hour+time.Minute, 2, 0)
	if s.printed != "" {
		t.Error(s.printed)
	}
}

// TestVaultSaysNo: if Vault has no credential for the user, nothing is left in the cache.
func TestVaultSaysNo(t *testing.T) {
	s := newStage(t)
	s.want(0, 1, 1)
	s.fails = fmt.Errorf("reading: %w", vaultstore.ErrNoCredential)
	if version, _, err := s.at(6 * time.Minute); version != 0 || !errors.Is(err, vaultstore.ErrNoCredential) {
		t.Errorf("version %d, %v", version, err)
	}
	if files, _ := os.ReadDir(s.folder); len(files) > 0 {
		t.Errorf("left behind: %v", files)
	}
	s.fails = unreachable(t)
	if version, _, err := s.at(6 * time.Minute); version != 0 || err == nil {
		t.Errorf("with a Vault that is gone: version %d, %v", version, err)
	}
}

// TestNotTried: an error of this machine is no outage. It leaves the cache as it is, and is not hidden by it.
func TestNotTried(t *testing.T) {
	s := newStage(t)
	s.want(0, 1, 1)
	s.fails = errors.New("reading the file of --vault-token-file")
	if version, _, err := s.at(6 * time.Minute); version != 0 || err == nil {
		t.Errorf("version %d, %v", version, err)
	}
	s.fails = unreachable(t)
	s.want(7*time.Minute, 1, 1)
}

// TestAnotherPluginReachedVault: an entry that another plugin wrote in the meantime is used, and not overwritten.
func TestAnotherPluginReachedVault(t *testing.T) {
	s := newStage(t)
	gone := unreachable(t)
	fetch := s.Fetch
	for _, version := range []int{1, 2} { // with nothing in the cache, and with version 1
		s.Fetch = func(context.Context, time.Duration) (vaultstore.Stored, error) {
			s.issue(version)
			if _, err := s.take(nil, s.gives); err != nil {
				t.Error(err)
			}
			return vaultstore.Stored{}, gone
		}
		s.want(time.Duration(version)*6*time.Minute, version, 0)
	}
	s.Fetch = fetch
	s.want(16*time.Minute+59*time.Second, 2, 0)
}

// TestUselessCredential: a credential that nobody can use is an error with a hint, and not kept.
func TestUselessCredential(t *testing.T) {
	for name, tt := range map[string]struct {
		gives      reconcile.Credential
		want, hint string
	}{
		"another user's":     {fixture.Credential("bob", fixture.Noon.Add(time.Hour)), `its certificate is for "bob"`, "certsync did not write this"},
		"it ended":           {fixture.Credential("alice", fixture.Noon), "its certificate expired at 2026-03-01T12:00:00Z", "renews it"},
		"with another key":   {reconcile.Credential{Certificate: fixture.Credential("alice", fixture.Noon.Add(time.Hour)).Certificate, Key: fixture.Credential("alice", fixture.Noon).Key}, "its key is not that", "certsync did not write this"},
		"a key that is none": {reconcile.Credential{Certificate: fixture.Credential("alice", fixture.Noon.Add(time.Hour)).Certificate, Key: reconcile.NewSecret([]byte("s3cret"))}, "its key is not that", "certsync did not write this"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.gives.Credential = tt.gives
			_, _, err := s.at(0)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(reconcile.Hint(err), tt.hint) || strings.Contains(fmt.Sprint(err, reconcile.Hint(err)), "s3cret") {
				t.Errorf("%v\nhint: %s", err, reconcile.Hint(err))
			}
			if files, _ := os.ReadDir(s.folder); len(files) > 0 {
				t.Errorf("kept: %v", files)
			}
		})
	}
}

// TestKeyOfTheUser: a key of the user is never kept. Vault is asked if the key does not fit the entry.
func TestKeyOfTheUser(t *testing.T) {
	s := newStage(t)
	key := s.gives.Key
	s.gives.Key = reconcile.Secret{}
	s.AddKey = func(c reconcile.Credential) (reconcile.Credential, error) { return pki.WithKey(c, key) }
	s.want(0, 1, 1)
	s.want(time.Minute, 1, 0)
	text, err := os.ReadFile(filepath.Join(s.folder, s.Cache.name))
	if err != nil || !strings.Contains(string(text), "CERTIFICATE") || strings.Contains(string(text), "PRIVATE KEY") {
		t.Errorf("%s, %v", text, err)
	}
	s.issue(2)
	key, s.gives.Key = s.gives.Key, reconcile.Secret{}
	s.want(2*time.Minute, 2, 1)
	s.want(3*time.Minute, 2, 0)
}

// TestGet: the credential has its key, and kubectl runs the plugin again before the certificate ends.
func TestGet(t *testing.T) {
	s := newStage(t)
	key := s.gives.Key
	s.gives.Key = reconcile.Secret{}
	s.AddKey = func(c reconcile.Credential) (reconcile.Credential, error) { return pki.WithKey(c, key) }
	c, again, err := s.Get(t.Context())
	if err != nil || string(c.Key.Reveal()) != string(key.Reveal()) || !again.Equal(fixture.Noon.Add(58*time.Minute)) {
		t.Errorf("again at %s, %v", again, err)
	}
	s.AddKey = func(c reconcile.Credential) (reconcile.Credential, error) { return c, errors.New("no key") }
	if c, _, err := s.Get(t.Context()); err == nil || len(c.Key.Reveal()) > 0 {
		t.Errorf("without the key: %v", err)
	}
}

// TestNothingCanBeKept: a cache that cannot be written is a warning, and no error.
func TestNothingCanBeKept(t *testing.T) {
	s := newStage(t)
	if err := os.MkdirAll(filepath.Join(s.folder, s.Cache.name, "something"), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s.want(0, 1, 1)
		if !strings.HasPrefix(s.printed, "keeping the credential in the cache: ") || !strings.Contains(s.printed, "\nhint: ") {
			t.Error(s.printed)
		}
	}
	if files, _ := os.ReadDir(s.folder); len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}
	s.Cache = nil
	s.want(0, 1, 1)
}
