//go:build unix

package main

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
)

// requestKeeper is a cluster that takes CertificateSigningRequests, keeps them, and does nothing with them.
type requestKeeper struct {
	mu    sync.Mutex
	kept  map[string][]byte // by path
	calls []string
	// reviewed are the verbs and resources that certsync asked about.
	reviewed string
}

func (k *requestKeeper) answer(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	k.calls = append(k.calls, r.Method+" "+r.URL.Path)
	path, body := r.URL.Path, []byte(nil)
	if strings.HasPrefix(path, csrPath) || strings.HasSuffix(path, "/selfsubjectaccessreviews") {
		body, _ = io.ReadAll(r.Body)
	}
	if strings.HasSuffix(path, "/selfsubjectaccessreviews") {
		k.reviewed += string(body)
	}
	kept, found := k.kept[path]
	if r.Method == http.MethodDelete {
		delete(k.kept, path)
	}
	k.mu.Unlock()
	switch {
	case r.Method == http.MethodPost && path == csrPath:
		answer(w, http.StatusCreated, string(k.keep(body)))
	case found && r.Method == http.MethodGet:
		answer(w, http.StatusOK, string(kept))
	case found && r.Method == http.MethodDelete:
		answer(w, http.StatusOK, `{"kind":"Status","apiVersion":"v1","status":"Success"}`)
	default:
		answerAsCluster(w, r)
	}
}

// keep is what an API server makes of a request.
func (k *requestKeeper) keep(body []byte) []byte {
	obj, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
	if err != nil {
		panic(err)
	}
	csr := obj.(*certificatesv1.CertificateSigningRequest)
	k.mu.Lock()
	defer k.mu.Unlock()
	name := csr.Name
	csr.APIVersion, csr.Kind = "certificates.k8s.io/v1", "CertificateSigningRequest"
	csr.UID, csr.ResourceVersion, csr.Spec.Username = types.UID(name), "2", "certsync"
	text, err := json.Marshal(csr)
	if err != nil {
		panic(err)
	}
	k.kept[csrPath+"/"+name] = text
	return text
}

// applyTo runs apply for two users against a cluster with the kubeconfig of testdata/apply-failing, and a CA's files.
func (k *requestKeeper) applyTo(t *testing.T, args ...string) result {
	t.Helper()
	cluster, ca := newClusterThat(t, k.answer)
	dir := t.TempDir()
	copyFolder(t, "testdata/apply-failing", dir, map[string]string{"$CLUSTER": cluster, "$CA": ca, "$VAULT": newVault(t)})
	newCAFiles(t, dir)
	fixture.WriteFile(t, filepath.Join(dir, "users.yaml"), []byte("apiVersion: certsync.dev/v1\nkind: Inventory\nowner: prod-eu\nusers: [{name: alice}, {name: bob}]\n"), 0o600)
	return run(t, process(t, dir, linesOf(t, dir, "env"), append([]string{"apply", "--yes"}, args...)))
}

// called says whether a request begins like this.
func (k *requestKeeper) called(prefix string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.calls {
		if strings.HasPrefix(c, prefix) {
			return true
		}
	}
	return false
}

// TestManualApproval: apply asks for all users at once and prints the commands, approves nothing, wants no right to, and
// holds back whom nobody approves.
func TestManualApproval(t *testing.T) {
	k := &requestKeeper{kept: map[string][]byte{}}
	r := k.applyTo(t, "--approval=manual", "--approval-timeout=2s")
	if r.code != exitError {
		t.Errorf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	for _, user := range []string{"alice", "bob"} {
		command := regexp.MustCompile(`(?m)^kubectl patch csr (certsync-prod-eu[.][a-z2-7]{26}) .* -p '.*"uid":"[^"]+".*'   # ` + user + `$`).FindStringSubmatch(r.stderr)
		if command == nil {
			t.Fatalf("nobody is asked for %s: %s", user, r.stderr)
		}
		want := "issue " + user + ": held: issuing a certificate: CertificateSigningRequest " + command[1] +
			": nobody approved the CertificateSigningRequest in time: certsync waited 2s\n"
		if !strings.Contains(r.stdout, want) || !k.called("DELETE "+csrPath+"/"+command[1]) {
			t.Errorf("%s is not held: %s, calls %q", user, r.stdout, k.calls)
		}
	}
	if _, held, _ := strings.Cut(r.stderr, ": held: "); strings.Contains(held, "kubectl patch csr") {
		t.Errorf("one is asked for after the other: %s", r.stderr)
	}
	if k.called("PUT "+csrPath) || strings.Contains(k.reviewed, "approv") {
		t.Errorf("calls %q, reviewed %q", k.calls, k.reviewed)
	}
}

// TestCAIssuer: with a CA's key nothing is asked of the cluster's signer, and its certificate has to prove itself like
// any other: this cluster takes everybody for certsync.
func TestCAIssuer(t *testing.T) {
	k := &requestKeeper{kept: map[string][]byte{}}
	r := k.applyTo(t, "--issuer=ca", "--ca-cert=ca.crt", "--ca-key=ca.key")
	if r.code != exitError || !strings.Contains(r.stdout, `the API server does not trust the new certificate: the API server identifies its holder as "certsync"`) {
		t.Errorf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	if k.called("POST "+csrPath) || strings.Contains(k.reviewed, "certificatesigningrequests") {
		t.Errorf("calls %q, reviewed %q", k.calls, k.reviewed)
	}
}
