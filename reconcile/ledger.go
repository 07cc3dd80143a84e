package reconcile

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory/userkey"
)

// RecordVersion is the formatVersion of the ledger records that certsync writes. It also reads version 1, which had neither
// run nor revision, and one more state.
const RecordVersion = "2"

// RecordState says how a user stands.
type RecordState string

// The states of a ledger record.
const (
	// Active: the user is in the inventory, and has or gets a certificate.
	Active RecordState = "active"
	// Denied: the signing request was denied. certsync asks again only with --retry.
	Denied RecordState = "denied"
	// Removing: a removal has begun, and is not known to be complete.
	Removing RecordState = "removing"
	// Removed: everything is taken. The reason says whether the user left, or their term does not run (UntilPassed, FromAhead). The record
	// stays for LedgerRetention, so that a review can tell who left.
	Removed RecordState = "removed"
)

var recordStates = []RecordState{Active, Denied, Removing, Removed}

// lapsed was a state of version 1: Removed, since an end had passed.
const lapsed RecordState = "lapsed"

// LedgerRetention is how long the line of a user who left stays in the ledger. It is more than a year, for a yearly review.
const LedgerRetention = 400 * 24 * time.Hour

// CertificateStatus says what a certificate in the ledger is.
type CertificateStatus string

// The statuses of a certificate in the ledger.
const (
	// Requested: the certificate was asked for, for a key that is the user's own. Whether it exists is not known.
	Requested CertificateStatus = "requested"
	// Current: its key stands in users/<user>, or is the user's own.
	Current CertificateStatus = "current"
	// Superseded: it is not, or no longer, the current one.
	Superseded CertificateStatus = "superseded"
	// Revoked: its user was removed or renamed, or an end has passed. Kubernetes cannot revoke a certificate; certsync has taken
	// the bindings of its name.
	Revoked CertificateStatus = "revoked"
)

var certificateStatuses = []CertificateStatus{Requested, Current, Superseded, Revoked}

// Record is a user's public record at ledger/<user>. It holds every certificate of the user that is still live, and
// no key.
type Record struct {
	FormatVersion string             `json:"formatVersion"`
	User          string             `json:"user"`
	Epoch         int64              `json:"epoch"` // for people: of the certificate that was issued or asked for last
	State         RecordState        `json:"state"`
	Since         time.Time          `json:"since"` // when State began
	Reason        string             `json:"reason"`
	Run           string             `json:"run,omitempty"`      // that wrote it last, other than to clear what has expired
	Revision      string             `json:"revision,omitempty"` // the commit of that run's inventory, if it was told
	Kubeconfig    KubeconfigRef      `json:"kubeconfig"`
	Certificates  []CertificateEntry `json:"certificates"`
	// Erased is the version of users/<user> that a removal writes, empty, before it deletes the path. After a run that was cut off,
	// it tells certsync's version from somebody else's.
	Erased int `json:"erased,omitempty"`
}

// KubeconfigRef is what the stored kubeconfig was made for, so that a change of it is seen without reading the secret.
type KubeconfigRef struct {
	Cluster  string `json:"cluster"`
	Server   string `json:"server"`
	CASHA256 string `json:"caSHA256"` // hex, of the certificates in the bundle, sorted

	ProxyURL      string `json:"proxyURL,omitempty"`
	TLSServerName string `json:"tlsServerName,omitempty"`
}

// CertificateEntry is one certificate in a ledger record. Serial, SHA256, the times, epoch and groups are written
// for people; ParseRecord computes them anew from the PEM.
//
// An entry without PEM is about a certificate that was asked for, for a key that is the user's own, and of which nobody
// knows whether it came to be: NotAfter is then the latest time at which it can end, and there is neither a serial nor a
// SHA256.
type CertificateEntry struct {
	Status            CertificateStatus `json:"status"`
	Certificate       string            `json:"certificate"` // PEM, the leaf
	Serial            string            `json:"serial"`      // hex of whole bytes, with leading zeros, as OpenSSL prints it
	SHA256            string            `json:"sha256"`      // hex, of the DER; the API server's credential-id
	NotBefore         time.Time         `json:"notBefore"`
	NotAfter          time.Time         `json:"notAfter"`
	Epoch             int64             `json:"epoch"`    // of the certificate's name, see Username
	IssuedAt          time.Time         `json:"issuedAt"` // by certsync's clock; notBefore lies minutes earlier. Without PEM: when it was asked for
	Groups            []string          `json:"groups"`   // O, sorted
	KeyAlgorithm      string            `json:"keyAlgorithm"`
	CredentialVersion int               `json:"credentialVersion"` // KV version of users/<user> that holds its key
	CSR               CSRRef            `json:"csr"`
	// PublicKeySHA256 is the fingerprint (hex, of the SubjectPublicKeyInfo) of a key that is the user's own, and in no
	// other entry.
	PublicKeySHA256 string `json:"publicKeySHA256,omitempty"`
}

// CSRRef names the CertificateSigningRequest that a certificate came from.
type CSRRef struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
}

// maxCertificates bounds a record. A user who is renewed every ten minutes for a week has a thousand.
const maxCertificates = 2000

// ParseRecord reads what stands at ledger/<user>. Whoever may write there can write anything: what can be computed
// from a certificate is computed, and a certificate of somebody else is an error.
func ParseRecord(user string, data []byte) (*Record, error) {
	var r Record
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return nil, fmt.Errorf("reading the record: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("reading the record: something follows it")
	}
	if r.FormatVersion == "1" && r.State == lapsed {
		r.State, r.Reason = Removed, string(UntilPassed)
	}
	switch {
	case r.FormatVersion != "1" && r.FormatVersion != RecordVersion:
		return nil, fmt.Errorf("its formatVersion is %q, not %q", Shown(r.FormatVersion), RecordVersion)
	case r.User != user:
		return nil, fmt.Errorf("it is the record of %q", Shown(r.User))
	case !slices.Contains(recordStates, r.State):
		return nil, fmt.Errorf("its state is %q", Shown(string(r.State)))
	case r.Erased < 0:
		return nil, errors.New("its erased is negative")
	case len(r.Certificates) > maxCertificates:
		return nil, fmt.Errorf("it has %d certificates, more than %d", len(r.Certificates), maxCertificates)
	}
	if !inUTC(&r.Since) {
		return nil, errors.New("its since is a time that JSON cannot hold")
	}
	r.Reason, r.Run, r.Revision = Shown(r.Reason), Shown(r.Run), Shown(r.Revision)
	current := 0
	for i := range r.Certificates {
		if err := r.Certificates[i].complete(user); err != nil {
			return nil, fmt.Errorf("its certificates[%d]: %w", i, err)
		}
		if r.Certificates[i].Status == Current {
			current++
		}
	}
	if current > 1 {
		return nil, fmt.Errorf("it has %d current certificates", current)
	}
	return &r, nil
}

// complete computes what the PEM says and checks what only the record says.
func (e *CertificateEntry) complete(user string) error {
	if !slices.Contains(certificateStatuses, e.Status) {
		return fmt.Errorf("its status is %q", e.Status)
	}
	if e.CredentialVersion < 0 {
		return errors.New("its credentialVersion is negative")
	}
	if e.Certificate == "" {
		return e.completeRequested()
	}
	cert, err := ParseLeaf([]byte(e.Certificate))
	if err != nil {
		return err
	}
	if person, _ := Person(cert.Subject.CommonName); person != user {
		return fmt.Errorf("it is a certificate for %q", Shown(cert.Subject.CommonName))
	}
	e.Describe(cert)
	// Only the record says when it was issued. Signers set notBefore some minutes back; another time would move the
	// renewal.
	if !inUTC(&e.IssuedAt) || e.IssuedAt.Before(e.NotBefore) || e.IssuedAt.After(e.NotBefore.Add(time.Hour)) {
		e.IssuedAt = e.NotBefore
	}
	return nil
}

// Describe fills in all that a certificate says of itself.
func (e *CertificateEntry) Describe(cert *x509.Certificate) {
	sum := sha256.Sum256(cert.Raw)
	e.Serial = hex.EncodeToString(cert.SerialNumber.Bytes())
	e.SHA256 = hex.EncodeToString(sum[:])
	e.NotBefore, e.NotAfter = cert.NotBefore.UTC(), cert.NotAfter.UTC()
	_, e.Epoch = Person(cert.Subject.CommonName)
	e.Groups = SortedSet(cert.Subject.Organization)
	if e.PublicKeySHA256 != "" {
		e.PublicKeySHA256 = userkey.Fingerprint(cert.PublicKey)
	}
	e.KeyAlgorithm = string(userkey.AlgorithmOf(cert.PublicKey))
}

// Current returns the certificate whose key stands in users/<user>, or nil.
func (r *Record) Current() *CertificateEntry {
	for i := range r.Certificates {
		if r.Certificates[i].Status == Current {
			return &r.Certificates[i]
		}
	}
	return nil
}

// Last returns the certificate that is current, else the one that was issued last; nil without any, and without a record.
func (r *Record) Last() *CertificateEntry {
	if r == nil {
		return nil
	}
	if cur := r.Current(); cur != nil {
		return cur
	}
	var last *CertificateEntry
	for i, c := range r.Certificates {
		if last == nil || !c.IssuedAt.Before(last.IssuedAt) {
			last = &r.Certificates[i]
		}
	}
	return last
}

// Knows reports whether a version of users/<user> is certsync's, as far as the record tells.
func (r *Record) Knows(version int) bool {
	return r.Erased == version && version > 0 || slices.ContainsFunc(r.Certificates, func(c CertificateEntry) bool { return c.CredentialVersion == version })
}

// LiveUntil is when the record's last certificate expires, and false if none is live at now. One that was asked for counts
// for as long as it can live.
func (r *Record) LiveUntil(now time.Time) (time.Time, bool) {
	var last time.Time
	for _, c := range r.Certificates {
		if c.NotAfter.After(last) {
			last = c.NotAfter
		}
	}
	return last, last.After(now)
}

// Ended reports whether the record says that the user's access ended, or is about to, by a term: an `until` has passed, or a
// `from` was put off.
func (r *Record) Ended() bool {
	return r != nil && (r.State == Removed || r.State == Removing) && (r.Reason == string(UntilPassed) || r.Reason == string(FromAhead))
}

// Left reports whether the record says that the user left, which the end of a term is not.
func (r *Record) Left() bool {
	return r != nil && (r.State == Removed || r.State == Removing) && !r.Ended()
}
