package reconcile

import (
	"context"
	"fmt"
	"slices"
)

// secret is one KV v2 entry.
type secret struct {
	current  int
	versions map[int]*kvVersion
}

type kvVersion struct {
	record             *Record
	credential         *Credential
	deleted, destroyed bool
}

func (w *world) ObserveStore(context.Context) (StoreView, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call("observe store"); err != nil {
		return StoreView{}, err
	}
	v := StoreView{State: w.state, StateVersion: w.stateVersion, Ledger: map[string]LedgerEntry{}, Credentials: map[string]CredentialMeta{}}
	for user, s := range w.ledger {
		e := LedgerEntry{Version: s.current}
		if cur := s.versions[s.current]; !cur.deleted && !cur.destroyed {
			rec := *cur.record
			rec.Certificates = slices.Clone(rec.Certificates)
			e.Record = &rec
			if rec.User != user {
				e = LedgerEntry{Version: s.current, Problem: fmt.Sprintf("it is the record of %q", rec.User)}
			}
		}
		v.Ledger[user] = e
	}
	for user, s := range w.users {
		m := CredentialMeta{CurrentVersion: s.current}
		for n, kv := range s.versions {
			m.Versions = append(m.Versions, CredentialVersion{Version: n, Deleted: kv.deleted, Destroyed: kv.destroyed})
		}
		slices.SortFunc(m.Versions, func(a, b CredentialVersion) int { return a.Version - b.Version })
		v.Credentials[user] = m
	}
	return v, nil
}

func (w *world) MissingCapabilities(context.Context, StoreNeeds) ([]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.storeLacks, w.call("review store")
}

func (w *world) WriteState(_ context.Context, s State, cas int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call("write state"); err != nil {
		return err
	}
	if cas != w.stateVersion {
		return ErrPrecondition
	}
	w.state, w.stateVersion = &s, cas+1
	return nil
}

// write is a write by somebody else, without check-and-set.
func (w *world) write(in map[string]*secret, user string, v kvVersion) {
	version := 0
	if s := in[user]; s != nil {
		version = s.current
	}
	if _, err := w.put(in, user, v, version); err != nil {
		w.t.Fatal(err)
	}
}

// put is a check-and-set write.
func (w *world) put(in map[string]*secret, user string, v kvVersion, cas int) (int, error) {
	s := in[user]
	if s == nil {
		s = &secret{versions: map[int]*kvVersion{}}
	}
	if s.current != cas {
		return 0, fmt.Errorf("writing %s: %w", user, ErrPrecondition)
	}
	s.current++
	s.versions[s.current] = &v
	in[user] = s
	return s.current, nil
}

func (w *world) WriteRecord(_ context.Context, r Record, cas int) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call("record %s %s", r.User, r.State); err != nil {
		return 0, err
	}
	return w.put(w.ledger, r.User, kvVersion{record: &r}, cas)
}

func (w *world) WriteCredential(_ context.Context, user string, c Credential, cas int) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call("store %s", user); err != nil {
		return 0, err
	}
	return w.put(w.users, user, kvVersion{credential: &c}, cas)
}

func (w *world) DestroyVersions(_ context.Context, user string, versions []int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(versions) == 0 {
		return nil
	}
	if err := w.call("destroy %s %v", user, versions); err != nil {
		return err
	}
	for _, n := range versions {
		w.users[user].versions[n] = &kvVersion{destroyed: true}
	}
	return nil
}

func (w *world) DeleteCredential(_ context.Context, user string, cas int) error {
	return w.erase(w.users, "erase", user, cas)
}

func (w *world) DeleteRecord(_ context.Context, user string, cas int) error {
	return w.erase(w.ledger, "forget", user, cas)
}

func (w *world) erase(from map[string]*secret, verb, user string, cas int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call("%s %s", verb, user); err != nil {
		return err
	}
	if s := from[user]; s != nil && s.current != cas {
		return ErrPrecondition
	}
	delete(from, user)
	return nil
}
