package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrPrecondition is wrapped by every write that found the object at another version than the one observed. Nothing
// was written, unless ErrRepeated is there too; the next run sees what is there now.
var ErrPrecondition = errors.New("somebody else changed it at the same time")

// ErrDenied is wrapped by Issuer.Issue when somebody denied the CertificateSigningRequest, and is what a Denial is.
var ErrDenied = errors.New("the CertificateSigningRequest was denied")

// Denial is wrapped by Issuer.Issue beside ErrDenied: what Kubernetes records of a denial, which does not include by whom.
type Denial struct {
	Request string // name of the CertificateSigningRequest
	Reason  string // of the condition
	Message string // of the condition
	At      time.Time
}

func (d Denial) Error() string {
	return fmt.Sprintf("CertificateSigningRequest %s was denied at %s: %q (reason %q)",
		d.Request, TimeText(d.At), d.Message, d.Reason)
}

// Is makes a Denial an ErrDenied.
func (d Denial) Is(target error) bool { return target == ErrDenied }

// ErrNotApproved is wrapped by Issuer.Issue when people were to approve the request and nobody did in time. The request is
// deleted.
var ErrNotApproved = errors.New("nobody approved the CertificateSigningRequest in time")

// ErrNotIssued is wrapped by Issuer.Issue when the signer did not issue in time. It is about the signer, not about the
// user.
var ErrNotIssued = errors.New("the signer did not issue the certificate in time")

// ErrNotTrusted is wrapped by Authenticator.Authenticate when the API server does not take a certificate of its own
// signer for whom it names.
var ErrNotTrusted = errors.New("the API server does not trust the new certificate")

// ClusterReader reads the cluster. plan is given nothing else of it.
type ClusterReader interface {
	ObserveCluster(ctx context.Context, owner string) (ClusterView, error)
}

// StoreReader reads Vault: ledger, state and the metadata of users/. It never reads a key.
type StoreReader interface {
	ObserveStore(ctx context.Context) (StoreView, error)
}

// ErrRepeated is wrapped, beside ErrPrecondition, by a write that was sent more than once. It may have met its own first attempt.
var ErrRepeated = errors.New("it was sent more than once")

// ErrAltered is wrapped by a write that the API server has carried out, but not as it was meant. The result is what it made.
var ErrAltered = errors.New("the API server stored something else")

// ErrGone is wrapped, beside ErrPrecondition, by a write to an object that is not there any more.
var ErrGone = errors.New("it no longer exists")

// BindingWriter changes bindings. Create fails with ErrPrecondition if the name is taken, Update and Delete if the
// object is not b.UID any more.
//
// Update changes b.Subjects, as they were observed, into subjects, puts certsync's labels back, and leaves others' labels and
// annotations alone. If the binding has changed since b.ResourceVersion, Update makes the same removals and additions in
// its present subjects: somebody who may patch a binding must not be able to keep it by touching it. Delete asks for the
// UID alone for the same reason.
// It takes the finalizers out of a binding that they keep, and returns nil only when that object is gone.
//
// Create and Update return what the API server made of it.
type BindingWriter interface {
	CreateBinding(ctx context.Context, b Binding) (Binding, error)
	UpdateBinding(ctx context.Context, b Binding, subjects []Subject) (Binding, error)
	DeleteBinding(ctx context.Context, b Binding) error // a binding that is gone already is no error
}

// Issuer turns a PKCS#10 request into a certificate.
type Issuer interface {
	// Issue returns once the certificate is there, or with an error that names the CertificateSigningRequest and says
	// what became of it. It approves nothing but the object that it created itself.
	Issue(ctx context.Context, req CertificateRequest) (Issued, error)
	// Permissions lists what Issue needs to be allowed in Kubernetes.
	Permissions() []Permission
}

// CertificateRequest is one certificate to be issued.
type CertificateRequest struct {
	Username   string        // the CN
	CSR        []byte        // PKCS#10, PEM
	Expiration time.Duration // asked for; the signer may shorten it
	Within     time.Duration // how long to wait for the signer after the approval

	// Created is called when the request exists, before anything approves or signs it, and gets no name where there is no
	// CertificateSigningRequest. If it fails, Issue fails: the request is neither approved nor shown to people, and deleted.
	// Nil: nobody wants to know.
	Created func(ctx context.Context, csr CSRRef) error
}

// NoteCreated calls Created, if somebody wants to know.
func (r CertificateRequest) NoteCreated(ctx context.Context, csr CSRRef) error {
	if r.Created == nil {
		return nil
	}
	return r.Created(ctx, csr)
}

// Issued is what came of a CertificateRequest.
type Issued struct {
	Chain []byte // PEM, leaf first
	CSR   CSRRef
}

// Authenticator logs in to the cluster with a new credential over certsync's own connection, only the client
// certificate swapped, and returns who the API server takes it for. When the API server only says "forbidden" to a
// name, Groups is nil.
type Authenticator interface {
	Authenticate(ctx context.Context, chain []byte, key Secret) (Identity, error)
}

// Identity is who the API server takes somebody for.
type Identity struct {
	Name   string
	Groups []string
}

// KubeconfigWriter renders a kubeconfig with cluster and context e.Name, user <user>@<e.Name>, and all data inline. With
// the zero Secret it is without a key, which its user puts in.
type KubeconfigWriter interface {
	Kubeconfig(e Endpoint, user string, chain []byte, key Secret) (Secret, error)
}

// StoreWriter changes Vault. cas is the KV version that was observed (0: none yet) and every data write is
// check-and-set; a mismatch is ErrPrecondition.
type StoreWriter interface {
	WriteState(ctx context.Context, s State, cas int) error
	WriteRecord(ctx context.Context, r Record, cas int) (version int, err error)
	WriteCredential(ctx context.Context, user string, c Credential, cas int) (version int, err error)
	// DestroyVersions erases the named versions for good.
	DestroyVersions(ctx context.Context, user string, versions []int) error
	// DeleteCredential writes an empty version with cas, then deletes the metadata with all versions: the metadata's
	// delete takes no cas, and must not take a version with it that was written meanwhile.
	DeleteCredential(ctx context.Context, user string, cas int) error
	// DeleteRecord does the same for ledger/<user>.
	DeleteRecord(ctx context.Context, user string, cas int) error
}

// AccessReviewer asks the API server what certsync itself may do (SelfSubjectAccessReview), before the first write.
type AccessReviewer interface {
	// Denied returns those of want that are not allowed.
	Denied(ctx context.Context, want []Permission) ([]Permission, error)
}

// Permission is one thing to be allowed in Kubernetes.
type Permission struct {
	Verb        string
	Group       string // API group; empty is the core group
	Resource    string
	Subresource string
	Namespace   string // empty: cluster-wide
	Name        string // empty: any
}

// StoreReviewer asks Vault what certsync's token may do (sys/capabilities-self), before the first write.
type StoreReviewer interface {
	// MissingCapabilities returns a sentence for each path where needs are not met, such as
	// `"create" on secret/data/certsync/prod-eu/state`.
	MissingCapabilities(ctx context.Context, needs StoreNeeds) ([]string, error)
}

// StoreNeeds lists the users whose entries a plan writes, beside the state.
type StoreNeeds struct {
	Record     []string // ledger/<user> is written
	Credential []string // users/<user> is written, older versions destroyed
	Delete     []string // users/<user> is deleted
	Purge      []string // ledger/<user> is deleted
	Read       []string // ledger/<user> and the metadata of users/<user> are read, the folders listed, the state read
}

// Name is how errors name what was issued.
func (i Issued) Name() string {
	if i.CSR.Name == "" {
		return "the new certificate"
	}
	return fmt.Sprintf("the certificate of CertificateSigningRequest %q", i.CSR.Name)
}

// Credential is what stands at users/<user>: the fields kubeconfig, tls.crt, tls.key and ca.crt. Without Key, the key has
// never left its user, and the kubeconfig holds none either.
type Credential struct {
	Kubeconfig  Secret
	Certificate []byte // PEM chain
	Key         Secret // PEM: SEC 1 for ECDSA, PKCS#1 for RSA. PKCS#8 is read too: earlier versions of certsync wrote it
	CA          []byte // PEM
}
