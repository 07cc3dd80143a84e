package reconciletest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/pki"
)

// World is a cluster and a Vault in memory that keep the servers' semantics: UIDs and resourceVersions as
// preconditions, check-and-set, soft delete, destroyed versions. It logs every call and can fail any of them.
type World struct {
	T   testing.TB
	Mu  sync.Mutex
	Now time.Time

	serial    int // of UIDs and resourceVersions
	Bindings  map[string]reconcile.Binding
	Roles     map[string]bool
	RoleRules map[reconcile.Role][]reconcile.Rule
	Policy    *reconcile.RevocationPolicy  // for revoked certificates; nil: the cluster has none
	Spaces    map[string]bool              // namespaces; false: it is terminating
	Labels    map[string]map[string]string // of namespaces
	Requests  []reconcile.Request
	Issued    []*x509.Certificate // all that there ever were
	Lost      error               // what Issue answers although the certificate is there; nil: it answers with that
	Endpoint  reconcile.Endpoint
	CAKey     crypto.Signer
	CA        *x509.Certificate

	reconcile.Mark                      // what the lock says
	Revoked        map[string]time.Time // and whom it calls revoked
	Unleased       bool                 // somebody has deleted the Lease
	FrontProxy     reconcile.FrontProxy
	Skew           time.Duration
	Lose           context.CancelCauseFunc // takes the lock away
	State          *reconcile.State
	StateVersion   int
	StateProblem   error // why what stands in place of the state is none
	StateLimited   error // what a write of the state answers that Vault will delete, after it was written
	Ledger         map[string]*Secret
	Users          map[string]*Secret
	Calls          []string
	// Fail is asked before every call, done after it; an error is the answer.
	Fail func(call string) error
	// Sign changes what the signer issues.
	Sign func(*x509.Certificate)
	// Issuer takes the place of the cluster's signer; nil: the world is it.
	Issuer reconcile.Issuer
	// BeforeIssue, WithoutCanary, RunID and Revision are the executor's. The default of RunID is run-1.
	BeforeIssue     func(context.Context)
	WithoutCanary   bool
	RunID, Revision string
	// Alter is a mutating admission policy: it may change each binding that is written.
	Alter func(*reconcile.Binding)
	// Login changes who the API server takes a new certificate for.
	Login func(reconcile.Identity) (reconcile.Identity, error)
	// Rules are the flags of the next run.
	Rules reconcile.Rules
	// Hold and Unseen are Apply's. Consent is asked instead of agreeing to everything, unless it is nil.
	Hold, Unseen bool
	Begun        int // how often a run has said that its steps begin
	Consent      func(reconcile.Plan) error
	// Denies and StoreLacks are what the reviewers say.
	Denies     []reconcile.Permission
	StoreLacks []string
	Asked      []reconcile.Permission // that the reviewer was asked about last
	// Everybody is what the authorizer lets everybody do.
	Everybody access.Decision
}

func NewWorld(t testing.TB) *World {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := &World{
		T: t, Now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		Bindings: map[string]reconcile.Binding{}, Ledger: map[string]*Secret{}, Users: map[string]*Secret{},
		Roles:  map[string]bool{"view": true, "edit": true, "admin": true},
		Spaces: map[string]bool{"staging": true, "payments": true},
		CAKey:  key,
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: w.Now.AddDate(-1, 0, 0), NotAfter: w.Now.AddDate(9, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if w.CA, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	w.Endpoint = reconcile.Endpoint{Name: "test", Server: "https://k8s.example.com:6443", CA: []byte(pki.LeafPEM(w.CA))}
	return w
}

// call logs a call and returns the fault that the test wants there.
func (w *World) call(format string, args ...any) error {
	name := fmt.Sprintf(format, args...)
	w.Calls = append(w.Calls, name)
	if w.Fail != nil {
		return w.Fail(name)
	}
	return nil
}

func (w *World) Next() string {
	w.serial++
	return fmt.Sprint(w.serial)
}

// Writes lists the calls that changed something.
func (w *World) Writes() []string {
	return slices.DeleteFunc(slices.Clone(w.Calls), func(c string) bool {
		return strings.HasPrefix(c, "observe") || strings.HasPrefix(c, "review") || strings.HasSuffix(c, "lock")
	})
}

func (w *World) ObserveCluster(_ context.Context, _ string) (reconcile.ClusterView, error) {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	if err := w.call("observe cluster"); err != nil {
		return reconcile.ClusterView{}, err
	}
	v := reconcile.ClusterView{UID: "cluster-1", Endpoint: w.Endpoint, ClusterRoles: w.Roles, Rules: w.RoleRules, Namespaces: map[string]reconcile.Namespace{}, Requests: w.Requests,
		Clock: w.Now.Add(w.Skew), Mark: w.Mark, Leased: !w.Unleased, Revoked: maps.Clone(w.Revoked), FrontProxy: w.FrontProxy}
	if w.Policy != nil {
		policy := *w.Policy
		policy.Entries = slices.Clone(policy.Entries)
		v.Revocations = &policy
	}
	for name, open := range w.Spaces {
		v.Namespaces[name] = reconcile.Namespace{Labels: maps.Clone(w.Labels[name]), Open: open}
	}
	for _, b := range w.Bindings { // in map order: Diff must not care
		b.Subjects = slices.Clone(b.Subjects)
		v.Bindings = append(v.Bindings, b)
	}
	return v, nil
}

func (w *World) CreateBinding(_ context.Context, b reconcile.Binding) (reconcile.Binding, error) {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	if err := w.call("create %s%s", b.Object(), reconcile.SubjectNames(b.Subjects)); err != nil {
		return reconcile.Binding{}, err
	}
	if _, taken := w.Bindings[b.Object()]; taken {
		return reconcile.Binding{}, fmt.Errorf("creating %s: %w", b.Object(), reconcile.ErrPrecondition)
	}
	b.UID, b.ResourceVersion, b.CreatedAt = w.Next(), w.Next(), w.Now
	return w.store("creating", b)
}

func (w *World) UpdateBinding(_ context.Context, b reconcile.Binding, subjects []reconcile.Subject) (reconcile.Binding, error) {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	if err := w.call("update %s%s", b.Object(), reconcile.SubjectNames(subjects)); err != nil {
		return reconcile.Binding{}, err
	}
	has, ok := w.Bindings[b.Object()]
	if !ok {
		return reconcile.Binding{}, fmt.Errorf("updating %s: %w: %w", b.Object(), reconcile.ErrPrecondition, reconcile.ErrGone)
	}
	if has.UID != b.UID {
		return reconcile.Binding{}, fmt.Errorf("updating %s: %w", b.Object(), reconcile.ErrPrecondition)
	}
	if has.ResourceVersion != b.ResourceVersion {
		subjects = reconcile.Rebase(b.Subjects, subjects, has.Subjects)
	}
	has.Subjects, has.ResourceVersion = slices.Clone(subjects), w.Next()
	has.ManagedBy, has.Owner, has.Copied = reconcile.ManagedByValue, has.OwnerOf(), false
	return w.store("updating", has)
}

// store keeps what the admission policy makes of a binding.
func (w *World) store(doing string, b reconcile.Binding) (reconcile.Binding, error) {
	meant := b
	if w.Alter != nil {
		b.Subjects = slices.Clone(b.Subjects)
		w.Alter(&b)
	}
	w.Bindings[b.Object()] = b
	if !reflect.DeepEqual(b, meant) {
		return b, fmt.Errorf("%s %s: %w", doing, b.Object(), reconcile.ErrAltered)
	}
	return b, nil
}

func (w *World) DeleteBinding(_ context.Context, b reconcile.Binding) error {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	if err := w.call("delete %s", b.Object()); err != nil {
		return err
	}
	has, ok := w.Bindings[b.Object()]
	if ok && has.UID != b.UID {
		return fmt.Errorf("deleting %s: %w", b.Object(), reconcile.ErrPrecondition)
	}
	delete(w.Bindings, b.Object())
	return nil
}

func (w *World) Issue(_ context.Context, req reconcile.CertificateRequest) (reconcile.Issued, error) {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	if err := w.call("issue %s within %s", req.Username, req.Within); err != nil {
		return reconcile.Issued{}, err
	}
	block, _ := pem.Decode(req.CSR)
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return reconcile.Issued{}, err
	}
	ref := reconcile.CSRRef{Name: "certsync-" + w.Next(), UID: w.Next()}
	if err := w.created(req, ref); err != nil {
		return reconcile.Issued{}, err
	}
	w.serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(w.serial)), Subject: csr.Subject,
		NotBefore: w.Now.Add(-5 * time.Minute), NotAfter: w.Now.Add(req.Expiration),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if w.Sign != nil {
		w.Sign(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, w.CA, csr.PublicKey, w.CAKey)
	if err != nil {
		return reconcile.Issued{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return reconcile.Issued{}, err
	}
	w.Issued = append(w.Issued, leaf)
	if w.Lost != nil {
		return reconcile.Issued{}, w.Lost
	}
	return reconcile.Issued{Chain: []byte(pki.LeafPEM(leaf)), CSR: ref}, nil
}

// created tells of a request, without the lock: who is told writes to the world.
func (w *World) created(req reconcile.CertificateRequest, ref reconcile.CSRRef) error {
	w.Mu.Unlock()
	defer w.Mu.Lock()
	return req.NoteCreated(context.Background(), ref)
}

// Permissions: the adapters know theirs; the world's signer wants one.
func (w *World) Permissions() []reconcile.Permission {
	return []reconcile.Permission{{Verb: "create", Group: "certificates.k8s.io", Resource: "certificatesigningrequests"}}
}

func (w *World) Authenticate(_ context.Context, chain []byte, _ reconcile.Secret) (reconcile.Identity, error) {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	leaf, err := reconcile.ParseLeaf(chain)
	if err != nil {
		return reconcile.Identity{}, err
	}
	if err := w.call("login %s", leaf.Subject.CommonName); err != nil {
		return reconcile.Identity{}, err
	}
	id := reconcile.Identity{Name: leaf.Subject.CommonName, Groups: append([]string{"system:authenticated"}, leaf.Subject.Organization...)}
	if w.Login != nil {
		return w.Login(id)
	}
	return id, nil
}

func (w *World) Kubeconfig(e reconcile.Endpoint, user string, _ []byte, _ reconcile.Secret) (reconcile.Secret, error) {
	return reconcile.NewSecret([]byte(e.Server + " " + user)), nil
}

func (w *World) Denied(_ context.Context, want []reconcile.Permission) ([]reconcile.Permission, error) {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	w.Asked = want
	return w.Denies, w.call("review access")
}
