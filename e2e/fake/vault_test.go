package fake

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestVault: statuses and bodies in a secret's life. Each line is a request, and what its answer is and holds.
func TestVault(t *testing.T) {
	_, f := newFront(t)
	for i, step := range []struct {
		request, body string
		status        int
		holds         string
	}{
		{"GET auth/token/lookup-self", "", 200, `"data"`},
		{"GET sys/internal/ui/mounts/secret", "", 200, `"version":"2"`},
		{"GET sys/internal/ui/mounts/other", "", 403, `preflight capability check`},
		{"PUT sys/capabilities-self", `{"paths":["secret/data/a"]}`, 200, `"secret/data/a":["root"]`},
		{"GET other/data/a", "", 404, `no handler for route`},
		{"GET secret/data/a", "", 404, `{"errors":[]}`},
		{"GET secret/metadata/a", "", 404, `{"errors":[]}`},
		{"GET secret/metadata/?list=true", "", 404, `{"errors":[]}`},
		{"PUT secret/data/a", `{"options":{"cas":1},"data":{"k":"v"}}`, 400, `check-and-set parameter did not match the current version`},
		{"PUT secret/data/a", `{"options":{"cas":0}}`, 400, `no data provided`},
		{"PUT secret/data/a", `{"options":{"cas":0},"data":{"k":"1"}}`, 200, `"version":1`},
		{"PUT secret/data/a", `{"options":{"cas":0},"data":{"k":"2"}}`, 400, `check-and-set`},
		{"PUT secret/data/a", `{"options":{"cas":1},"data":{"k":"2"}}`, 200, `"version":2`},
		{"GET secret/data/a", "", 200, `"data":{"k":"2"}`},
		{"PUT secret/data/f/b", `{"data":{}}`, 200, `"version":1`},
		{"GET secret/metadata/?list=true", "", 200, `["a","f/"]`},
		{"DELETE secret/data/a", "", 204, ``},
		{"GET secret/data/a", "", 404, `"data":null`},
		{"PUT secret/data/a", `{"options":{"cas":0},"data":{"k":"3"}}`, 400, `check-and-set`},
		{"PUT secret/destroy/a", `{"versions":[1]}`, 204, ``},
		{"PUT secret/destroy/a", `{"versions":[]}`, 400, `no version number provided`},
		{"GET secret/metadata/a", "", 200, `"current_version":2`},
		{"GET secret/metadata/a", "", 200, `"destroyed":true`},
		{"PUT secret/data/a", `{"options":{"cas":2},"data":{"k":"3"}}`, 200, `"version":3`},
		{"DELETE secret/metadata/a", "", 204, ``},
		{"GET secret/metadata/a", "", 404, `{"errors":[]}`},
		{"PATCH secret/data/a", `{}`, 405, `unsupported operation`},
	} {
		method, path, _ := strings.Cut(step.request, " ")
		status, body := vault(t, f, method, path, step.body)
		if status != step.status || !strings.Contains(body, step.holds) {
			t.Errorf("%d: %s %s: %d %s", i, step.request, step.body, status, body)
		}
	}
	f.servers.forget(f.name)
	if status, body := vault(t, f, "GET", "secret/data/f/b", ""); status != 403 || !strings.Contains(body, "invalid token") {
		t.Errorf("with a token that is over: %d %s", status, body)
	}
}

// TestVersions: the ten latest are kept.
func TestVersions(t *testing.T) {
	w, f := newFront(t)
	for i := range 12 {
		w.WriteSecret("a", map[string]int{"n": i})
	}
	_, body := vault(t, f, "GET", "secret/metadata/a", "")
	if got := len(pick(t, body, "data", "versions").(map[string]any)); got != 10 {
		t.Errorf("%d versions: %s", got, body)
	}
}

// TestAdvance: what the servers say of the time follows their clock.
func TestAdvance(t *testing.T) {
	w, f := newFront(t)
	w.Advance(time.Hour)
	r, err := http.NewRequestWithContext(within(t), http.MethodGet, f.servers.VaultAddress()+"/v1/secret/data/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Vault-Token", f.VaultToken())
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	c, _ := client(t, f, "application/json")
	made, err := c.RbacV1().ClusterRoleBindings().Create(within(t), newBinding("b", "view"), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil || time.Until(date) < 59*time.Minute || time.Until(made.CreationTimestamp.Time) < 59*time.Minute {
		t.Errorf("Date %s, created at %s: %v", date, made.CreationTimestamp, err)
	}
}

// TestUsers: what is read of a folder of certsync's.
func TestUsers(t *testing.T) {
	w, _ := newFront(t)
	w.WriteSecret("certsync/x/ledger/alice", map[string]any{"state": "active", "certificates": []any{
		map[string]any{"status": "current", "certificate": "c1", "credentialVersion": 2},
		map[string]any{"status": "requested", "certificate": "", "publicKeySHA256": "ab", "notAfter": "9000-01-01T00:00:00Z"}}})
	w.WriteSecret("certsync/x/users/alice", map[string]string{"tls.crt": "c0"})
	w.WriteSecret("certsync/x/users/alice", map[string]string{"tls.crt": "c1"})
	w.DeleteSecret("certsync/x/users/alice")
	w.WriteSecret("certsync/x/ledger/bob", []int{})
	got := fmt.Sprintf("%+v", w.Users("certsync/x"))
	want := "map[alice:{State:active Certificates:[{Status:current PEM:c1 CredentialVersion:2 Live:false Key: NotAfter:0001-01-01 00:00:00 +0000 UTC} " +
		"{Status:requested PEM: CredentialVersion:0 Live:true Key:ab NotAfter:9000-01-01 00:00:00 +0000 UTC}] " +
		"Stored:[{Version:1 Readable:true Certificate:c0 Live:false} {Version:2 Readable:false Certificate:c1 Live:false}] Version:2} " +
		"bob:{State:unreadable Certificates:[] Stored:[] Version:0}]"
	if got != want {
		t.Error(got)
	}
}

// TestRestore: what stands at a path and below it is as it was, and everything else is as it is.
func TestRestore(t *testing.T) {
	w, _ := newFront(t)
	write := func(text string, paths ...string) {
		for _, path := range paths {
			w.WriteSecret(path, text)
		}
	}
	write("old", "a/state", "a/users/x", "ab/state")
	old := w.Clone()
	write("new", "a/state", "a/users/y", "ab/state")
	w.Restore(old, "a")
	for path, want := range map[string]string{"a/state": `"old"`, "a/users/x": `"old"`, "a/users/y": "", "ab/state": `"new"`} {
		if got := strings.TrimSpace(string(w.Secret(path))); got != want {
			t.Errorf("%s holds %s, not %s", path, got, want)
		}
	}
}
