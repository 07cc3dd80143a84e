// Package issuing chooses the signer of certificates for a run.
//
// Begin at Flags: --issuer chooses between the cluster's signer and a CA whose key is in a file, and --approval says whether certsync
// or a person approves signing requests. Check refuses combinations that make no sense. ReadCA reads the CA's files, and Open
// returns the reconcile.Issuer. RunTime estimates how long a run takes: a token of Vault must last as long. Issuing itself is in
// packages csr and pki.
package issuing

import (
	"errors"
	"fmt"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/credentials"
	"github.com/certsync/certsync/cmd/certsync/internal/render"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube"
	"github.com/certsync/certsync/reconcile/kube/csr"
	"github.com/certsync/certsync/reconcile/pki"
)

// Flags choose the signer of certificates and the approval of signing requests.
type Flags struct {
	Issuer          string      `enum:"csr,ca" default:"csr" placeholder:"csr|ca" help:"Signer of certificates. csr: the cluster signs CertificateSigningRequests. ca: certsync signs with the CA's key (default: ${default})."`
	CACert          string      `name:"ca-cert" placeholder:"FILE" help:"With --issuer=ca: certificate of a CA that the API server trusts for clients."`
	CAKey           string      `name:"ca-key" placeholder:"FILE" help:"With --issuer=ca: private key of that CA, in a file that only you can read."`
	Approval        string      `enum:"auto,manual" default:"auto" placeholder:"auto|manual" help:"Approval of CertificateSigningRequests. auto: certsync approves. manual: a person approves with the kubectl commands that certsync prints (default: ${default})."`
	ApprovalTimeout WaitingTime `default:"10m" placeholder:"DURATION" help:"With --approval=manual: how long each request waits for approval (default: ${default})."`
}

// Check refuses combinations of flags that make no sense.
func (f Flags) Check() error {
	switch ca := f.Issuer == "ca"; {
	case ca && f.CACert == "":
		return errors.New("--issuer=ca requires the CA's certificate: set --ca-cert FILE")
	case ca && f.CAKey == "":
		return errors.New("--issuer=ca requires the CA's key: set --ca-key FILE")
	case ca && f.Manual():
		return errors.New("--approval=manual cannot be used with --issuer=ca: there are no requests to approve")
	case !ca && f.CACert != "":
		return errors.New("--ca-cert requires --issuer=ca")
	case !ca && f.CAKey != "":
		return errors.New("--ca-key requires --issuer=ca")
	case f.ApprovalTimeout == 0:
		return errors.New("--approval-timeout must be longer than 0s")
	}
	return nil
}

// RunTime is how long an apply for this many users may take. By default, Kubernetes' signer issues about 20 certificates a second.
func (f Flags) RunTime(users int) time.Duration {
	const rest, perUser = time.Minute, time.Second / 20
	t := rest + time.Duration(users)*perUser
	if f.Manual() {
		t += time.Duration(f.ApprovalTimeout)
	}
	return t.Round(time.Second)
}

// Manual reports whether people approve.
func (f Flags) Manual() bool { return f.Approval == "manual" }

// ReadCA returns the issuer of --issuer=ca, or nil for --issuer=csr.
func (f Flags) ReadCA() (reconcile.Issuer, error) {
	if f.Issuer != "ca" {
		return nil, nil
	}
	cert, err := credentials.ReadCertificateFile(f.CACert)
	if err != nil {
		return nil, fmt.Errorf("--ca-cert: %w", err)
	}
	key, err := credentials.ReadKeyFile(f.CAKey)
	if err != nil {
		return nil, fmt.Errorf("--ca-key: %w", err)
	}
	return pki.NewCAIssuer(cert, reconcile.NewSecret(key), time.Now)
}

// AskForApproval returns a function that prints the command which approves a signing request.
func AskForApproval(progress *render.Progress) func(user string, csr reconcile.CSRRef) {
	return func(user string, ref reconcile.CSRRef) { progress.AskForApproval(user, csr.ApproveCommand(ref)) }
}

// Open returns the issuer that the flags choose, with the options for approvals. stop ends the requests that it still
// waits for. Requests that wait for approval do not load the signer, so certsync asks for all users at once.
func (f Flags) Open(ca reconcile.Issuer, cluster *kube.Cluster, o csr.Options, users int) (issuer reconcile.Issuer, stop func()) {
	if ca != nil {
		return ca, func() {}
	}
	if f.Manual() {
		o.Manual, o.ApprovalTimeout, o.MaxInFlight = true, time.Duration(f.ApprovalTimeout), max(o.MaxInFlight, users)
	}
	csrs := cluster.Issuer(o)
	return csrs, csrs.Close
}

// WaitingTime is a duration that is not negative.
type WaitingTime time.Duration

// UnmarshalText reads a duration such as 90s or 5m.
func (w *WaitingTime) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil || d < 0 {
		return errors.New("expected a duration, for example 90s or 5m")
	}
	*w = WaitingTime(d)
	return nil
}
