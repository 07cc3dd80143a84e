package preflight

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/inventory/userkey"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/pki"
	"github.com/certsync/certsync/reconcile/plan"
)

// throwAway begins the name of the certificate that --issue tries.
const throwAway = "certsync-preflight"

// trial is the part of a preflight that has a certificate issued, or would.
type trial struct{ *inspection }

// trialled is the certificate of a trial. Its key ends with the preflight.
type trialled struct {
	username string
	chain    []byte
	key      reconcile.Secret
}

// untrialled is a check that takes a certificate.
func untrialled(what string) Check {
	return Check{Verdict: NotChecked, Detail: what + " is tried with --issue", Hint: "run `certsync preflight --issue`"}
}

// signer has a certificate issued, if asked to, or says what can be told without.
func (in trial) signer(ctx context.Context) Check {
	switch {
	case in.CAErr != nil:
		return broken(in.CAErr)
	case in.self == nil:
		return notChecked("needs identity")
	}
	issuer := in.OpenIssuer(*in.self)
	if why := in.mayIssue(issuer); why != "" {
		return notChecked(why)
	}
	if d, _ := in.ask(ctx); d.Everything { // the certificate could do everything for as long as it lives
		return notChecked("needs authorizer")
	}
	switch {
	case in.Issue:
		return in.issueOne(ctx, issuer)
	case in.CA != nil:
		return untrialled("certsync signs itself, with the CA's key; whether the API server trusts it")
	}
	return in.tryRequest(ctx, issuer)
}

// tryRequest goes through asking for a certificate: a webhook, a policy or a quota can refuse it.
func (in trial) tryRequest(ctx context.Context, issuer reconcile.Issuer) Check {
	dry, can := issuer.(RequestTrier)
	if !can {
		return untrialled("whether it issues certificates that the API server trusts")
	}
	_, _, err := pki.Signing{Issuer: dryIssuer{issuer, dry}, Now: in.Now}.Request(ctx, in.spec(), pki.CanaryWait, nil)
	switch {
	case errors.Is(err, ErrNoDryRun):
		return untriable(err)
	case err != nil:
		return broken(err)
	}
	return untrialled("a dry run of a request succeeded; whether it issues certificates that the API server trusts")
}

// dryIssuer issues nothing.
type dryIssuer struct {
	reconcile.Issuer
	dry RequestTrier
}

func (d dryIssuer) Issue(ctx context.Context, req reconcile.CertificateRequest) (reconcile.Issued, error) {
	return reconcile.Issued{}, d.dry.TryRequest(ctx, req)
}

// spec is the certificate of the trial, under a name that nobody has.
func (in trial) spec() reconcile.CertificateSpec {
	return reconcile.CertificateSpec{
		User: throwAway + "-" + in.RunID, Epoch: reconcile.FirstEpoch + 1, Expiration: plan.MinLifetime, Algorithm: userkey.ECDSAP256,
	}
}

// mayIssue returns why no certificate can be tried, or "".
func (in trial) mayIssue(issuer reconcile.Issuer) string {
	for _, p := range issuer.Permissions() {
		if slices.Contains(in.denied, p) {
			return "needs the right to " + p.String()
		}
	}
	return ""
}

// issueOne does what apply does for the first certificate of a run, and stores nothing.
func (in trial) issueOne(ctx context.Context, issuer reconcile.Issuer) Check {
	spec := in.spec()
	s := pki.Signing{Issuer: issuer, Login: in.Cluster, Now: in.Now}
	issued, key, err := s.Request(ctx, spec, pki.CanaryWait, nil)
	if err != nil {
		return broken(err)
	}
	leaf, _, err := s.Accept(ctx, spec, issued, key, s.Prove)
	if err == nil {
		in.trial = &trialled{spec.Username(), issued.Chain, key.PEM}
		err = in.askAsHolder(ctx)
	}
	if err := errors.Join(err, in.deleteRequest(ctx, issuer, issued.CSR)); err != nil {
		return broken(err)
	}
	if c, bad := in.alsoProxy(issued.Chain); bad {
		return c
	}
	lives := leaf.NotAfter.Sub(in.Now()).Round(time.Minute)
	return passed(fmt.Sprintf("issued a certificate for %q and logged in with it; it is valid for %s of the %s requested", spec.Username(),
		inventory.DurationText(lives), inventory.DurationText(spec.Expiration)))
}

// askAsHolder asks the authorizer what the new certificate may do. Nobody can keep its holder from asking.
func (in trial) askAsHolder(ctx context.Context) error {
	d, err := in.Cluster.MayAnything(ctx, in.trial.chain, in.trial.key)
	if err != nil {
		return err
	}
	if d.Unasked == "" {
		in.decision = &d
	}
	return d.Refusal()
}

func (in trial) deleteRequest(ctx context.Context, issuer reconcile.Issuer, ref reconcile.CSRRef) error {
	if d, ok := issuer.(RequestDeleter); ok {
		return d.DeleteRequest(ctx, ref)
	}
	return nil
}

// alsoProxy says what is wrong if a certificate that was just issued is one for a front proxy: the CA that signs need not
// be one of those that the API servers publish.
func (in trial) alsoProxy(chain []byte) (c Check, bad bool) {
	if in.frontProxy == nil || !in.frontProxy.Trusts(chain, in.Now()) {
		return Check{}, false
	}
	const what = "the certificate works, and its CA signs for front proxies too"
	shared := reconcile.FrontProxy{SharedCA: true, AllowedNames: in.frontProxy.AllowedNames}
	switch why := shared.ForgeableByAll(); {
	case why == "":
		return warning(fmt.Sprintf("%s; front proxies are accepted by name: %q", what, shared.AllowedNames), ownCA), true
	case in.AcceptSharedCA:
		return warning(what, ownCA), true
	default:
		return broken(reconcile.WithHint(fmt.Errorf("%s: %s", what, why), ownCA)), true
	}
}
