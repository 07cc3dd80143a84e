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
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// world is a cluster and a Vault in memory that keep the servers' semantics: UIDs and resourceVersions as
// preconditions, check-and-set, soft delete, destroyed versions. It logs every call and can fail any of them.
type world struct {
	t   testing.TB
	mu  sync.Mutex
	now time.Time

	serial   int // of UIDs and resourceVersions
	bindings map[string]Binding
	roles    map[string]bool
	spaces   map[string]bool
	requests []Request
	issued   []*x509.Certificate // all that there ever were
	lost     error               // what Issue answers although the certificate is there; nil: it answers with that
	endpoint Endpoint
	caKey    crypto.Signer
	ca       *x509.Certificate

	generation   int64 // what the lock says
	frontProxy   FrontProxy
	skew         time.Duration
	lose         context.CancelCauseFunc // takes the lock away
	state        *State
	stateVersion int
	ledger       map[string]*secret
	users        map[string]*secret

	calls []string
	// fail is asked before every call, done after it; an error is the answer.
	fail func(call string) error
	// sign changes what the signer issues.
	sign func(*x509.Certificate)
	// issuer takes the place of the cluster's signer; nil: the world is it.
	issuer Issuer
	// withoutCanary is the executor's.
	withoutCanary bool
	// login changes who the API server takes a new certificate for.
	login func(Identity) (Identity, error)
	// rules are the flags of the next run.
	rules Rules
	hold  bool
	// unseen is Apply's. consent is asked instead of agreeing to everything, unless it is nil.
	unseen  bool
	consent func(Plan) error
	// lacks is what the reviewers say.
	lacks      []Permission
	storeLacks []string
}

func newWorld(t testing.TB) *world {
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
		return strings.HasPrefix(c, "observe") || strings.HasPrefix(c, "review") || strings.HasSuffix(c, "lock")
	})
}

func (w *world) ObserveCluster(_ context.Context, _ string) (ClusterView, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call("observe cluster"); err != nil {
		return ClusterView{}, err
	}
	v := ClusterView{UID: "cluster-1", Endpoint: w.endpoint, ClusterRoles: w.roles, Namespaces: w.spaces, Requests: w.requests,
		Clock: w.now.Add(w.skew), Generation: w.generation, FrontProxy: w.frontProxy}
	for _, b := range w.bindings { // in map order: Diff must not care
		b.Subjects = slices.Clone(b.Subjects)
		v.Bindings = append(v.Bindings, b)
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

func (w *world) UpdateBinding(_ context.Context, b Binding, subjects []Subject) (Binding, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call("update %s%s", b.Object(), names(subjects)); err != nil {
		return Binding{}, err
	}
	has, ok := w.bindings[b.Object()]
	if !ok || has.UID != b.UID {
		return Binding{}, fmt.Errorf("updating %s: %w", b.Object(), ErrPrecondition)
	}
	if has.ResourceVersion != b.ResourceVersion {
		subjects = Rebase(b.Subjects, subjects, has.Subjects)
	}
	has.Subjects, has.ResourceVersion = slices.Clone(subjects), w.next()
	w.bindings[b.Object()] = has
	return has, nil
}

func (w *world) AdoptBinding(_ context.Context, b Binding, owner string) (Binding, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call("adopt %s", b.Object()); err != nil {
		return Binding{}, err
	}
	has, ok := w.bindings[b.Object()]
	if !ok || has.UID != b.UID || has.ResourceVersion != b.ResourceVersion {
		return Binding{}, fmt.Errorf("adopting %s: %w", b.Object(), ErrPrecondition)
	}
	has.ManagedBy, has.Owner, has.ResourceVersion = ManagedByValue, owner, w.next()
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
	ref := CSRRef{Name: "certsync-" + w.next(), UID: w.next()}
	if err := w.created(req, ref); err != nil {
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
	w.issued = append(w.issued, leaf)
	if w.lost != nil {
		return Issued{}, w.lost
	}
	return Issued{Chain: []byte(leafPEM(leaf)), CSR: ref}, nil
}

// created tells of a request, without the lock: who is told writes to the world.
func (w *world) created(req CertificateRequest, ref CSRRef) error {
	w.mu.Unlock()
	defer w.mu.Lock()
	return req.NoteCreated(context.Background(), ref)
}

// Permissions: the adapters know theirs; the world's signer wants one.
func (w *world) Permissions() []Permission {
	return []Permission{{Verb: "create", Group: "certificates.k8s.io", Resource: "certificatesigningrequests"}}
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

// Acquire makes the world the lock as well: nobody else runs.
func (w *world) Acquire(context.Context) (Lock, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w, w.call("lock")
}

func (w *world) Held(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	w.lose = cancel
	return ctx, func() { cancel(nil) }
}

func (w *world) Record(_ context.Context, generation int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.generation = generation
	return nil
}

func (w *world) Release(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.call("unlock")
}

func (w *world) Denied(context.Context, []Permission) ([]Permission, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lacks, w.call("review access")
}
