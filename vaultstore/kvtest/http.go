package kvtest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Serve answers a request about path, which begins with the API's area, such as "data/certsync/prod/state". The method LIST stands
// for a GET with ?list=true.
func (m *Mount) Serve(rw http.ResponseWriter, method, path string, body []byte) {
	area, path, _ := strings.Cut(path, "/")
	path = strings.TrimSuffix(path, "/")
	switch method + " " + area {
	case "GET data":
		m.read(rw, path)
	case "PUT data":
		m.put(rw, path, body)
	case "DELETE data":
		m.Delete(path)
		rw.WriteHeader(http.StatusNoContent)
	case "GET config":
		Reply(rw, http.StatusOK, map[string]any{"data": map[string]any{
			"cas_required": m.CASRequired, "delete_version_after": m.DeleteAfter.String(), "max_versions": 0}})
	case "GET metadata":
		m.metadata(rw, path)
	case "LIST metadata":
		names := m.Below(path)
		if len(names) == 0 {
			Fail(rw, http.StatusNotFound)
			return
		}
		Reply(rw, http.StatusOK, map[string]any{"data": map[string]any{"keys": names}})
	case "DELETE metadata":
		m.Drop(path)
		rw.WriteHeader(http.StatusNoContent)
	case "PUT destroy":
		var asked struct{ Versions []int }
		if err := json.Unmarshal(body, &asked); err != nil || len(asked.Versions) == 0 {
			Fail(rw, http.StatusBadRequest, "no version number provided")
			return
		}
		m.Destroy(path, asked.Versions)
		rw.WriteHeader(http.StatusNoContent)
	default:
		Fail(rw, http.StatusMethodNotAllowed, "1 error occurred:\n\t* unsupported operation\n\n")
	}
}

func (m *Mount) read(rw http.ResponseWriter, path string) {
	s := m.Secrets[path]
	if s == nil || s.Current == 0 {
		Fail(rw, http.StatusNotFound)
		return
	}
	status, data := http.StatusOK, m.Read(path)
	if data == nil {
		status = http.StatusNotFound
	}
	Reply(rw, status, map[string]any{"data": map[string]any{"data": data, "metadata": s.current()}})
}

// put compares the request's cas, if it has one, with the current version, even if that is deleted: cas 0 is for paths that never
// held anything.
func (m *Mount) put(rw http.ResponseWriter, path string, body []byte) {
	var sent struct {
		Options struct{ CAS *int }
		Data    json.RawMessage
	}
	if err := json.Unmarshal(body, &sent); err != nil || len(sent.Data) == 0 || string(sent.Data) == "null" {
		Fail(rw, http.StatusBadRequest, "no data provided")
		return
	}
	version := 0
	if s := m.Secrets[path]; s != nil {
		version = s.Current
	}
	switch cas := sent.Options.CAS; {
	case cas == nil && m.CASRequired:
		Fail(rw, http.StatusBadRequest, "check-and-set parameter required for this call")
	case cas != nil && *cas != version:
		Fail(rw, http.StatusBadRequest, "check-and-set parameter did not match the current version")
	default:
		Reply(rw, http.StatusOK, map[string]any{"data": m.Write(path, sent.Data).current()})
	}
}

func (m *Mount) metadata(rw http.ResponseWriter, path string) {
	s := m.Secrets[path]
	if s == nil {
		Fail(rw, http.StatusNotFound)
		return
	}
	versions := map[string]any{}
	for n, v := range s.Versions {
		versions[strconv.Itoa(n)] = v.metadata()
	}
	Reply(rw, http.StatusOK, map[string]any{"data": map[string]any{
		"current_version": s.Current, "max_versions": 0, "cas_required": m.CASRequired, "custom_metadata": nil,
		"delete_version_after": s.DeleteAfter.String(), "versions": versions}})
}

// current is the metadata of the current version.
func (s *Secret) current() map[string]any {
	data := s.Versions[s.Current].metadata()
	data["version"], data["custom_metadata"] = s.Current, nil
	return data
}

func (v Version) metadata() map[string]any {
	deletion := ""
	if !v.Deleted.IsZero() {
		deletion = v.Deleted.UTC().Format(time.RFC3339Nano)
	}
	return map[string]any{"created_time": v.Created.UTC().Format(time.RFC3339Nano), "deletion_time": deletion, "destroyed": v.Destroyed}
}

// Reply writes an answer as Vault does.
func Reply(rw http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Content-Length", strconv.Itoa(len(data)+1))
	rw.WriteHeader(status)
	_, _ = rw.Write(append(data, '\n'))
}

// Fail writes an error as Vault does.
func Fail(rw http.ResponseWriter, status int, errs ...string) {
	if errs == nil {
		errs = []string{}
	}
	Reply(rw, status, map[string]any{"errors": errs})
}
