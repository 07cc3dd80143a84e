package preflight

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory/userkey"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/pki"
	"github.com/certsync/certsync/reconcile/plan"
)

// throwAway begins the name of the certificate that --issue tries.
const throwAway = "certsync-preflight"

// trial is the part of a preflight that has a certificate issued, or would.
type trial struct{ *look }

// signer has a certificate issued, if asked to, or says what can be told without.
func (l trial) signer(ctx context.Context) Check {
	switch {
	case l.CAErr != nil:
		return broken(l.CAErr)
	case l.Issue && l.self == nil:
		return notChecked("needs identity")
	case l.Issue:
		return l.issueOne(ctx, l.OpenIssuer(*l.self))
	case l.CA != nil:
		return passed("certsync itself, with the CA's key; whether the API server trusts it is tried with --issue")
	}
	return notChecked("whether it issues certificates that the API server trusts is tried with --issue")
}

// mayIssue returns why no certificate can be tried, or "".
func (l trial) mayIssue(issuer reconcile.Issuer) string {
	for _, p := range issuer.Permissions() {
		if slices.Contains(l.denied, p) {
			return "needs the right to " + p.String()
		}
	}
	return ""
}

// issueOne does what apply does for the first certificate of a run, and stores nothing. Its key ends with this function.
func (l trial) issueOne(ctx context.Context, issuer reconcile.Issuer) Check {
	if why := l.mayIssue(issuer); why != "" {
		return notChecked(why)
	}
	spec := reconcile.CertificateSpec{
		User: throwAway + "-" + l.RunID, Epoch: reconcile.FirstEpoch + 1, Expiration: plan.MinLifetime, Algorithm: userkey.ECDSAP256,
	}
	s := pki.Signing{Issuer: issuer, Login: l.Cluster, Now: l.Now}
	issued, key, err := s.Request(ctx, spec, pki.CanaryWait, nil)
	if err != nil {
		return broken(err)
	}
	leaf, _, err := s.Accept(ctx, spec, issued, key, s.Prove)
	if err := errors.Join(err, l.deleteRequest(ctx, issuer, issued.CSR)); err != nil {
		return broken(err)
	}
	if c, bad := l.alsoProxy(issued.Chain); bad {
		return c
	}
	lives := leaf.NotAfter.Sub(l.Now()).Round(time.Minute)
	return passed(fmt.Sprintf("issued a certificate for %q and logged in with it; it lives %s of the %s asked for", spec.Username(), lives, spec.Expiration))
}

func (l trial) deleteRequest(ctx context.Context, issuer reconcile.Issuer, ref reconcile.CSRRef) error {
	if d, ok := issuer.(RequestDeleter); ok {
		return d.DeleteRequest(ctx, ref)
	}
	return nil
}

// alsoProxy says what is wrong if a certificate that was just issued is one for a front proxy: the CA that signs need not
// be one of those that the API servers publish.
func (l trial) alsoProxy(chain []byte) (c Check, bad bool) {
	if l.frontProxy == nil || !l.frontProxy.Trusts(chain, l.Now()) {
		return Check{}, false
	}
	const what = "the certificate that was issued works, and is of a CA for front proxies too"
	shared := reconcile.FrontProxy{SharedCA: true, AllowedNames: l.frontProxy.AllowedNames}
	switch why := shared.ForgeableByAll(); {
	case why == "":
		return warning(fmt.Sprintf("%s, which are told by their names: %q", what, shared.AllowedNames), ownCA), true
	case l.AcceptSharedCA:
		return warning(what, ownCA), true
	default:
		return broken(reconcile.WithHint(fmt.Errorf("%s: %s", what, why), ownCA)), true
	}
}
