package vaultstore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/inventory/shell"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/retention"
)

// A mount and a key can each have a delete_version_after. KV then gives each new version a deletion time, from the shorter of the
// two, and the version is gone when that has come.

// metadataOf reads the metadata of an entry of ledger/, or of the state. It is asked only where the data raises the question.
// known is false for a token that may not read it, as under policies of earlier versions of certsync.
func (s *Store) metadataOf(ctx context.Context, entry string) (m *kvMetadata, known bool, err error) {
	path := s.tree.metadata(entry)
	m, _, err = fetch[kvMetadata](ctx, s, path, nil, allow(path, "read"))
	if r, denied := refused(err, http.StatusForbidden); denied && !r.says(invalidToken) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading the metadata of %s: %w", s.tree.name(entry), err)
	}
	return m, true, nil
}

// deleteAfter is the key's delete_version_after, 0 if it has none.
func (m *kvMetadata) deleteAfter() time.Duration {
	if m == nil {
		return 0
	}
	return after(m.DeleteVersionAfter)
}

// after reads a delete_version_after. Vault answers "0s" for none, and a negative one switches all of a mount off.
func after(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0
	}
	return max(d, 0)
}

// stateWithoutVersion tells a state that never was from one whose metadata is left.
func (s *Store) stateWithoutVersion(ctx context.Context) (problem, err error) {
	m, _, err := s.metadataOf(ctx, stateEntry)
	if err != nil || m == nil {
		return nil, err
	}
	return s.lostState("its metadata exists, but no version", ""), nil
}

// lostState is the problem of a state of which something is left. Nobody may begin as if there had never been one.
func (s *Store) lostState(what, deletedAt string) error {
	name := s.tree.name(stateEntry)
	if deletedAt != "" {
		what += " was deleted at " + short(deletedAt)
	} else if what[0] == 'v' {
		what += " was destroyed"
	}
	return reconcile.WithHint(fmt.Errorf("reading %s: %s", name, what), fmt.Sprintf(
		"restore it with `vault kv undelete -versions=N %[1]s` or from a backup, or begin a new state from ledger and inventory with --new-ledger; "+
			"if Vault deletes versions by time, first set delete_version_after to 0s (`vault kv metadata get %[1]s` and `vault read %[2]s` show it)",
		shell.Quote(name), shell.Quote(s.tree.config())))
}

// lasts returns a retention.ErrLimited for a version that was written and has a deletion time.
func (s *Store) lasts(entry, deletion string) error {
	if deletion == "" {
		return nil
	}
	err := fmt.Errorf("%w, at %s", retention.ErrLimited, short(deletion))
	return reconcile.WithHint(err, s.keepHint(entry))
}

// keepHint says how to keep Vault from deleting what is written to an entry.
func (s *Store) keepHint(entry string) string {
	return fmt.Sprintf("run `vault write %s delete_version_after=0s` for the mount, and `vault kv metadata patch -delete-version-after=0s %s` for the key; then apply again",
		shell.Quote(s.tree.config()), shell.Quote(s.tree.name(entry)))
}

// CheckRetention returns a retention.ErrLimited if the mount, or the state in it, has a delete_version_after. It is nil for a token that may
// not know: the first write of a run then tells.
func (s *Store) CheckRetention(ctx context.Context) error {
	type config struct {
		DeleteVersionAfter string `json:"delete_version_after"`
	}
	path := s.tree.config()
	mount, _, err := fetch[config](ctx, s, path, nil, allow(path, "read"))
	if r, denied := refused(err, http.StatusForbidden); denied && !r.says(invalidToken) {
		mount, err = nil, nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	if mount != nil && after(mount.DeleteVersionAfter) > 0 {
		return reconcile.WithHint(fmt.Errorf("%w: the mount has delete_version_after=%s", retention.ErrLimited, inventory.DurationText(after(mount.DeleteVersionAfter))), s.keepHint(stateEntry))
	}
	state, _, err := s.metadataOf(ctx, stateEntry)
	if err == nil && state.deleteAfter() > 0 {
		err = reconcile.WithHint(fmt.Errorf("%w: %s has delete_version_after=%s", retention.ErrLimited, s.tree.name(stateEntry), inventory.DurationText(state.deleteAfter())), s.keepHint(stateEntry))
	}
	return err
}

// unlessLimited is err, without what it says of a version that will be gone.
func unlessLimited(err error) error {
	if errors.Is(err, retention.ErrLimited) {
		return nil
	}
	return err
}
