package reconciletest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/certsync/certsync/reconcile"
)

// Secret is one KV v2 entry.
type Secret struct {
	Current     int
	Versions    map[int]*KVVersion
	DeleteAfter time.Duration // delete_version_after of the key
}

type KVVersion struct {
	Record             *reconcile.Record
	Credential         *reconcile.Credential
	Deleted, Destroyed bool
}

func (w *World) ObserveStore(context.Context) (reconcile.StoreView, error) {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	if err := w.call("observe store"); err != nil {
		return reconcile.StoreView{}, err
	}
	v := reconcile.StoreView{State: w.State, StateVersion: w.StateVersion, StateProblem: w.StateProblem, Ledger: map[string]reconcile.LedgerEntry{}, Credentials: map[string]reconcile.CredentialMeta{}}
	for user, s := range w.Ledger {
		e := reconcile.LedgerEntry{Version: s.Current, DeleteAfter: s.DeleteAfter}
		if cur := s.Versions[s.Current]; cur == nil || cur.Deleted || cur.Destroyed {
			e.Lost = true
		} else {
			rec := *cur.Record
			rec.Certificates = slices.Clone(rec.Certificates)
			e.Record = &rec
			if rec.User != user {
				e = reconcile.LedgerEntry{Version: s.Current, Problem: fmt.Sprintf("it is the record of %q", rec.User)}
			}
		}
		v.Ledger[user] = e
	}
	for user, s := range w.Users {
		m := reconcile.CredentialMeta{CurrentVersion: s.Current, DeleteAfter: s.DeleteAfter}
		for n, kv := range s.Versions {
			m.Versions = append(m.Versions, reconcile.CredentialVersion{Version: n, Deleted: kv.Deleted, Destroyed: kv.Destroyed})
		}
		slices.SortFunc(m.Versions, func(a, b reconcile.CredentialVersion) int { return a.Version - b.Version })
		v.Credentials[user] = m
	}
	return v, nil
}

func (w *World) MissingCapabilities(context.Context, reconcile.StoreNeeds) ([]string, error) {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	return w.StoreLacks, w.call("review store")
}

func (w *World) WriteState(_ context.Context, s reconcile.State, cas int) error {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	if err := w.call("write state"); err != nil {
		return err
	}
	if cas != w.StateVersion {
		return reconcile.ErrPrecondition
	}
	data, err := json.Marshal(s) // as Vault keeps it
	if err == nil {
		w.State, err = reconcile.ParseState(data)
		w.StateVersion, w.StateProblem = cas+1, nil
	}
	return cmp.Or(err, w.StateLimited)
}

// Write is a write by somebody else, without check-and-set.
func (w *World) Write(in map[string]*Secret, user string, v KVVersion) {
	version := 0
	if s := in[user]; s != nil {
		version = s.Current
	}
	if _, err := w.Put(in, user, v, version); err != nil {
		w.T.Fatal(err)
	}
}

// Put is a check-and-set write.
func (w *World) Put(in map[string]*Secret, user string, v KVVersion, cas int) (int, error) {
	s := in[user]
	if s == nil {
		s = &Secret{Versions: map[int]*KVVersion{}}
	}
	if s.Current != cas {
		return 0, fmt.Errorf("writing %s: %w", user, reconcile.ErrPrecondition)
	}
	if s.Versions == nil { // it had metadata only
		s.Versions = map[int]*KVVersion{}
	}
	s.Current++
	s.Versions[s.Current] = &v
	in[user] = s
	return s.Current, nil
}

func (w *World) WriteRecord(_ context.Context, r reconcile.Record, cas int) (int, error) {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	if err := w.call("record %s %s", r.User, r.State); err != nil {
		return 0, err
	}
	return w.Put(w.Ledger, r.User, KVVersion{Record: &r}, cas)
}

func (w *World) WriteCredential(_ context.Context, user string, c reconcile.Credential, cas int) (int, error) {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	if err := w.call("store %s", user); err != nil {
		return 0, err
	}
	return w.Put(w.Users, user, KVVersion{Credential: &c}, cas)
}

func (w *World) DestroyVersions(_ context.Context, user string, versions []int) error {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	if len(versions) == 0 {
		return nil
	}
	if err := w.call("destroy %s %v", user, versions); err != nil {
		return err
	}
	if s := w.Users[user]; s != nil { // Vault says nothing of what is not there
		for _, n := range versions {
			if s.Versions[n] != nil {
				s.Versions[n] = &KVVersion{Destroyed: true}
			}
		}
	}
	return nil
}

func (w *World) DeleteCredential(_ context.Context, user string, cas int) error {
	return w.erase(w.Users, "erase", user, cas)
}

func (w *World) DeleteRecord(_ context.Context, user string, cas int) error {
	return w.erase(w.Ledger, "forget", user, cas)
}

func (w *World) erase(from map[string]*Secret, verb, user string, cas int) error {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	if err := w.call("%s %s", verb, user); err != nil {
		return err
	}
	if s := from[user]; s != nil && s.Current != cas {
		return reconcile.ErrPrecondition
	}
	delete(from, user)
	return nil
}
