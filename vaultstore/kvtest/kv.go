// Package kvtest is a KV version 2 mount for tests: what Vault v1.21 stores and answers, as far as certsync asks. Begin at Mount.
package kvtest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// maxVersions is the number of versions that a secret keeps, Vault's default.
const maxVersions = 10

// Mount is a mount's secrets and settings. It has no lock of its own.
type Mount struct {
	Secrets     map[string]*Secret // by path in the mount
	Now         func() time.Time
	CASRequired bool              // the mount's cas_required
	DeleteAfter time.Duration     // the mount's delete_version_after; negative: no key's counts either
	Wrote       func(path string) // called after each change; may be nil
}

// Secret is an entry. A change replaces it: nobody sees a Secret change.
type Secret struct {
	Current     int // 0: it has metadata only
	Versions    map[int]Version
	DeleteAfter time.Duration `json:",omitzero"` // the key's delete_version_after
}

// Version is a version of a secret.
type Version struct {
	Data      json.RawMessage `json:",omitempty"` // nil once it is destroyed
	Created   time.Time
	Deleted   time.Time `json:",omitzero"` // may be to come
	Destroyed bool      `json:",omitempty"`
}

// Readable reports whether a read of the version returns its data.
func (v Version) Readable(now time.Time) bool {
	return !v.Destroyed && (v.Deleted.IsZero() || v.Deleted.After(now))
}

// Change stores what change makes of a copy of the secret at path.
func (m *Mount) Change(path string, change func(*Secret)) *Secret {
	s := &Secret{Versions: map[int]Version{}}
	if old := m.Secrets[path]; old != nil {
		s.Current, s.Versions, s.DeleteAfter = old.Current, maps.Clone(old.Versions), old.DeleteAfter
	}
	change(s)
	m.Secrets[path] = s
	m.wrote(path)
	return s
}

func (m *Mount) wrote(path string) {
	if m.Wrote != nil {
		m.Wrote(path)
	}
}

// Write adds a version, without check-and-set.
func (m *Mount) Write(path string, data json.RawMessage) *Secret {
	return m.Change(path, func(s *Secret) {
		s.Current++
		s.Versions[s.Current] = Version{Data: data, Created: m.Now(), Deleted: m.deletion(s)}
		delete(s.Versions, s.Current-maxVersions)
	})
}

// deletion is when a version that is written now will be deleted: after the shorter of the key's and the mount's time.
func (m *Mount) deletion(s *Secret) time.Time {
	after := s.DeleteAfter
	if after == 0 || m.DeleteAfter != 0 && m.DeleteAfter < after {
		after = m.DeleteAfter
	}
	if after <= 0 {
		return time.Time{}
	}
	return m.Now().Add(after)
}

// Read returns the current version's data, or nil if there is none to be read.
func (m *Mount) Read(path string) json.RawMessage {
	s := m.Secrets[path]
	if s == nil || !s.Versions[s.Current].Readable(m.Now()) {
		return nil
	}
	return s.Versions[s.Current].Data
}

// Delete deletes the current version, which can be undone, as `vault kv delete` does.
func (m *Mount) Delete(path string) {
	if m.Read(path) == nil {
		return
	}
	m.Change(path, func(s *Secret) {
		v := s.Versions[s.Current]
		v.Deleted = m.Now()
		s.Versions[s.Current] = v
	})
}

// Destroy erases the data of versions for good.
func (m *Mount) Destroy(path string, versions []int) {
	s := m.Secrets[path]
	if s == nil || !slices.ContainsFunc(versions, func(n int) bool {
		v, known := s.Versions[n]
		return known && !v.Destroyed
	}) {
		return
	}
	m.Change(path, func(s *Secret) {
		for _, n := range versions {
			if v, known := s.Versions[n]; known {
				v.Destroyed, v.Data = true, nil
				s.Versions[n] = v
			}
		}
	})
}

// Drop deletes a secret with all its versions, as `vault kv metadata delete` does.
func (m *Mount) Drop(path string) {
	if m.Secrets[path] != nil {
		delete(m.Secrets, path)
		m.wrote(path)
	}
}

// Below returns what a LIST of a folder shows: names, and folders with a slash.
func (m *Mount) Below(folder string) []string {
	if folder != "" {
		folder = strings.TrimSuffix(folder, "/") + "/"
	}
	var names []string
	for path := range m.Secrets {
		if rest, ok := strings.CutPrefix(path, folder); ok {
			name, _, inside := strings.Cut(rest, "/")
			if inside {
				name += "/"
			}
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
