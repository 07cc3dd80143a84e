package e2e

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// kubeRequest is what the API server's audit log says of a request.
type kubeRequest struct {
	Verb       string
	RequestURI string
	User       struct{ Username string }
	ObjectRef  struct{ APIGroup, Resource, Subresource, Namespace, Name string }

	RequestReceivedTimestamp time.Time

	ResponseStatus struct{ Code int }
}

// kubeRequests returns what this fixture's identity has asked of the API server since the byte offset from.
func (f *fixture) kubeRequests(from int64) []kubeRequest {
	f.Helper()
	return f.kubeRequestsOf("certsync-"+f.owner, from)
}

// kubeRequestsOf is kubeRequests for another identity.
func (f *fixture) kubeRequestsOf(username string, from int64) []kubeRequest {
	f.Helper()
	// The log may lag behind the answers: a request of our own marks the end.
	marker := "/api/v1/namespaces/marker-" + f.owner + "-" + time.Now().Format("150405.000000")
	_, _ = f.tryKubectl(f.kubeconfig, "get", "--raw", marker)
	var seen []kubeRequest
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		seen = nil
		for _, line := range f.log(f.servers.KubeAuditLog, from) {
			var r kubeRequest
			if json.Unmarshal([]byte(line), &r) != nil {
				continue
			}
			if r.RequestURI == marker {
				return seen
			}
			if r.User.Username == username {
				seen = append(seen, r)
			}
		}
	}
	f.Fatal("the audit log does not show the marker")
	return nil
}

// log returns the lines of an audit log from a byte offset on.
func (f *fixture) log(path string, from int64) []string {
	f.Helper()
	file, err := os.Open(path)
	if err != nil {
		f.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Seek(from, 0); err != nil {
		f.Fatal(err)
	}
	var lines []string
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
	}
	return lines
}

// size is where an audit log ends now.
func (f *fixture) size(path string) int64 {
	f.Helper()
	info, err := os.Stat(path)
	if err != nil {
		f.Fatal(err)
	}
	return info.Size()
}

// vaultRequest is what Vault's audit log says of a request.
type vaultRequest struct {
	Type  string
	Error string
	Auth  struct {
		DisplayName string `json:"display_name"`
	}
	Request struct{ Operation, Path string }
}

// vaultRequests returns the requests to this owner's folder since the byte offset from, but for the test's looks for
// secrets. Vault answers only after it has written its log.
func (f *fixture) vaultRequests(from int64) []vaultRequest {
	f.Helper()
	var seen []vaultRequest
	for _, line := range f.log(f.servers.VaultAuditLog, from) {
		var r vaultRequest
		if json.Unmarshal([]byte(line), &r) == nil && r.Type == "request" && r.Auth.DisplayName != "token-"+onlooker && strings.Contains(r.Request.Path, "/certsync/"+f.owner+"/") {
			seen = append(seen, r)
		}
	}
	return seen
}

// vaultRequestsOf returns what was asked of Vault since the byte offset from with tokens that were got by logging in at a
// mount.
func (f *fixture) vaultRequestsOf(mount string, from int64) []vaultRequest {
	f.Helper()
	var seen []vaultRequest
	for _, line := range f.log(f.servers.VaultAuditLog, from) {
		var r vaultRequest
		if json.Unmarshal([]byte(line), &r) == nil && r.Type == "request" && strings.HasPrefix(r.Auth.DisplayName, mount+"-") {
			seen = append(seen, r)
		}
	}
	return seen
}

// isReview reports a request that asks what the caller, or somebody else, may do. It is a POST, and writes nothing.
func (r kubeRequest) isReview() bool {
	return slices.Contains([]string{"selfsubjectreviews", "selfsubjectaccessreviews", "subjectaccessreviews"}, r.ObjectRef.Resource)
}

// goesOn reports a request for a further page of CertificateSigningRequests. The other tests' requests are on these pages too.
func (r kubeRequest) goesOn() bool {
	return r.ObjectRef.Resource == "certificatesigningrequests" && strings.Contains(r.RequestURI, "continue=")
}

// tells reports a request that makes an Event.
func (r kubeRequest) tells() bool { return r.Verb == "create" && r.ObjectRef.Resource == "events" }

// TestIdempotence: a second apply finds nothing and sends no write, as both servers' audit logs say.
func TestIdempotence(t *testing.T) {
	t.Parallel()
	kube, vault := new(int64), new(int64)
	f := newFixture(t, shared)
	f.namespace("staging")
	f.namespace("payments")
	f.write(team)
	*kube, *vault = f.size(shared.KubeAuditLog), f.size(shared.VaultAuditLog)
	f.must(0, "apply", "--yes")
	f.writesAtMost(*kube, *vault, 3)

	*kube, *vault = f.size(shared.KubeAuditLog), f.size(shared.VaultAuditLog)
	r := f.must(0, "apply", "--yes")
	if !strings.Contains(r.stdout, "nothing to do; 3 users unchanged") {
		t.Errorf("second apply: %s", r.stdout)
	}
	reads := 0
	for _, r := range f.kubeRequests(*kube) {
		switch r.Verb {
		case "get", "list", "watch":
			if !r.goesOn() {
				reads++
			}
		default:
			if !r.isReview() {
				t.Errorf("the second apply sent %s %s", r.Verb, r.RequestURI)
			}
		}
	}
	if reads == 0 || reads > 10 {
		t.Errorf("the second apply read Kubernetes %d times", reads)
	}
	requests := f.vaultRequests(*vault)
	for _, r := range requests {
		if op := r.Request.Operation; op != "read" && op != "list" {
			t.Errorf("the second apply sent %s %s", op, r.Request.Path)
		}
		if strings.Contains(r.Request.Path, "/data/") && strings.Contains(r.Request.Path, "/users/") {
			t.Errorf("certsync read a key: %s", r.Request.Path)
		}
	}
	if len(requests) < 3*2 || len(requests) > 3*2+5 {
		t.Errorf("the second apply asked Vault %d times for 3 users", len(requests))
	}
}

// writesAtMost checks the cost of new users: 4 Kubernetes writes and 2 Vault data writes each, the state and one Event for the run aside.
func (f *fixture) writesAtMost(kube, vault int64, users int) {
	f.Helper()
	writes, events := 0, 0
	for _, r := range f.kubeRequests(kube) {
		switch {
		case r.Verb == "get", r.Verb == "list", r.Verb == "watch", r.isReview():
		case r.tells():
			events++
		default:
			writes++
		}
	}
	if writes > 4*users || events > 1 {
		f.Errorf("%d Kubernetes writes for %d users, and %d Events", writes, users, events)
	}
	data := 0
	for _, r := range f.vaultRequests(vault) {
		if strings.Contains(r.Request.Path, "/data/") && r.Request.Operation != "read" && !strings.HasSuffix(r.Request.Path, "/state") {
			data++
		}
	}
	if data != 2*users {
		f.Errorf("%d Vault data writes for %d users", data, users)
	}
}
