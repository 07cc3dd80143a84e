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

// heldSince is a credential that Vault gave some time before fixture.Noon, and that ends some time after it.
func heldSince(fetched, until time.Duration) *entry {
	return &entry{fetchedAt: fixture.Noon.Add(-fetched), until: fixture.Noon.Add(until)}
}

func (h *entry) failed(ago time.Duration) *entry {
	h.failedAt = fixture.Noon.Add(-ago)
	return h
}

func (c choice) String() string { return []string{"ask", "use", "fallBack", "deleteEntry", "fail"}[c] }

// TestBefore: when Vault is asked.
func TestBefore(t *testing.T) {
	const day = 24 * time.Hour
	tests := map[string]struct {
		held    *entry
		refresh bool
		want    choice
	}{
		"nothing in the cache":                         {nil, false, askVault},
		"a second ago":                                 {heldSince(time.Second, day), false, useEntry},
		"just now":                                     {heldSince(0, day), false, useEntry},
		"almost five minutes ago":                      {heldSince(5*time.Minute-1, day), false, useEntry},
		"five minutes ago":                             {heldSince(5*time.Minute, day), false, askVault},
		"an hour ago":                                  {heldSince(time.Hour, day), false, askVault},
		"by a clock that was ahead":                    {heldSince(-1, day), false, askVault},
		"somebody wants it anew":                       {heldSince(time.Second, day), true, askVault},
		"it has ended":                                 {heldSince(time.Second, 0), false, askVault},
		"it is about to end":                           {heldSince(time.Second, 2*time.Minute), false, askVault},
		"it ends soon":                                 {heldSince(time.Second, 2*time.Minute+1), false, useEntry},
		"Vault was gone a moment ago":                  {heldSince(time.Hour, day).failed(time.Second), false, fallBack},
		"Vault was gone almost half a minute ago":      {heldSince(time.Hour, day).failed(30*time.Second - 1), false, fallBack},
		"Vault was gone half a minute ago":             {heldSince(time.Hour, day).failed(30 * time.Second), false, askVault},
		"Vault was gone by a clock that was ahead":     {heldSince(time.Hour, day).failed(-1), false, askVault},
		"Vault was gone, and somebody wants it anew":   {heldSince(time.Hour, day).failed(time.Second), true, askVault},
		"Vault was gone, and it has ended":             {heldSince(time.Hour, 0).failed(time.Second), false, askVault},
		"Vault was gone, and it is about to end":       {heldSince(time.Second, time.Minute).failed(time.Second), false, fallBack},
		"Vault was gone, and it is not old enough yet": {heldSince(time.Minute, day).failed(time.Second), false, useEntry},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tt.held.firstChoice(fixture.Noon, tt.refresh); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// unreachable is the error of a Vault that is not there.
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

// TestAfter: what an answer of Vault's, and the lack of one, mean for what is in the cache.
func TestAfter(t *testing.T) {
	gone := unreachable(t)
	none := fmt.Errorf("reading: %w", vaultstore.ErrNoCredential)
	other := errors.New("the answer is not one of Vault's")
	tests := map[string]struct {
		held    *entry
		err     error
		refresh bool
		want    choice
	}{
		"Vault is gone":                             {heldSince(time.Hour, time.Hour), gone, false, fallBack},
		"Vault is gone until the end":               {heldSince(time.Hour, 1), gone, false, fallBack},
		"Vault is gone, and it has ended":           {heldSince(time.Hour, 0), gone, false, fail},
		"Vault is gone, and there is nothing":       {nil, gone, false, fail},
		"Vault is gone, and somebody wants it anew": {heldSince(time.Hour, time.Hour), gone, true, fail},
		"the user has left":                         {heldSince(time.Hour, time.Hour), none, false, deleteEntry},
		"the user has left, and wants it anew":      {heldSince(time.Hour, time.Hour), none, true, deleteEntry},
		"the user was never there":                  {nil, none, false, deleteEntry},
		"somebody else answers":                     {heldSince(time.Hour, time.Hour), other, false, fail},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tt.held.choiceAfter(tt.err, fixture.Noon, tt.refresh); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// TestAskAgain: kubectl asks again within an hour, before the certificate ends, and not at every request.
func TestAskAgain(t *testing.T) {
	for name, tt := range map[string]struct{ lives, want time.Duration }{
		"it lives for a week":              {7 * 24 * time.Hour, time.Hour},
		"it lives for little over an hour": {62*time.Minute + 1, time.Hour},
		"it lives for an hour":             {time.Hour, 58 * time.Minute},
		"the shortest that there is":       {10 * time.Minute, 8 * time.Minute},
		"it is about to end":               {2*time.Minute + 1, 1},
		"there is no new one yet":          {2 * time.Minute, 2 * time.Minute},
		"it is over in a second":           {time.Second, time.Second},
	} {
		if got := heldSince(0, tt.lives).rerunAt(fixture.Noon); !got.Equal(fixture.Noon.Add(tt.want)) {
			t.Errorf("%s: %s, want %s", name, got.Sub(fixture.Noon), tt.want)
		}
	}
}
