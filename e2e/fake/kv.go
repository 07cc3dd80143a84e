package fake

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// maxVersions is how many versions of a secret are kept, Vault's default.
const maxVersions = 10

// secret is an entry of KV version 2. It is never changed in place.
type secret struct {
	Current  int
	Versions map[int]version
}

// version of a secret. Data is nil once it is destroyed.
type version struct {
	Data      json.RawMessage `json:",omitempty"`
	Created   time.Time
	Deleted   time.Time `json:",omitzero"`
	Destroyed bool      `json:",omitempty"`
}

// readable reports whether a read of that version gives its data.
func (v version) readable(now time.Time) bool {
	return !v.Destroyed && (v.Deleted.IsZero() || v.Deleted.After(now))
}

// secretName is how dumps and hooks name the secret at a path in the mount.
func secretName(path string) string { return mount + "/" + path }

// changeSecret stores what change makes of a copy of the secret at path. The caller holds the lock.
func (w *World) changeSecret(path string, change func(*secret)) *secret {
	s := &secret{Versions: map[int]version{}}
	if old := w.secrets[path]; old != nil {
		s.Current, s.Versions = old.Current, maps.Clone(old.Versions)
	}
	change(s)
	w.secrets[path] = s
	w.wrote(secretName(path))
	return s
}

// writeSecret adds a version. The caller holds the lock.
func (w *World) writeSecret(path string, data json.RawMessage) *secret {
	return w.changeSecret(path, func(s *secret) {
		s.Current++
		s.Versions[s.Current] = version{Data: data, Created: w.now()}
		delete(s.Versions, s.Current-maxVersions)
	})
}

// WriteSecret adds a version as somebody else would, and returns its number.
func (w *World) WriteSecret(path string, data any) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writeSecret(path, json.RawMessage(text(data))).Current
}

// DeleteSecret soft-deletes the current version of a secret, as `vault kv delete` does.
func (w *World) DeleteSecret(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.softDelete(path)
}

func (w *World) softDelete(path string) {
	s := w.secrets[path]
	if s == nil || !s.Versions[s.Current].readable(w.now()) {
		return
	}
	w.changeSecret(path, func(s *secret) {
		v := s.Versions[s.Current]
		v.Deleted = w.now()
		s.Versions[s.Current] = v
	})
}

// DropSecret deletes a secret with all its versions, as `vault kv metadata delete` does.
func (w *World) DropSecret(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.secrets[path] != nil {
		delete(w.secrets, path)
		w.wrote(secretName(path))
	}
}

// Secret returns the current version's data, nil if there is none to be read.
func (w *World) Secret(path string) json.RawMessage {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.secrets[path]
	if s == nil || !s.Versions[s.Current].readable(w.now()) {
		return nil
	}
	return s.Versions[s.Current].Data
}

// destroy erases versions for good.
func (w *World) destroy(path string, versions []int) {
	s := w.secrets[path]
	if s == nil || !slices.ContainsFunc(versions, func(n int) bool {
		v, known := s.Versions[n]
		return known && !v.Destroyed
	}) {
		return
	}
	w.changeSecret(path, func(s *secret) {
		for _, n := range versions {
			if v, known := s.Versions[n]; known {
				v.Destroyed, v.Data = true, nil
				s.Versions[n] = v
			}
		}
	})
}

// below lists what a LIST of a folder gives: names, and folders with a slash.
func (w *World) below(folder string) []string {
	if folder != "" {
		folder = strings.TrimSuffix(folder, "/") + "/"
	}
	var names []string
	for path := range w.secrets {
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
