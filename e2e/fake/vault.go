package fake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// mount is the one mount of the Vault, KV version 2.
const mount = "secret"

// serveVault answers as Vault v1.21 does to a root token. The path is without /v1/.
func (w *World) serveVault(rw http.ResponseWriter, r *http.Request, path string, body []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rw.Header().Set("Date", w.now().UTC().Format(http.TimeFormat))
	inMount, ours := strings.CutPrefix(path, mount+"/")
	switch {
	case path == "auth/token/lookup-self":
		vaultReply(rw, http.StatusOK, map[string]any{"data": map[string]any{"policies": []string{"root"}, "ttl": 0}})
	case path == "sys/capabilities-self":
		capabilities(rw, body)
	case path == "sys/internal/ui/mounts/"+mount:
		vaultReply(rw, http.StatusOK, map[string]any{"data": map[string]any{
			"path": mount + "/", "type": "kv", "options": map[string]string{"version": "2"}}})
	case strings.HasPrefix(path, "sys/internal/ui/mounts/"):
		vaultFail(rw, http.StatusForbidden, fmt.Sprintf(
			"preflight capability check returned 403, please ensure client's policies grant access to path %q",
			strings.TrimPrefix(path, "sys/internal/ui/mounts/")+"/"))
	case !ours:
		vaultFail(rw, http.StatusNotFound, fmt.Sprintf("no handler for route %q. route entry not found.", path))
	default:
		area, entry, _ := strings.Cut(inMount, "/")
		w.serveSecret(rw, vaultVerb(r), area, strings.TrimSuffix(entry, "/"), body)
	}
}

// vaultVerb is LIST for a GET with ?list=true.
func vaultVerb(r *http.Request) string {
	switch {
	case r.Method == http.MethodGet && r.URL.Query().Get("list") == "true":
		return "LIST"
	case r.Method == http.MethodPost:
		return http.MethodPut
	}
	return r.Method
}

// serveSecret serves the KV mount. The caller holds the lock.
func (w *World) serveSecret(rw http.ResponseWriter, verb, area, path string, body []byte) {
	switch verb + " " + area {
	case "GET data":
		w.readSecret(rw, path)
	case "PUT data":
		w.putSecret(rw, path, body)
	case "DELETE data":
		w.softDelete(path)
		rw.WriteHeader(http.StatusNoContent)
	case "GET metadata":
		w.readMetadata(rw, path)
	case "LIST metadata":
		names := w.below(path)
		if len(names) == 0 {
			vaultFail(rw, http.StatusNotFound)
			return
		}
		vaultReply(rw, http.StatusOK, map[string]any{"data": map[string]any{"keys": names}})
	case "DELETE metadata":
		if w.secrets[path] != nil {
			delete(w.secrets, path)
			w.wrote(secretName(path))
		}
		rw.WriteHeader(http.StatusNoContent)
	case "PUT destroy":
		var asked struct{ Versions []int }
		if err := json.Unmarshal(body, &asked); err != nil || len(asked.Versions) == 0 {
			vaultFail(rw, http.StatusBadRequest, "no version number provided")
			return
		}
		w.destroy(path, asked.Versions)
		rw.WriteHeader(http.StatusNoContent)
	default:
		vaultFail(rw, http.StatusMethodNotAllowed, "1 error occurred:\n\t* unsupported operation\n\n")
	}
}

func (w *World) readSecret(rw http.ResponseWriter, path string) {
	s := w.secrets[path]
	if s == nil || s.Current == 0 {
		vaultFail(rw, http.StatusNotFound)
		return
	}
	v := s.Versions[s.Current]
	metadata := v.metadata()
	metadata["version"], metadata["custom_metadata"] = s.Current, nil
	if !v.readable(w.now()) {
		vaultReply(rw, http.StatusNotFound, map[string]any{"data": map[string]any{"data": nil, "metadata": metadata}})
		return
	}
	vaultReply(rw, http.StatusOK, map[string]any{"data": map[string]any{"data": v.Data, "metadata": metadata}})
}

// putSecret is check-and-set if the request has a cas. It is compared with the current version even when that is
// deleted: cas 0 is for paths that never held anything.
func (w *World) putSecret(rw http.ResponseWriter, path string, body []byte) {
	var sent struct {
		Options struct{ CAS *int }
		Data    json.RawMessage
	}
	if err := json.Unmarshal(body, &sent); err != nil || len(sent.Data) == 0 || string(sent.Data) == "null" {
		vaultFail(rw, http.StatusBadRequest, "no data provided")
		return
	}
	current := 0
	if s := w.secrets[path]; s != nil {
		current = s.Current
	}
	if sent.Options.CAS != nil && *sent.Options.CAS != current {
		vaultFail(rw, http.StatusBadRequest, "check-and-set parameter did not match the current version")
		return
	}
	s := w.writeSecret(path, sent.Data)
	metadata := s.Versions[s.Current].metadata()
	metadata["version"], metadata["custom_metadata"] = s.Current, nil
	vaultReply(rw, http.StatusOK, map[string]any{"data": metadata})
}

func (w *World) readMetadata(rw http.ResponseWriter, path string) {
	s := w.secrets[path]
	if s == nil {
		vaultFail(rw, http.StatusNotFound)
		return
	}
	versions := map[string]any{}
	for n, v := range s.Versions {
		versions[strconv.Itoa(n)] = v.metadata()
	}
	vaultReply(rw, http.StatusOK, map[string]any{"data": map[string]any{
		"current_version": s.Current, "max_versions": 0, "cas_required": false, "custom_metadata": nil,
		"delete_version_after": "0s", "versions": versions}})
}

func (v version) metadata() map[string]any {
	deletion := ""
	if !v.Deleted.IsZero() {
		deletion = v.Deleted.UTC().Format(time.RFC3339Nano)
	}
	return map[string]any{"created_time": v.Created.UTC().Format(time.RFC3339Nano), "deletion_time": deletion, "destroyed": v.Destroyed}
}

// capabilities says that the token may do everything.
func capabilities(rw http.ResponseWriter, body []byte) {
	var asked struct{ Paths []string }
	if err := json.Unmarshal(body, &asked); err != nil || len(asked.Paths) == 0 {
		vaultFail(rw, http.StatusBadRequest, "paths must be supplied")
		return
	}
	granted := map[string]any{"capabilities": []string{"root"}}
	for _, path := range asked.Paths {
		granted[path] = []string{"root"}
	}
	vaultReply(rw, http.StatusOK, map[string]any{"data": granted})
}

func vaultReply(rw http.ResponseWriter, status int, body any) {
	data := []byte(text(body))
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Content-Length", strconv.Itoa(len(data)))
	rw.WriteHeader(status)
	_, _ = rw.Write(data)
}

func vaultFail(rw http.ResponseWriter, status int, errs ...string) {
	if errs == nil {
		errs = []string{}
	}
	vaultReply(rw, status, map[string]any{"errors": errs})
}
