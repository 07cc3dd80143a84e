package fake

import (
	"encoding/json"

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
