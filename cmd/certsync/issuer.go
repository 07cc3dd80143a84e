package main

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

// issuerFlags choose the signer of certificates, and who approves signing requests.
type issuerFlags struct {
	Issuer          string      `enum:"csr,ca" default:"csr" placeholder:"csr|ca" help:"Who signs: the cluster, by CertificateSigningRequests, or certsync itself with the CA's key (default: ${default})."`
	CACert          string      `name:"ca-cert" placeholder:"FILE" help:"With --issuer=ca: the certificate of a CA that the API server trusts for clients."`
	CAKey           string      `name:"ca-key" placeholder:"FILE" help:"With --issuer=ca: its key, in a file that nobody else can read."`
	Approval        string      `enum:"auto,manual" default:"auto" placeholder:"auto|manual" help:"Who approves CertificateSigningRequests: certsync, or people with the kubectl commands that it prints (default: ${default})."`
	ApprovalTimeout waitingTime `default:"10m" placeholder:"DURATION" help:"With --approval=manual: how long each request waits for people (default: ${default})."`
}

// validate refuses flags that do not go together.
func (f issuerFlags) validate() error {
	switch ca := f.Issuer == "ca"; {
	case ca && f.CACert == "":
		return errors.New("--issuer=ca wants the CA's certificate: --ca-cert FILE")
	case ca && f.CAKey == "":
		return errors.New("--issuer=ca wants the CA's key: --ca-key FILE")
	case ca && f.manual():
		return errors.New("--approval=manual: with --issuer=ca there are no requests to approve")
	case !ca && f.CACert != "":
		return errors.New("--ca-cert: without --issuer=ca it does nothing")
	case !ca && f.CAKey != "":
		return errors.New("--ca-key: without --issuer=ca it does nothing")
	case f.ApprovalTimeout == 0:
		return errors.New("--approval-timeout: 0s is no time to approve anything")
	}
	return nil
}

// runTime is how long an apply for so many users may take. Kubernetes' signer gives about 20 certificates a second by default.
func (f issuerFlags) runTime(users int) time.Duration {
	const rest, perUser = time.Minute, time.Second / 20
	t := rest + time.Duration(users)*perUser
	if f.manual() {
		t += time.Duration(f.ApprovalTimeout)
	}
	return t.Round(time.Second)
}

func (f issuerFlags) manual() bool { return f.Approval == "manual" }

// readCA returns the issuer of --issuer=ca, or nil with the other issuer.
func (f issuerFlags) readCA() (reconcile.Issuer, error) {
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

// askForApproval returns a function that prints the command which approves a signing request.
func askForApproval(progress *render.Progress) func(user string, csr reconcile.CSRRef) {
	return func(user string, ref reconcile.CSRRef) { progress.AskForApproval(user, csr.ApproveCommand(ref)) }
}

// openIssuer returns the issuer that the flags ask for; stop ends the requests that it still waits for. It sets the options
// for approvals. Requests that wait for people do not load the signer, so people are asked for all users at once.
func (f issuerFlags) openIssuer(ca reconcile.Issuer, cluster *kube.Cluster, o csr.Options, users int) (issuer reconcile.Issuer, stop func()) {
	if ca != nil {
		return ca, func() {}
	}
	if f.manual() {
		o.Manual, o.ApprovalTimeout, o.MaxInFlight = true, time.Duration(f.ApprovalTimeout), max(o.MaxInFlight, users)
	}
	csrs := cluster.Issuer(o)
	return csrs, csrs.Close
}
