package vaultstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/certsync/certsync/reconcile"
)

// emptyVersion is the data of an entry that is about to be deleted.
var emptyVersion = json.RawMessage("{}")

// WriteState implements reconcile.StoreWriter. When the answer to a write got lost, its repetition finds the state at
// another version: if that is this run's own, it is as it should be.
func (s *Store) WriteState(ctx context.Context, state reconcile.State, cas int) error {
	_, err := s.writeData(ctx, stateEntry, state, cas)
	if errors.Is(err, reconcile.ErrPrecondition) {
		there, version, deletion, readErr := s.readOwnState(ctx)
		if readErr == nil && there != nil && there.RunID == state.RunID && state.RunID != "" && version == cas+1 {
			return s.lasts(stateEntry, deletion)
		}
	}
	return err
}

// WriteRecord implements reconcile.StoreWriter.
func (s *Store) WriteRecord(ctx context.Context, r reconcile.Record, cas int) (int, error) {
	entry, err := of(ledgerFolder, r.User)
	if err != nil {
		return 0, err
	}
	version, err := s.writeData(ctx, entry, r, cas)
	if r.State != reconcile.Active {
		err = unlessLimited(err) // nothing was issued, and what is to go has to go
	}
	return version, err
}

// WriteCredential implements reconcile.StoreWriter. A key that certsync does not have is no field, not an empty one.
func (s *Store) WriteCredential(ctx context.Context, user string, c reconcile.Credential, cas int) (int, error) {
	entry, err := of(usersFolder, user)
	if err != nil {
		return 0, err
	}
	data := map[string]string{
		"kubeconfig": string(c.Kubeconfig.Reveal()),
		"tls.crt":    string(c.Certificate),
		"ca.crt":     string(c.CA),
	}
	if key := c.Key.Reveal(); key != nil {
		data["tls.key"] = string(key)
	}
	return s.writeData(ctx, entry, data, cas)
}

// DestroyVersions implements reconcile.StoreWriter.
func (s *Store) DestroyVersions(ctx context.Context, user string, versions []int) error {
	entry, err := of(usersFolder, user)
	if err != nil || len(versions) == 0 {
		return err
	}
	path := s.tree.destroy(entry)
	if _, err := s.write(ctx, path, map[string]any{"versions": versions}, allow(path, "update")); err != nil {
		return fmt.Errorf("destroying versions %v of %s: %w", versions, s.tree.name(entry), err)
	}
	return nil
}

// DeleteCredential implements reconcile.StoreWriter. With cas 0 there is no version and nothing to do.
func (s *Store) DeleteCredential(ctx context.Context, user string, cas int) error {
	return s.remove(ctx, usersFolder, user, cas)
}

// DeleteRecord implements reconcile.StoreWriter. With cas 0 there is no version and nothing to do.
func (s *Store) DeleteRecord(ctx context.Context, user string, cas int) error {
	return s.remove(ctx, ledgerFolder, user, cas)
}

func (s *Store) remove(ctx context.Context, folder, user string, cas int) error {
	entry, err := of(folder, user)
	if err != nil || cas == 0 {
		return err
	}
	// Deleting metadata takes no check-and-set. The empty version stands where somebody else's new version would, and
	// theirs is found instead of deleted.
	_, _, err = s.put(ctx, entry, emptyVersion, cas)
	if err == nil {
		path := s.tree.metadata(entry)
		err = s.call(ctx, allow(path, "delete"), func(ctx context.Context) error {
			_, err := s.client.Logical().DeleteWithContext(ctx, path)
			return err
		})
		if errors.Is(err, reconcile.ErrPrecondition) {
			// There is none: something in front of Vault answers like that. The empty version stands, and is certsync's.
			err = reconcile.WithHint(errors.New(err.Error()), "run `certsync apply` again; if the error stays, check what is between certsync and Vault")
		}
	}
	if err != nil {
		return fmt.Errorf("deleting %s: %w", s.tree.name(entry), err)
	}
	return nil
}

// writeData returns the new version beside a retention.ErrLimited, and 0 beside any other error.
func (s *Store) writeData(ctx context.Context, entry string, data any, cas int) (int, error) {
	version, deletion, err := s.put(ctx, entry, data, cas)
	if err == nil {
		err = s.lasts(entry, deletion)
	}
	if err != nil {
		return version, fmt.Errorf("writing %s: %w", s.tree.name(entry), err)
	}
	return version, nil
}

// put writes a new version if cas is the current one, and returns the new one and when Vault will delete it, "" for never. When
// an attempt is repeated whose answer got lost, its own first write is in the way: that is ErrPrecondition too, beside
// ErrRepeated.
func (s *Store) put(ctx context.Context, entry string, data any, cas int) (version int, deletion string, err error) {
	path := s.tree.data(entry)
	secret, err := s.write(ctx, path, map[string]any{
		"options": map[string]int{"cas": cas},
		"data":    data,
	}, allow(path, "create", "update"))
	if err != nil {
		return 0, "", err
	}
	if secret != nil {
		if number, ok := secret.Data["version"].(json.Number); ok {
			if n, err := number.Int64(); err == nil {
				deletion, _ = secret.Data["deletion_time"].(string)
				return int(n), deletion, nil
			}
		}
	}
	return 0, "", errMalformed
}
