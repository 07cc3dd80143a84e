package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certsync/certsync/e2e/harness"
)

// ownKey is a user's key that certsync never sees.
type ownKey struct {
	file        string // on the user's own machine, which is not the fixture's folder
	fingerprint string
}

// makeKey makes one, and the user's request for it in the inventory's folder.
func (f *fixture) makeKey(request, user string, groups ...string) ownKey {
	f.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		f.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		f.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: user, Organization: groups}}, key)
	if err != nil {
		f.Fatal(err)
	}
	sum := sha256.Sum256(public)
	k := ownKey{file: filepath.Join(f.TempDir(), "own.key"), fingerprint: hex.EncodeToString(sum[:])}
	for path, text := range map[string][]byte{
		k.file:                        pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		filepath.Join(f.dir, request): pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			f.Fatal(err)
		}
	}
	return k
}

// withKey is a user's kubeconfig out of Vault, into which they have put their key as the guide for users says.
func (f *fixture) withKey(user string, key ownKey) string {
	f.Helper()
	fields := slices.Sorted(maps.Keys(f.kv("users/" + user)))
	if diff := cmp.Diff([]string{"ca.crt", "kubeconfig", "tls.crt"}, fields); diff != "" {
		f.Errorf("users/%s: %s", user, diff)
	}
	path := f.userKubeconfig(user)
	text, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	if strings.Contains(string(text), "client-key") {
		f.Errorf("the kubeconfig in users/%s has a key", user)
	}
	if _, err := f.tryKubectl(path, "config", "set-credentials", user+"@e2e", "--client-key="+key.file); err != nil {
		f.Fatal(err)
	}
	return path
}

// TestOwnKey is the life of a user whose key never leaves them: a certificate, another key, other groups, the end.
func TestOwnKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	alice := "alice@" + f.owner
	const inventory = `
cluster: CLUSTER
groups: [{name: devs-OWNER, clusterRoles: [view]}]
users:
  - {name: alice@OWNER, groups: [devs-OWNER], request: alice.csr}
  - {name: bob@OWNER, clusterRoles: [view]}
`
	first := f.makeKey("alice.csr", alice, "devs-"+f.owner)
	f.write(inventory)
	if r := f.must(0, "plan"); !strings.Contains(r.stdout, "sha256:"+first.fingerprint) {
		t.Errorf("the plan does not show the key: %s", r.stdout)
	}
	f.must(0, "apply", "--yes")
	before := f.withKey(alice, first)
	if who := f.whoami(before, "e2e"); who != alice+` ["devs-`+f.owner+`","system:authenticated"]` {
		t.Errorf("the API server sees %s", who)
	}
	f.allowed(before, "get", "pods", "-A")
	f.allowed(f.userKubeconfig("bob@"+f.owner), "get", "pods", "-A")
	if p := f.plan(); p.Changes {
		t.Errorf("left: %q", p.steps())
	}

	second := f.makeKey("alice.csr", alice, "devs-"+f.owner)
	if diff := cmp.Diff([]string{"reissue " + alice + " request-changed"}, f.plan().steps()); diff != "" {
		t.Error(diff)
	}
	f.must(0, "apply", "--yes")
	f.allowed(f.withKey(alice, second), "get", "pods", "-A")
	if diff := cmp.Diff([]string{"current", "superseded"}, f.statuses(alice)); diff != "" {
		t.Error(diff)
	}
	if r := f.must(0, "status", "--user="+alice); !strings.Contains(r.stdout, first.fingerprint) || !strings.Contains(r.stdout, second.fingerprint) {
		t.Errorf("status does not show the keys: %s", r.stdout)
	}

	// Other groups need another request, and the message says how to make it.
	f.write(strings.Replace(inventory, "groups: [devs-OWNER], ", "", 1))
	if r := f.must(1, "apply", "--yes"); !strings.Contains(r.stderr, `openssl req -new -key KEY -subj /CN=`+alice+` -out alice.csr`) {
		t.Errorf("a request for other groups: %s", r.stderr)
	}

	f.write("cluster: CLUSTER\nusers: [{name: bob@OWNER, clusterRoles: [view]}]")
	f.must(0, "apply", "--yes", "--max-removals=1")
	f.forbidden(before, "get", "pods", "-A")
	if state, _ := f.record(alice); state != "removed" || f.kv("users/"+alice) != nil {
		t.Errorf("alice's record: %s", state)
	}
	if diff := cmp.Diff([]string{"revoked", "revoked"}, f.statuses(alice)); diff != "" {
		t.Error(diff)
	}
}

// TestRenamedWithAnotherKey: a key that is exchanged along with a rename is among what a comment shows first.
func TestRenamedWithAnotherKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.makeKey("alice.csr", "alice@"+f.owner)
	f.write("users: [{name: alice@OWNER, clusterRoles: [view], request: alice.csr}]")
	f.must(0, "apply", "--yes")
	key := f.makeKey("alicia.csr", "alicia@"+f.owner)
	f.write("users: [{name: alicia@OWNER, previously: [alice@OWNER], clusterRoles: [view], request: alicia.csr}]")
	first, _, _ := strings.Cut(f.must(0, "plan", "-o", "markdown").stdout, "| who |")
	want := "- **Key changed**: `alicia@" + f.owner + "`: issue certificate for 168h, for the user's own key `sha256:" + key.fingerprint + "` (renamed, request-changed)\n"
	if !strings.Contains(first, want) {
		t.Errorf("does not say %q: %s", want, first)
	}
	f.must(0, "apply", "--yes")
	f.allowed(f.withKey("alicia@"+f.owner, key), "get", "pods", "-A")
}

// TestOwnKeyOutlivesTheRun: certsync is killed between the approval and the ledger. The certificate comes to be, and its
// user can use it: the ledger has known of it all the while, and the next run finishes.
func TestOwnKeyOutlivesTheRun(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	alice := "alice@" + f.owner
	key := f.makeKey("alice.csr", alice)
	f.write("cluster: CLUSTER\nusers: [{name: alice@OWNER, clusterRoles: [view], expiration: 24h, request: alice.csr}]")
	f.killed(func(c harness.Call) bool { return strings.HasSuffix(c.Path, "/approval") })

	state, certificates := f.record(alice)
	if state != "active" || len(certificates) != 1 || f.kv("users/"+alice) != nil {
		t.Fatalf("the record is %s, with %v", state, certificates)
	}
	entry := certificates[0]
	ref, _ := entry["csr"].(map[string]any)
	name, _ := ref["name"].(string)
	if entry["status"] != "requested" || entry["certificate"] != "" || entry["publicKeySHA256"] != key.fingerprint {
		t.Errorf("the entry is %v", entry)
	}
	var chain []byte
	eventually(t, 30*time.Second, "the signer", func() bool {
		csr, err := f.client().CertificatesV1().CertificateSigningRequests().Get(t.Context(), name, metav1.GetOptions{})
		if err != nil || string(csr.UID) != ref["uid"] {
			t.Fatalf("CertificateSigningRequest %q with UID %v: %v", name, ref["uid"], err)
		}
		chain = csr.Status.Certificate
		return len(chain) > 0
	})
	block, _ := pem.Decode(chain)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	until, err := time.Parse(time.RFC3339, entry["notAfter"].(string))
	if err != nil || until.Before(cert.NotAfter) || until.After(cert.NotAfter.Add(51*time.Hour)) {
		t.Errorf("it lives until %s and is accounted for until %s (%v)", cert.NotAfter, until, err)
	}

	f.breakLock()
	if r := f.must(0, "status", "--user="+alice); !strings.Contains(r.stdout, "certificate requested, may exist") {
		t.Errorf("status: %s", r.stdout)
	}
	f.must(0, "apply", "--yes")
	f.allowed(f.withKey(alice, key), "get", "pods", "-A")
	if diff := cmp.Diff([]string{"current", "superseded"}, f.statuses(alice)); diff != "" {
		t.Error(diff)
	}
	if p := f.plan(); p.Changes {
		t.Errorf("left: %q", p.steps())
	}
}

// killed runs an apply that is killed once the server has done that call, and before the answer.
func (f *fixture) killed(at func(harness.Call) bool) {
	f.Helper()
	proxy, err := f.servers.StartProxy()
	if err != nil {
		f.Fatal(err)
	}
	defer func() {
		if err := proxy.Stop(); err != nil {
			f.Error(err)
		}
	}()
	kubeconfig, err := proxy.UserKubeconfig("certsync-"+f.owner, []string{"system:masters"})
	if err != nil {
		f.Fatal(err)
	}
	cmd, started := f.command(f.Context(), "apply", "--yes"), make(chan struct{})
	cmd.Env = append(cmd.Env, "KUBECONFIG="+kubeconfig)
	proxy.Intercept(func(c harness.Call) harness.Fault {
		if !at(c) {
			return harness.Fault{}
		}
		return harness.Fault{Drop: harness.AfterServer, Do: func() { <-started; _ = cmd.Process.Kill() }}
	})
	finish := f.start(cmd)
	close(started)
	if r := finish(); r.code != -1 {
		f.Fatalf("exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}
