package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/usage"
)

// fingerprint is the SHA-256 of the certificate of a user's credential.
func (f *fixture) fingerprint(user string) string {
	f.Helper()
	text, _ := f.kv("users/" + user)["tls.crt"].(string)
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		f.Fatalf("users/%s holds no certificate", user)
	}
	sum := sha256.Sum256(block.Bytes)
	return hex.EncodeToString(sum[:])
}

// usage reads the API server's audit log from a byte offset on.
func (f *fixture) usage(from int64, users map[string][]string) *usage.Log {
	f.Helper()
	f.kubeRequests(from) // waits until the log has all requests
	l, err := usage.Read(f.Context(), users, usage.Source{Name: "audit log", Open: func() (io.ReadCloser, error) {
		file, err := os.Open(f.servers.KubeAuditLog)
		if err == nil {
			_, err = file.Seek(from, io.SeekStart)
		}
		return file, err
	}})
	if err != nil {
		f.Fatal(err)
	}
	if l.Events == 0 || l.TooLong > 0 || l.Invalid > 1 { // other tests go on writing
		f.Errorf("%d events, %d lines too long, %d lines that are no event", l.Events, l.TooLong, l.Invalid)
	}
	return l
}

// grants are those of this owner's bindings that allowed a user something.
func (f *fixture) grants(u usage.User) []reconcile.Grant {
	f.Helper()
	grants := []reconcile.Grant{}
	for _, b := range u.Bindings {
		if g, ours := reconcile.ParseBindingName(f.owner, b.Namespace, b.Name); ours {
			grants = append(grants, g)
		}
	}
	return grants
}

// TestUsage: a real API server's audit log tells which certificates were used, when, what was denied, and which roles allowed
// something.
func TestUsage(t *testing.T) {
	t.Parallel()
	f := settled(t)
	o := f.owner
	alice, carol, staging := "alice@"+o, "carol@"+o, "staging-"+o
	stolen, first := f.userKubeconfig(alice), f.fingerprint(alice)
	from, began := f.size(f.servers.KubeAuditLog), time.Now()
	outside := func(u usage.Use) bool {
		return u.First.Before(began.Add(-time.Second)) || u.Last.After(time.Now().Add(time.Second))
	}

	f.allowed(stolen, "get", "pods", "-n", staging)
	f.forbidden(stolen, "get", "secrets", "-n", "default")
	users := map[string][]string{alice: {first}, carol: {f.fingerprint(carol)}}
	l := f.usage(from, users)
	u := l.Users[alice]
	if len(u.Certificates) != 1 || u.Certificates[0].SHA256 != first || u.Certificates[0].Use != u.Use || u.WithoutCertificate != (usage.Use{}) {
		t.Errorf("certificates of %s: %+v", alice, u)
	}
	if u.Requests < 2 || u.Denied != 1 || u.Source != "127.0.0.1" || outside(u.Use) || u.Impersonations > 0 {
		t.Errorf("use by %s: %+v", alice, u.Use)
	}
	view := reconcile.Grant{For: "group", Subject: "devs-" + o, Role: "view", Part: 1}
	if diff := cmp.Diff([]reconcile.Grant{view}, f.grants(u)); diff != "" {
		t.Errorf("roles that allowed %s something: %s", alice, diff)
	}
	if u := l.Users[carol]; u.Use != (usage.Use{}) || len(u.Bindings) > 0 {
		t.Errorf("use by %s, who did nothing: %+v", carol, u)
	}

	f.allowed(stolen, "create", "configmap", "used", "-n", staging)
	edit := reconcile.Grant{For: "group", Subject: "devs-" + o, Namespace: staging, Role: "edit", Part: 1}
	if diff := cmp.Diff([]reconcile.Grant{view, edit}, f.grants(f.usage(from, users).Users[alice])); diff != "" {
		t.Errorf("roles that allowed %s something: %s", alice, diff)
	}

	f.must(0, "apply", "--yes", "--revoke", alice)
	revoked := f.size(f.servers.KubeAuditLog)
	f.forbidden(stolen, "get", "pods", "-n", staging)
	f.kubectl("get", "pods", "-n", "payments-"+o, "--as", carol)
	l = f.usage(revoked, map[string][]string{alice: {first}, carol: nil, "certsync-" + o: nil})
	if u := l.Users[alice]; u.Denied != 1 || len(u.Certificates) != 1 || u.Certificates[0].SHA256 != first || u.Certificates[0].Denied != 1 || len(f.grants(u)) > 0 {
		t.Errorf("use of a revoked certificate: %+v", u)
	}
	if u := l.Users[carol]; u.Use != (usage.Use{}) {
		t.Errorf("use by %s, as whom somebody else acted: %+v", carol, u)
	}
	if u := l.Users["certsync-"+o]; u.Impersonations == 0 || u.AllowedOtherwise.Requests == 0 || u.Denied > 1 || len(u.Certificates) != 1 {
		t.Errorf("use by system:masters: %+v", u)
	}
	if second := f.fingerprint(alice); second == first {
		t.Error("the credential was not replaced")
	} else if slices.ContainsFunc(l.Others, func(c usage.Certificate) bool { return c.SHA256 == second }) {
		t.Error("the new certificate, which nobody used, was used")
	}
}
