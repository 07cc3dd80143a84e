package fake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/certsync/certsync/vaultstore/kvtest"
)

// serveVault answers as Vault v1.21 does to a root token. The path is without /v1/.
func (w *World) serveVault(rw http.ResponseWriter, r *http.Request, path string, body []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rw.Header().Set("Date", w.now().UTC().Format(http.TimeFormat))
	inMount, ours := strings.CutPrefix(path, mount+"/")
	switch {
	case path == "auth/token/lookup-self":
		kvtest.Reply(rw, http.StatusOK, map[string]any{"data": map[string]any{"policies": []string{"root"}, "ttl": 0}})
	case path == "sys/capabilities-self":
		capabilities(rw, body)
	case path == "sys/internal/ui/mounts/"+mount:
		kvtest.Reply(rw, http.StatusOK, map[string]any{"data": map[string]any{
			"path": mount + "/", "type": "kv", "options": map[string]string{"version": "2"}}})
	case strings.HasPrefix(path, "sys/internal/ui/mounts/"):
		kvtest.Fail(rw, http.StatusForbidden, fmt.Sprintf(
			"preflight capability check returned 403, please ensure client's policies grant access to path %q",
			strings.TrimPrefix(path, "sys/internal/ui/mounts/")+"/"))
	case !ours:
		kvtest.Fail(rw, http.StatusNotFound, fmt.Sprintf("no handler for route %q. route entry not found.", path))
	default:
		w.kv().Serve(rw, vaultVerb(r), inMount, body)
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

// capabilities says that the token may do everything.
func capabilities(rw http.ResponseWriter, body []byte) {
	var asked struct{ Paths []string }
	if err := json.Unmarshal(body, &asked); err != nil || len(asked.Paths) == 0 {
		kvtest.Fail(rw, http.StatusBadRequest, "paths must be supplied")
		return
	}
	granted := map[string]any{"capabilities": []string{"root"}}
	for _, path := range asked.Paths {
		granted[path] = []string{"root"}
	}
	kvtest.Reply(rw, http.StatusOK, map[string]any{"data": granted})
}
