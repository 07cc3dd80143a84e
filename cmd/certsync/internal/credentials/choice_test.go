//go:build unix

package credentials

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/vaultstore"
)

// entrySince is an entry that Vault returned some time before noon, and that ends some time after noon.
func entrySince(fetched, until time.Duration) *entry {
	return &entry{fetchedAt: fixture.Noon.Add(-fetched), until: fixture.Noon.Add(until)}
}

func (e *entry) failed(ago time.Duration) *entry {
	e.failedAt = fixture.Noon.Add(-ago)
	return e
}

func (c choice) String() string { return []string{"ask", "use", "fallBack", "deleteEntry", "fail"}[c] }

// TestFirstChoice: which entries are used without asking Vault.
func TestFirstChoice(t *testing.T) {
	const day = 24 * time.Hour
	tests := map[string]struct {
		entry   *entry
		refresh bool
		want    choice
	}{
		"nothing in the cache":                         {nil, false, askVault},
		"a second ago":                                 {entrySince(time.Second, day), false, useEntry},
		"just now":                                     {entrySince(0, day), false, useEntry},
		"almost five minutes ago":                      {entrySince(5*time.Minute-1, day), false, useEntry},
		"five minutes ago":                             {entrySince(5*time.Minute, day), false, askVault},
		"an hour ago":                                  {entrySince(time.Hour, day), false, askVault},
		"by a clock that was ahead":                    {entrySince(-1, day), false, askVault},
		"somebody wants it anew":                       {entrySince(time.Second, day), true, askVault},
		"it has ended":                                 {entrySince(time.Second, 0), false, askVault},
		"it is about to end":                           {entrySince(time.Second, 2*time.Minute), false, askVault},
		"it ends soon":                                 {entrySince(time.Second, 2*time.Minute+1), false, useEntry},
		"Vault was gone a moment ago":                  {entrySince(time.Hour, day).failed(time.Second), false, fallBack},
		"Vault was gone almost half a minute ago":      {entrySince(time.Hour, day).failed(30*time.Second - 1), false, fallBack},
		"Vault was gone half a minute ago":             {entrySince(time.Hour, day).failed(30 * time.Second), false, askVault},
		"Vault was gone by a clock that was ahead":     {entrySince(time.Hour, day).failed(-1), false, askVault},
		"Vault was gone, and somebody wants it anew":   {entrySince(time.Hour, day).failed(time.Second), true, askVault},
		"Vault was gone, and it has ended":             {entrySince(time.Hour, 0).failed(time.Second), false, askVault},
		"Vault was gone, and it is about to end":       {entrySince(time.Second, time.Minute).failed(time.Second), false, fallBack},
		"Vault was gone, and it is not old enough yet": {entrySince(time.Minute, day).failed(time.Second), false, useEntry},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tt.entry.firstChoice(fixture.Noon, tt.refresh); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// unreachable is the error for a Vault that refuses connections.
func unreachable(t *testing.T) error {
	t.Helper()
	fixture.CleanEnvironment(t)
	t.Setenv("VAULT_ADDR", "http://"+fixture.ClosedAddress(t))
	t.Setenv("VAULT_MAX_RETRIES", "0")
	store, err := vaultstore.OpenUser(t.Context(), vaultstore.Options{Owner: "prod-eu", Token: reconcile.NewSecret([]byte("token"))})
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.ReadCredential(t.Context(), "alice")
	return err
}

// TestChoiceAfter: what the errors of Vault mean for the entry.
func TestChoiceAfter(t *testing.T) {
	gone := unreachable(t)
	none := fmt.Errorf("reading: %w", vaultstore.ErrNoCredential)
	other := errors.New("reading the file of --vault-token-file")
	tests := map[string]struct {
		entry   *entry
		err     error
		refresh bool
		want    choice
	}{
		"Vault is gone":                             {entrySince(time.Hour, time.Hour), gone, false, fallBack},
		"Vault is gone until the end":               {entrySince(time.Hour, 1), gone, false, fallBack},
		"Vault is gone, and it has ended":           {entrySince(time.Hour, 0), gone, false, fail},
		"Vault is gone, and there is nothing":       {nil, gone, false, fail},
		"Vault is gone, and somebody wants it anew": {entrySince(time.Hour, time.Hour), gone, true, fail},
		"the user has left":                         {entrySince(time.Hour, time.Hour), none, false, deleteEntry},
		"the user has left, and wants it anew":      {entrySince(time.Hour, time.Hour), none, true, deleteEntry},
		"the user was never there":                  {nil, none, false, deleteEntry},
		"this machine is at fault":                  {entrySince(time.Hour, time.Hour), other, false, fail},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tt.entry.choiceAfter(tt.err, fixture.Noon, tt.refresh); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// TestRerunAt: kubectl runs the plugin again within an hour, before the certificate ends, and not at every request.
func TestRerunAt(t *testing.T) {
	for name, tt := range map[string]struct{ lives, want time.Duration }{
		"it lives for a week":              {7 * 24 * time.Hour, time.Hour},
		"it lives for little over an hour": {62*time.Minute + 1, time.Hour},
		"it lives for an hour":             {time.Hour, 58 * time.Minute},
		"the shortest that there is":       {10 * time.Minute, 8 * time.Minute},
		"it is about to end":               {2*time.Minute + 1, 1},
		"there is no new one yet":          {2 * time.Minute, 2 * time.Minute},
		"it is over in a second":           {time.Second, time.Second},
	} {
		if got := entrySince(0, tt.lives).rerunAt(fixture.Noon); !got.Equal(fixture.Noon.Add(tt.want)) {
			t.Errorf("%s: %s, want %s", name, got.Sub(fixture.Noon), tt.want)
		}
	}
}
