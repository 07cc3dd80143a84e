package vaultstore

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// kvEntry is a secret of KV version 2.
type kvEntry struct {
	current  int
	versions map[int]*kvVersion
}

type kvVersion struct {
	data         map[string]any
	deletionTime time.Time
	destroyed    bool
}

func (v *kvVersion) gone(now time.Time) bool {
	return v.destroyed || !v.deletionTime.IsZero() && v.deletionTime.Before(now)
}

func (v *kvVersion) metadata() map[string]any {
	deletion := ""
	if !v.deletionTime.IsZero() {
		deletion = v.deletionTime.UTC().Format(time.RFC3339Nano)
	}
	return map[string]any{"created_time": "2026-01-01T00:00:00Z", "deletion_time": deletion, "destroyed": v.destroyed}
}

// put writes a version behind the Store's back, and returns its number.
func (f *fakeVault) put(entry string, data map[string]any) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.add("certsync/prod-eu/"+entry, data)
}

// at returns what stands at an entry, nil if nothing does.
func (f *fakeVault) at(entry string) *kvEntry {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.kv["certsync/prod-eu/"+entry]
}

func (f *fakeVault) add(key string, data map[string]any) int {
	e := f.kv[key]
	if e == nil {
		e = &kvEntry{versions: map[int]*kvVersion{}}
		f.kv[key] = e
	}
	if data != nil { // nil: metadata only
		e.current++
		e.versions[e.current] = &kvVersion{data: data}
		delete(e.versions, e.current-10) // max_versions
	}
	return e.current
}

func (f *fakeVault) secret(w http.ResponseWriter, r *http.Request, method, path string) {
	inMount, ok := strings.CutPrefix(path, "secret/")
	kind, key, _ := strings.Cut(inMount, "/")
	if !ok {
		fail(w, 404, fmt.Sprintf("no handler for route %q. route entry not found.", path))
		return
	}
	if f.upgrading > 0 {
		f.upgrading--
		fail(w, 400, "Upgrading from non-versioned to versioned data. This backend will be unavailable for a brief period and will resume service shortly.")
		return
	}
	switch method + " " + kind {
	case "LIST metadata":
		f.list(w, key)
	case "GET data":
		f.read(w, key)
	case "PUT data":
		f.write(w, r, key)
	case "GET metadata":
		f.metadata(w, key)
	case "DELETE metadata":
		delete(f.kv, key)
		w.WriteHeader(204)
	case "PUT destroy":
		f.destroy(w, r, key)
	default:
		fail(w, 405, "unsupported operation")
	}
}

func (f *fakeVault) list(w http.ResponseWriter, folder string) {
	var keys []string
	for key := range f.kv {
		if rest, ok := strings.CutPrefix(key, folder); ok {
			name, _, inside := strings.Cut(rest, "/")
			if inside {
				name += "/"
			}
			keys = append(keys, name)
		}
	}
	if len(keys) == 0 {
		fail(w, 404)
		return
	}
	slices.Sort(keys)
	reply(w, 200, map[string]any{"data": map[string]any{"keys": slices.Compact(keys)}})
}

func (f *fakeVault) read(w http.ResponseWriter, key string) {
	e := f.kv[key]
	if e == nil || e.versions[e.current] == nil {
		fail(w, 404)
		return
	}
	v := e.versions[e.current]
	metadata := v.metadata()
	metadata["version"] = e.current
	metadata["custom_metadata"] = nil
	if v.gone(f.now()) {
		reply(w, 404, map[string]any{"data": map[string]any{"data": nil, "metadata": metadata}})
		return
	}
	reply(w, 200, map[string]any{"data": map[string]any{"data": v.data, "metadata": metadata}})
}

func (f *fakeVault) write(w http.ResponseWriter, r *http.Request, key string) {
	var body struct {
		Options struct{ CAS *int }
		Data    map[string]any
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.Data == nil {
		fail(w, 400, "no data provided")
		return
	}
	current := 0
	if e := f.kv[key]; e != nil {
		current = e.current
	}
	if body.Options.CAS == nil || *body.Options.CAS != current {
		fail(w, 400, "check-and-set parameter did not match the current version")
		return
	}
	n := f.add(key, body.Data)
	answer := f.kv[key].versions[n].metadata()
	answer["version"] = n
	reply(w, 200, map[string]any{"data": answer})
}

func (f *fakeVault) metadata(w http.ResponseWriter, key string) {
	e := f.kv[key]
	if e == nil {
		fail(w, 404)
		return
	}
	versions := map[string]any{}
	for n, v := range e.versions {
		versions[fmt.Sprint(n)] = v.metadata()
	}
	reply(w, 200, map[string]any{"data": map[string]any{"current_version": e.current, "max_versions": 0, "versions": versions}})
}

func (f *fakeVault) destroy(w http.ResponseWriter, r *http.Request, key string) {
	var body struct{ Versions []int }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || len(body.Versions) == 0 {
		fail(w, 400, "no version number provided")
		return
	}
	if e := f.kv[key]; e != nil {
		for _, n := range body.Versions {
			if v := e.versions[n]; v != nil {
				v.destroyed, v.data = true, nil
			}
		}
	}
	w.WriteHeader(204)
}
