package reconcile

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certsync/certsync/inventory"
)

// world is a cluster and a Vault in memory that keep the servers' semantics: UIDs and resourceVersions as
// preconditions, check-and-set, soft delete, destroyed versions. It logs every call and can fail any of them.
type world struct {
	t   *testing.T
	mu  sync.Mutex
	now time.Time

	serial   int // of UIDs and resourceVersions
	bindings map[string]Binding
	roles    map[string]bool
	spaces   map[string]bool
	requests []Request
	endpoint Endpoint
	caKey    crypto.Signer
	ca       *x509.Certificate

	state        *State
	stateVersion int
	ledger       map[string]*secret
	users        map[string]*secret

	calls []string
	// fail is asked before every call, done after it; an error is the answer.
	fail func(call string) error
	// sign changes what the signer issues.
	sign func(*x509.Certificate)
	// login changes who the API server takes a new certificate for.
	login func(Identity) (Identity, error)
	// lifts are the flags of the next run.
	lifts Lifts
	// lacks is what the reviewers say.
	lacks      []Permission
	storeLacks []string
}

// secret is one KV v2 entry.
type secret struct {
	current  int
	versions map[int]*kvVersion
}

type kvVersion struct {
	record             *Record
	credential         *Credential
	deleted, destroyed bool
}

func newWorld(t *testing.T) *world {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		bindings: map[string]Binding{}, ledger: map[string]*secret{}, users: map[string]*secret{},
		roles:  map[string]bool{"view": true, "edit": true, "admin": true},
		spaces: map[string]bool{"staging": true, "payments": true},
		caKey:  key,
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: w.now.AddDate(-1, 0, 0), NotAfter: w.now.AddDate(9, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if w.ca, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	w.endpoint = Endpoint{Name: "test", Server: "https://k8s.example.com:6443", CA: []byte(leafPEM(w.ca))}
	return w
}

// call logs a call and returns the fault that the test wants there.
func (w *world) call(format string, args ...any) error {
	name := fmt.Sprintf(format, args...)
	w.calls = append(w.calls, name)
	if w.fail != nil {
		return w.fail(name)
	}
	return nil
}

func (w *world) next() string {
	w.serial++
	return fmt.Sprint(w.serial)
}

// writes lists the calls that changed something.
func (w *world) writes() []string {
	return slices.DeleteFunc(slices.Clone(w.calls), func(c string) bool {
		return strings.HasPrefix(c, "observe") || strings.HasPrefix(c, "review")
	})
}

func (w *world) ObserveCluster(_ context.Context, _ string) (ClusterView, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call("observe cluster"); err != nil {
		return ClusterView{}, err
	}
	v := ClusterView{UID: "cluster-1", Endpoint: w.endpoint, ClusterRoles: w.roles, Namespaces: w.spaces, Requests: w.requests}
	for _, b := range w.bindings { // in map order: Diff must not care
		b.Subjects = slices.Clone(b.Subjects)
		v.Bindings = append(v.Bindings, b)
	}
	return v, nil
}

func (w *world) ObserveStore(context.Context) (StoreView, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call("observe store"); err != nil {
		return StoreView{}, err
	}
	v := StoreView{State: w.state, StateVersion: w.stateVersion, Ledger: map[string]LedgerEntry{}, Credentials: map[string]CredentialMeta{}}
	for user, s := range w.ledger {
		e := LedgerEntry{Version: s.current}
		if cur := s.versions[s.current]; !cur.deleted && !cur.destroyed {
			rec := *cur.record
			rec.Certificates = slices.Clone(rec.Certificates)
			e.Record = &rec
			if rec.User != user {
				e = LedgerEntry{Version: s.current, Problem: fmt.Sprintf("it is the record of %q", rec.User)}
			}
		}
		v.Ledger[user] = e
	}
	for user, s := range w.users {
		m := CredentialMeta{CurrentVersion: s.current}
		for n, kv := range s.versions {
			m.Versions = append(m.Versions, CredentialVersion{Version: n, Deleted: kv.deleted, Destroyed: kv.destroyed})
		}
		slices.SortFunc(m.Versions, func(a, b CredentialVersion) int { return a.Version - b.Version })
		v.Credentials[user] = m
	}
	return v, nil
}

func (w *world) CreateBinding(_ context.Context, b Binding) (Binding, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call("create %s%s", b.Object(), names(b.Subjects)); err != nil {
		return Binding{}, err
	}
	if _, taken := w.bindings[b.Object()]; taken {
		return Binding{}, fmt.Errorf("creating %s: %w", b.Object(), ErrPrecondition)
	}
	b.UID, b.ResourceVersion = w.next(), w.next()
	w.bindings[b.Object()] = b
	return b, nil
}

func (w *world) UpdateBinding(_ context.Context, b Binding) (Binding, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call("update %s%s", b.Object(), names(b.Subjects)); err != nil {
		return Binding{}, err
	}
	has, ok := w.bindings[b.Object()]
	if !ok || has.UID != b.UID || has.ResourceVersion != b.ResourceVersion {
		return Binding{}, fmt.Errorf("updating %s: %w", b.Object(), ErrPrecondition)
	}
	has.Subjects, has.ResourceVersion = slices.Clone(b.Subjects), w.next()
	w.bindings[b.Object()] = has
	return has, nil
}

func (w *world) DeleteBinding(_ context.Context, b Binding) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call("delete %s", b.Object()); err != nil {
		return err
	}
	has, ok := w.bindings[b.Object()]
	if ok && has.UID != b.UID {
		return fmt.Errorf("deleting %s: %w", b.Object(), ErrPrecondition)
	}
	delete(w.bindings, b.Object())
	return nil
}

func (w *world) Issue(_ context.Context, req CertificateRequest) (Issued, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call("issue %s within %s", req.User, req.Within); err != nil {
		return Issued{}, err
	}
	block, _ := pem.Decode(req.CSR)
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return Issued{}, err
	}
	w.serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(w.serial)), Subject: csr.Subject,
		NotBefore: w.now.Add(-5 * time.Minute), NotAfter: w.now.Add(req.Expiration),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if w.sign != nil {
		w.sign(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, w.ca, csr.PublicKey, w.caKey)
	if err != nil {
		return Issued{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return Issued{}, err
	}
	return Issued{Chain: []byte(leafPEM(leaf)), CSR: CSRRef{Name: "certsync-" + w.next(), UID: w.next()}}, nil
}

func (w *world) Authenticate(_ context.Context, chain []byte, _ Secret) (Identity, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	leaf, err := parseLeaf(chain)
	if err != nil {
		return Identity{}, err
	}
	if err := w.call("login %s", leaf.Subject.CommonName); err != nil {
		return Identity{}, err
	}
	id := Identity{Name: leaf.Subject.CommonName, Groups: append([]string{"system:authenticated"}, leaf.Subject.Organization...)}
	if w.login != nil {
		return w.login(id)
	}
	return id, nil
}

func (w *world) Kubeconfig(e Endpoint, user string, _ []byte, _ Secret) (Secret, error) {
	return NewSecret([]byte(e.Server + " " + user)), nil
}

func (w *world) Denied(context.Context, []Permission) ([]Permission, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lacks, w.call("review access")
}

func (w *world) MissingCapabilities(context.Context, StoreNeeds) ([]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.storeLacks, w.call("review store")
}

func (w *world) WriteState(_ context.Context, s State, cas int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call("write state"); err != nil {
		return err
	}
	if cas != w.stateVersion {
		return ErrPrecondition
	}
	w.state, w.stateVersion = &s, cas+1
	return nil
}

// put is a check-and-set write.
func (w *world) put(in map[string]*secret, user string, v kvVersion, cas int) (int, error) {
	s := in[user]
	if s == nil {
		s = &secret{versions: map[int]*kvVersion{}}
	}
	if s.current != cas {
		return 0, fmt.Errorf("writing %s: %w", user, ErrPrecondition)
	}
	s.current++
	s.versions[s.current] = &v
	in[user] = s
	return s.current, nil
}

func (w *world) WriteRecord(_ context.Context, r Record, cas int) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call("record %s %s", r.User, r.State); err != nil {
		return 0, err
	}
	return w.put(w.ledger, r.User, kvVersion{record: &r}, cas)
}

func (w *world) WriteCredential(_ context.Context, user string, c Credential, cas int) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call("store %s", user); err != nil {
		return 0, err
	}
	return w.put(w.users, user, kvVersion{credential: &c}, cas)
}

func (w *world) DestroyVersions(_ context.Context, user string, versions []int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(versions) == 0 {
		return nil
	}
	if err := w.call("destroy %s %v", user, versions); err != nil {
		return err
	}
	for _, n := range versions {
		w.users[user].versions[n] = &kvVersion{destroyed: true}
	}
	return nil
}

func (w *world) DeleteCredential(_ context.Context, user string, cas int) error {
	return w.erase(w.users, "erase", user, cas)
}

func (w *world) DeleteRecord(_ context.Context, user string, cas int) error {
	return w.erase(w.ledger, "forget", user, cas)
}

func (w *world) erase(from map[string]*secret, verb, user string, cas int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call("%s %s", verb, user); err != nil {
		return err
	}
	if s := from[user]; s != nil && s.current != cas {
		return ErrPrecondition
	}
	delete(from, user)
	return nil
}

// apply is one run of certsync with the world as everything around it.
func (w *world) apply(inv *inventory.Inventory) (Outcome, error) {
	return w.applyWith(inv, 1, func(Plan) error { return nil })
}

func (w *world) applyWith(inv *inventory.Inventory, workers int, consent func(Plan) error) (Outcome, error) {
	w.calls = nil
	a := Apply{
		Cluster: w, Store: w, Access: w, StoreAccess: w, Consent: consent, Self: Identity{Name: "certsync"}, Lifts: w.lifts,
		Executor: &Executor{
			Bindings: w, Store: w, Issuer: w, Login: w, Kubeconfigs: w, Random: rand.Reader,
			Now: func() time.Time { return w.now }, Workers: workers, RunID: "run-1",
		},
	}
	return a.Do(context.Background(), inv)
}

// mustApply fails the test unless everything was done.
func (w *world) mustApply(inv *inventory.Inventory) Outcome {
	w.t.Helper()
	o, err := w.apply(inv)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range o.Events {
		if e.Result != Done {
			w.t.Fatalf("%s %s %s: %s", e.Action, e.User, e.Object, e.Error)
		}
	}
	return o
}

func (w *world) plan(inv *inventory.Inventory) Plan {
	w.t.Helper()
	p, err := MakePlan(context.Background(), inv, w, w, w.lifts, func() time.Time { return w.now })
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// lines is a plan in a form that a test can spell out: "action who object (reasons) +added -removed !held".
func lines(p Plan) []string {
	out := []string{}
	for _, s := range p.Steps {
		l := string(s.Action) + " " + s.User + s.Group
		if s.Object != "" {
			l += " " + strings.ReplaceAll(s.Object, "certsync:"+p.Owner+":", "")
		}
		l += fmt.Sprint(" ", s.Reasons)
		if d := s.Detail; d != nil {
			for _, a := range d.Add {
				l += " +" + a
			}
			for _, r := range d.Remove {
				l += " -" + r
			}
			if d.Versions != nil {
				l += fmt.Sprint(" versions ", d.Versions)
			}
		}
		if s.Held != "" {
			l += " held"
		}
		out = append(out, l)
	}
	return out
}

// kinds lists the notes as "kind who object".
func kinds(p Plan) []string {
	out := []string{}
	for _, n := range p.Notes {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s%s %s", n.Kind, n.User, n.Group, n.Object)))
	}
	return out
}

func parse(t *testing.T, text string) *inventory.Inventory {
	t.Helper()
	inv, err := inventory.Parse("users.yaml", []byte("apiVersion: certsync.dev/v1\nkind: Inventory\nowner: test\n"+text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

var errBoom = errors.New("boom")

// team is the inventory that most tests start from.
const team = `
groups:
  - {name: devs, clusterRoles: [view], namespaces: {staging: [edit]}}
users:
  - {name: alice, groups: [devs], clusterRoles: [admin]}
  - {name: bob, groups: [devs]}
  - {name: carol, namespaces: {payments: [edit]}}
`
