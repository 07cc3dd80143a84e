package fake

import (
	"encoding/json"
	"maps"
	"strings"

	"github.com/certsync/certsync/vaultstore/kvtest"
)

// mount is the one mount of the Vault, KV version 2.
const mount = "secret"

// secretName is how dumps and hooks name the secret at a path in the mount.
func secretName(path string) string { return mount + "/" + path }

// kv is the mount. The caller holds the lock.
func (w *World) kv() *kvtest.Mount {
	return &kvtest.Mount{Secrets: w.secrets, Now: w.now, Wrote: func(path string) { w.wrote(secretName(path)) }}
}

// WriteSecret adds a version as somebody else would, and returns its number.
func (w *World) WriteSecret(path string, data any) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.kv().Write(path, json.RawMessage(text(data))).Current
}

// DeleteSecret soft-deletes the current version of a secret, as `vault kv delete` does.
func (w *World) DeleteSecret(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kv().Delete(path)
}

// DropSecret deletes a secret with all its versions, as `vault kv metadata delete` does.
func (w *World) DropSecret(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kv().Drop(path)
}

// Secret returns the current version's data, nil if there is none to be read.
func (w *World) Secret(path string) json.RawMessage {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.kv().Read(path)
}

// Restore puts the secrets at a path and below it back to what they are in another world, as a restored backup does.
func (w *World) Restore(from *World, path string) {
	old := from.Clone().secrets
	w.mu.Lock()
	defer w.mu.Unlock()
	under := func(p string, _ *kvtest.Secret) bool { return p == path || strings.HasPrefix(p, path+"/") }
	maps.DeleteFunc(w.secrets, under)
	maps.DeleteFunc(old, func(p string, s *kvtest.Secret) bool { return !under(p, s) })
	maps.Copy(w.secrets, old)
}
