package reconcile

import (
	"context"
	"time"
)

// AdmissionPolicy is the kind of the object that denies the writes of revoked certificates.
const AdmissionPolicy BindingKind = "ValidatingAdmissionPolicy"

// RevocationPolicyName is the name of an owner's ValidatingAdmissionPolicy for revoked certificates, and of its binding.
func RevocationPolicyName(owner string) string { return LockName(owner) + "-revoked" }

// RevokedCertificate is an entry of a list of revoked certificates. It denies the certificate with this fingerprint only
// together with this name, so that nobody can have somebody else's certificate denied.
type RevokedCertificate struct {
	Username string
	SHA256   string    // hex, of the DER; the API server's credential-id
	Until    time.Time // the certificate's own end, in whole seconds
}

// RevocationPolicy is an owner's ValidatingAdmissionPolicy, as it was observed. Only cluster administrators can write it.
type RevocationPolicy struct {
	UID             string
	ResourceVersion string
	Entries         []RevokedCertificate // sorted
	// Changed: the list has what certsync does not write. The next run writes it anew.
	Changed bool
	// Problem says why the policy denies nothing, or not what it should; "": it is in force.
	Problem string
}

// PolicyWriter changes the list of an owner's RevocationPolicy, and returns the policy as it is then. The write fails with
// ErrPrecondition if the object is not p.UID at p.ResourceVersion any more. It never creates the policy.
type PolicyWriter interface {
	WriteRevocations(ctx context.Context, owner string, p RevocationPolicy, entries []RevokedCertificate) (RevocationPolicy, error)
}
