// Package retention is about a Vault that deletes what is written to it after a time: delete_version_after of a KV mount or key.
package retention

import (
	"errors"
	"fmt"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// ErrLimited is wrapped by a write to Vault that Vault will delete after a time. It was written. A state that is gone looks like
// one that never was, and a credential that is gone locks its user out.
var ErrLimited = errors.New("the server deletes what certsync writes there after a time")

// Limits says that Vault deletes what is written to one of a user's entries after a time, or is "". A certificate would be
// issued again and again.
func Limits(user string, entry reconcile.LedgerEntry, meta reconcile.CredentialMeta) string {
	path, after := "users/"+user, meta.DeleteAfter
	if after == 0 {
		path, after = "ledger/"+user, entry.DeleteAfter
	}
	if after == 0 {
		return ""
	}
	return fmt.Sprintf("Vault deletes what certsync writes to %s after %s (run `vault kv metadata patch -delete-version-after=0s` for that key)", path, inventory.DurationText(after))
}
