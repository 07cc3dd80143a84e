package vaultstore

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/certsync/certsync/vaultstore/kvtest"
)

const ownFolder = "certsync/prod-eu/"

// put writes a version behind the Store's back, and returns its number. Without data, the entry has metadata only.
func (f *fakeVault) put(entry string, data map[string]any) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if data == nil {
		return f.kv.Change(ownFolder+entry, func(*kvtest.Secret) {}).Current
	}
	text, err := json.Marshal(data)
	if err != nil {
		panic(err)
	}
	return f.kv.Write(ownFolder+entry, text).Current
}

// at returns what stands at an entry, nil if nothing does.
func (f *fakeVault) at(entry string) *kvtest.Secret {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.kv.Secrets[ownFolder+entry]
}

// data returns the data of a version, nil if there is none.
func (f *fakeVault) data(entry string, version int) (data map[string]any) {
	if s := f.at(entry); s != nil {
		_ = json.Unmarshal(s.Versions[version].Data, &data)
	}
	return data
}

// change changes the version 1 of an entry.
func (f *fakeVault) change(entry string, change func(*kvtest.Version)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kv.Change(ownFolder+entry, func(s *kvtest.Secret) {
		v := s.Versions[1]
		change(&v)
		s.Versions[1] = v
	})
}

func (f *fakeVault) secret(w http.ResponseWriter, r *http.Request, method, path string) {
	inMount, ok := strings.CutPrefix(path, "secret/")
	if !ok {
		fail(w, 404, fmt.Sprintf("no handler for route %q. route entry not found.", path))
		return
	}
	if f.upgrading > 0 {
		f.upgrading--
		fail(w, 400, "Upgrading from non-versioned to versioned data. This backend will be unavailable for a brief period and will resume service shortly.")
		return
	}
	body, _ := io.ReadAll(r.Body)
	f.kv.Serve(w, method, inMount, body)
}
