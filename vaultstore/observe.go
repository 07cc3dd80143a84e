package vaultstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/inventory/shell"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/httplimit"
)

// ObserveStore reads the state, every ledger record and the metadata of every credential. A read that fails is an error for
// the whole, since a failed list is not an empty ledger. An entry that makes no sense, or is too large to be read, is only
// the Problem of that user. An account that may write one user's paths must not stop everybody's runs.
func (s *Store) ObserveStore(ctx context.Context) (reconcile.StoreView, error) {
	view := reconcile.StoreView{}
	var err error
	if view.State, view.StateVersion, view.StateProblem, err = s.readState(ctx); err != nil {
		return reconcile.StoreView{}, err
	}
	ledger, unknown, err := s.list(ctx, ledgerFolder)
	if err != nil {
		return reconcile.StoreView{}, err
	}
	users, more, err := s.list(ctx, usersFolder)
	if err != nil {
		return reconcile.StoreView{}, err
	}
	view.UnknownEntries = append(unknown, more...)
	slices.Sort(view.UnknownEntries)

	records := make([]*reconcile.LedgerEntry, len(ledger))
	credentials := make([]*reconcile.CredentialMeta, len(users))
	problems := make([]string, len(users)) // of those whose metadata cannot be read
	err = s.each(ctx, len(ledger)+len(users), func(ctx context.Context, i int) (err error) {
		if i < len(ledger) {
			records[i], err = s.readRecord(ctx, ledger[i])
			return err
		}
		i -= len(ledger)
		credentials[i], err = s.readMetadata(ctx, users[i])
		problems[i], err = unreadable(err)
		return err
	})
	if err != nil {
		return reconcile.StoreView{}, err
	}
	view.Ledger, view.Credentials = byName(ledger, records), byName(users, credentials)
	for i, problem := range problems {
		if problem != "" {
			view.Ledger[users[i]] = reconcile.LedgerEntry{Version: view.Ledger[users[i]].Version, Problem: problem}
		}
	}
	return view, nil
}

// unreadable returns the problem of an entry that somebody has made too large, or too deep, to be read. Any other error
// stays one.
func unreadable(err error) (problem string, other error) {
	if large := (*httplimit.TooLarge)(nil); errors.As(err, &large) {
		return large.Error(), nil
	}
	if errors.Is(err, errTooDeep) {
		return err.Error(), nil
	}
	return "", err
}

// byName leaves out what was gone when it was read: it was deleted after the list.
func byName[T any](names []string, found []*T) map[string]T {
	all := make(map[string]T, len(names))
	for i, f := range found {
		if f != nil {
			all[names[i]] = *f
		}
	}
	return all
}

// list returns the names in ledger/ or users/ that users can have, and the paths of the others.
func (s *Store) list(ctx context.Context, folder string) (names, unknown []string, err error) {
	type keys struct {
		Keys []string `json:"keys"`
	}
	path := s.tree.metadata(folder) + "/"
	found, _, err := fetch[keys](ctx, s, path, url.Values{"list": {"true"}}, allow(path, "list"))
	if err == nil && found != nil && len(found.Keys) == 0 {
		err = errMalformed // an empty folder is a 404
	}
	if err != nil {
		return nil, nil, fmt.Errorf("listing %s/: %w", s.tree.name(folder), err)
	}
	if found == nil {
		return nil, nil, nil
	}
	for _, name := range found.Keys {
		if inventory.ValidName(name) {
			names = append(names, name)
		} else { // a folder, too: Vault lists it with a slash at its end
			unknown = append(unknown, folder+"/"+name)
		}
	}
	return names, unknown, nil
}

// kvData is a version of a secret.
type kvData struct {
	Data     json.RawMessage `json:"data"` // null: that version is deleted or destroyed
	Metadata struct {
		Version      int    `json:"version"`
		DeletionTime string `json:"deletion_time"`
	} `json:"metadata"`
}

func (d *kvData) deleted() bool { return len(d.Data) == 0 || string(d.Data) == "null" }

// readData reads the current version of an entry, nil if it has none.
func (s *Store) readData(ctx context.Context, entry string) (*kvData, error) {
	path := s.tree.data(entry)
	d, _, err := fetch[kvData](ctx, s, path, nil, allow(path, "read"))
	if err == nil && d != nil && d.Metadata.Version < 1 {
		err = errMalformed
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", s.tree.name(entry), err)
	}
	return d, nil
}

// readOwnState reads a state that was just written, and when Vault will delete it.
func (s *Store) readOwnState(ctx context.Context) (state *reconcile.State, version int, deletion string, err error) {
	d, err := s.readData(ctx, stateEntry)
	if err != nil || d == nil || d.deleted() {
		return nil, 0, "", err
	}
	state, err = reconcile.ParseState(d.Data)
	return state, d.Metadata.Version, d.Metadata.DeletionTime, err
}

// readState reads the state. A problem is what stands there and is none: nothing may be written but with --new-ledger.
func (s *Store) readState(ctx context.Context) (state *reconcile.State, version int, problem, err error) {
	d, err := s.readData(ctx, stateEntry)
	switch {
	case err != nil:
		return nil, 0, nil, err
	case d == nil:
		problem, err = s.stateWithoutVersion(ctx)
		return nil, 0, problem, err
	case d.deleted():
		return nil, d.Metadata.Version, s.lostState(fmt.Sprintf("version %d", d.Metadata.Version), d.Metadata.DeletionTime), nil
	}
	if state, err = reconcile.ParseState(d.Data); err != nil {
		name := s.tree.name(stateEntry)
		problem = reconcile.WithHint(fmt.Errorf("reading %s: %w", name, err), fmt.Sprintf(
			"`vault kv get %[1]s` shows it; restore the last good version with `vault kv rollback -version=N %[1]s`, or begin a new state from ledger and inventory with --new-ledger", shell.Quote(name)))
		return nil, d.Metadata.Version, problem, nil
	}
	return state, d.Metadata.Version, nil, nil
}

// readRecord reads a record and, where the data raises the question, its metadata. Either of them can be the user's problem.
func (s *Store) readRecord(ctx context.Context, user string) (*reconcile.LedgerEntry, error) {
	entry, err := s.readEntry(ctx, user)
	problem, err := unreadable(err)
	if problem != "" {
		return &reconcile.LedgerEntry{Problem: problem}, nil
	}
	return entry, err
}

func (s *Store) readEntry(ctx context.Context, user string) (*reconcile.LedgerEntry, error) {
	path := ledgerFolder + "/" + user
	d, err := s.readData(ctx, path)
	if err != nil {
		return nil, err
	}
	entry := &reconcile.LedgerEntry{Lost: d == nil || d.deleted()}
	if d == nil || d.Metadata.DeletionTime != "" {
		m, known, err := s.metadataOf(ctx, path)
		if err != nil || known && m == nil {
			return nil, err // the whole entry went after the list
		}
		entry.DeleteAfter = m.deleteAfter()
	}
	if d == nil {
		return entry, nil
	}
	// An empty version is what a DeleteRecord leaves that was cut short.
	if entry.Version = d.Metadata.Version; entry.Lost || bytes.Equal(d.Data, emptyVersion) {
		return entry, nil
	}
	if entry.Record, err = reconcile.ParseRecord(user, d.Data); err != nil {
		entry.Record, entry.Problem = nil, short(err.Error())
	}
	return entry, nil
}

// kvMetadata is what Vault tells of a secret without telling the secret.
type kvMetadata struct {
	CurrentVersion     int    `json:"current_version"`
	DeleteVersionAfter string `json:"delete_version_after"`
	Versions           map[string]struct {
		DeletionTime string `json:"deletion_time"`
		Destroyed    bool   `json:"destroyed"`
	} `json:"versions"`
}

func (s *Store) readMetadata(ctx context.Context, user string) (*reconcile.CredentialMeta, error) {
	entry := usersFolder + "/" + user
	path := s.tree.metadata(entry)
	m, header, err := fetch[kvMetadata](ctx, s, path, nil, allow(path, "read"))
	if err == nil && m != nil {
		var meta reconcile.CredentialMeta
		if meta, err = m.credential(header); err == nil {
			return &meta, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the metadata of %s: %w", s.tree.name(entry), err)
	}
	return nil, nil
}

func (m *kvMetadata) credential(header http.Header) (reconcile.CredentialMeta, error) {
	meta := reconcile.CredentialMeta{CurrentVersion: m.CurrentVersion, DeleteAfter: m.deleteAfter()}
	if m.Versions == nil {
		return meta, errMalformed
	}
	for number, v := range m.Versions {
		n, err := strconv.Atoi(number)
		if err != nil {
			return meta, errors.Join(errMalformed, err)
		}
		meta.Versions = append(meta.Versions, reconcile.CredentialVersion{
			Version: n, Deleted: deleted(v.DeletionTime, header), Destroyed: v.Destroyed,
		})
	}
	slices.SortFunc(meta.Versions, func(a, b reconcile.CredentialVersion) int { return a.Version - b.Version })
	return meta, nil
}

// deleted judges a deletion time by the time of the answer. It may lie ahead: with delete_version_after, Vault sets it
// when the version is written.
func deleted(deletion string, header http.Header) bool {
	if strings.TrimSpace(deletion) == "" {
		return false
	}
	at, err := time.Parse(time.RFC3339Nano, deletion)
	now, dateErr := http.ParseTime(header.Get("Date"))
	if err != nil || dateErr != nil {
		return true
	}
	// Date is in whole seconds, and is a standby's when that forwarded the request.
	const tolerance = 10 * time.Second
	return at.Before(now.Add(tolerance))
}
