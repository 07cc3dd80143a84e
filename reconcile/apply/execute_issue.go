package apply

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/certsync/certsync/inventory/shell"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/pki"
)

const (
	// issueWait is how long the signer may take for any certificate after the first. In its default settings it serves 20
	// a second, kubelets among them, and unless people approve, at most Workers of ours are waiting.
	issueWait = 2 * time.Minute
	// maxCanaries is how many users may fail for a reason of their own before the run stops asking.
	maxCanaries = 3
)

// issuing is the part of a run that gets certificates.
type issuing struct {
	*run
	asked   bool                  // the authorizer, what anybody may do
	doubt   string                // what it left open, until an event has said so
	proved  bool                  // a certificate of the run works
	stopped atomic.Pointer[error] // why no more certificates are asked for
}

func (r *issuing) stop(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	r.stopped.CompareAndSwap(nil, &err)
}

// issueAll issues the certificates of a batch. In the first batch that has any, one user's comes first, which has to work on this
// very cluster. The others come at once. Without a canary all come at once.
//
// If no user of a batch gets a certificate, no other batch begins: that is more than a user's own reason, such as a denied
// request.
func (r *issuing) issueAll(ctx context.Context, batch int) {
	var steps []reconcile.Step
	for _, s := range r.at(batch, reconcile.StageIssue) {
		if s.Held != "" {
			_ = r.attempt(ctx, s, nil)
			r.bindOwn(ctx, s.User)
			continue
		}
		steps = append(steps, s)
	}
	rest := steps
	if !r.WithoutCanary && !r.proved && len(steps) > 0 {
		if r.askAuthorizer(ctx); r.stopped.Load() == nil {
			rest = r.canary(ctx, steps)
		}
	}
	workers := r.Workers
	if r.WithoutCanary {
		workers = len(rest) // who waits for people keeps nobody from being asked for
	}
	each(workers, rest, func(s reconcile.Step) {
		if cause := r.stopped.Load(); cause != nil {
			r.end(s, "", notTried{*cause})
		} else if err := r.attempt(ctx, s, r.issueTo(issueWait, nil)); errors.Is(err, reconcile.ErrNotIssued) {
			// Everybody else would wait in vain as long.
			r.stop("the signer has stopped issuing, see %s", s.User)
		}
		r.bindOwn(ctx, s.User)
	})
	nothing := !slices.ContainsFunc(steps, func(s reconcile.Step) bool { return r.withoutCredential(s.User) == nil })
	if batch > 0 && len(steps) > 0 && nothing && r.over() == nil {
		r.stop("nobody in the previous batch got a certificate, see %s", steps[0].User)
	}
}

// canary serves users one at a time until a certificate has proved that it works. It returns the users who are left, and stops
// the issuing if certificates do not work. A user who fails for a reason of their own, such as a denied request or a connection
// that was cut, says nothing about the signer, so the next one is tried.
//
// Nobody but its user can log in with a key of their own. Such users come last; where there are no others, it is enough
// that the signer issues in time, and whether the API server trusts it is for them to find out.
func (r *issuing) canary(ctx context.Context, steps []reconcile.Step) (rest []reconcile.Step) {
	slices.SortStableFunc(steps, func(a, b reconcile.Step) int { return cmp.Compare(ownKeyLast(a), ownKeyLast(b)) })
	for i, s := range steps {
		prove := pki.Proof(r.signing().Prove)
		if ownKeyLast(s) > 0 {
			prove = nil
		}
		err := r.attempt(ctx, s, r.doubting(r.issueTo(pki.CanaryWait, prove)))
		r.bindOwn(ctx, s.User)
		if r.proved = err == nil || r.hasStored(s.User); r.proved {
			return steps[i+1:]
		}
		if errors.Is(err, reconcile.ErrNotIssued) || errors.Is(err, reconcile.ErrNotTrusted) || i+1 == maxCanaries || r.over() != nil {
			r.stop("nobody got a credential at the start of the run, see %s", s.User)
			return steps[i+1:]
		}
	}
	return nil
}

// ownKeyLast is 1 for a certificate whose key is the user's own, else 0.
func ownKeyLast(s reconcile.Step) int {
	if s.Issue.Spec.Own != nil {
		return 1
	}
	return 0
}

func (x *Executor) signing() pki.Signing {
	return pki.Signing{Issuer: x.Issuer, Login: x.Login, Now: x.Now}
}

// issueTo carries out issue, renew and reissue: approve, verify, ledger, credential. A certificate whose key died with
// the process harms nobody; a live one that the ledger doesn't know would. For a key that is the user's own the ledger comes
// first as well.
func (r *issuing) issueTo(within time.Duration, prove pki.Proof) func(context.Context, reconcile.Step) (string, error) {
	return func(ctx context.Context, s reconcile.Step) (string, error) {
		is := *s.Issue // the plan stays what it is, whatever is recorded on the way
		s.Issue = &is
		if err := r.recordRequest(ctx, &is); err != nil {
			return "", err
		}
		issued, key, err := r.signing().Request(ctx, is.Spec, within, r.created(&is))
		if errors.Is(err, reconcile.ErrDenied) {
			if unrecorded := r.recordDenial(ctx, s, err); unrecorded != nil {
				err = errors.Join(err, unrecorded)
			} else {
				err = reconcile.WithHint(err, fmt.Sprintf("certsync does not request it again by itself; run `certsync apply --retry %s` to request it again", shell.Quote(s.User)))
			}
		}
		if err != nil {
			if errors.Is(err, reconcile.ErrNotApproved) {
				err = notTried{err}
			}
			return "", err
		}
		leaf, note, err := r.signing().Accept(ctx, is.Spec, issued, key, prove)
		if err == nil {
			if why := r.plan.FrontProxy.Forbids(s.User, issued.Chain, r.plan.SharedCA, r.Now()); why != "" {
				err = fmt.Errorf("verifying %s: %s", issued.Name(), why)
			}
		}
		if err != nil {
			if unrecorded := r.recordUnused(ctx, &is, issued); unrecorded != nil {
				err = errors.Join(err, unrecorded)
			}
			return "", err
		}
		return note, r.store(ctx, s, issued, leaf, key.PEM)
	}
}

// recordDenial keeps the next runs from asking again. The record keeps the user's earlier certificates, which stay valid.
func (r *issuing) recordDenial(ctx context.Context, s reconcile.Step, denied error) error {
	rec := reconcile.Record{User: s.User, Kubeconfig: s.Issue.Spec.Kubeconfig}
	if s.Issue.Record != nil {
		rec = *s.Issue.Record
	}
	rec.Certificates = earlier(s.Issue) // nothing can come of what was denied
	rec.State, rec.Since, rec.Reason = reconcile.Denied, r.Now().UTC(), denied.Error()
	if d := (reconcile.Denial{}); errors.As(denied, &d) {
		rec.Reason = d.Error()
	}
	if _, err := r.writeRecord(ctx, rec, s.Issue.RecordVersion); err != nil {
		return fmt.Errorf("recording the denial: %w", err)
	}
	return nil
}

// store writes the ledger, then the credential, then destroys what the credential replaces.
func (r *issuing) store(ctx context.Context, s reconcile.Step, issued reconcile.Issued, leaf *x509.Certificate, key reconcile.Secret) error {
	is := s.Issue
	kubeconfig, err := r.Kubeconfigs.Kubeconfig(r.plan.Endpoint, s.User, issued.Chain, key)
	if err != nil {
		return fmt.Errorf("writing the kubeconfig: %w", err)
	}
	rec := nextRecord(is, issued, leaf, r.Now().UTC())
	version, err := r.writeRecord(ctx, rec, is.RecordVersion)
	if err != nil {
		return fmt.Errorf("recording the certificate: %w", err)
	}
	_, err = r.Store.WriteCredential(ctx, s.User, reconcile.Credential{
		Kubeconfig: kubeconfig, Certificate: issued.Chain, Key: key, CA: r.plan.Endpoint.CA,
	}, is.Credential.CurrentVersion)
	if errors.Is(err, reconcile.ErrPrecondition) {
		// Another run has stored another key there, or a repeated write met its own first attempt. The record must not call
		// ours the current one: the next run sees that none is, and issues again.
		rec.Certificates[len(rec.Certificates)-1].Status = reconcile.Superseded
		_, again := r.writeRecord(ctx, rec, version)
		err = errors.Join(err, again)
	}
	if err != nil {
		return fmt.Errorf("storing the credential: %w", err)
	}
	r.mu.Lock()
	r.expires[s.User] = leaf.NotAfter
	r.mu.Unlock()
	if err := r.Store.DestroyVersions(ctx, s.User, replaced(is)); err != nil {
		return fmt.Errorf("destroying the earlier versions (the new credential is stored): %w", err)
	}
	return nil
}

// nextRecord is the record with the new certificate as the current one, and all others that still live.
func nextRecord(is *reconcile.Issuance, issued reconcile.Issued, leaf *x509.Certificate, now time.Time) reconcile.Record {
	rec := reconcile.Record{
		User: is.Spec.User, State: reconcile.Active, Since: now, Kubeconfig: is.Spec.Kubeconfig, Reason: "issued",
	}
	if is.Record != nil {
		if is.Record.State == reconcile.Active && is.Record.Reason != reconcile.ReasonRequested {
			rec.Since, rec.Reason = is.Record.Since, is.Record.Reason
		}
		for _, c := range earlier(is) {
			if !c.NotAfter.After(now) {
				continue
			}
			c.Status = reconcile.Superseded
			if c.Epoch != is.Spec.Epoch {
				c.Status = reconcile.Revoked
			}
			rec.Certificates = append(rec.Certificates, c)
		}
	}
	entry := issuedEntry(is, issued, leaf, reconcile.Current, now)
	entry.CredentialVersion = is.Credential.CurrentVersion + 1
	rec.Certificates = append(rec.Certificates, entry)
	return rec
}

// issuedEntry is the ledger's for a certificate that was issued.
func issuedEntry(is *reconcile.Issuance, issued reconcile.Issued, leaf *x509.Certificate, status reconcile.CertificateStatus, now time.Time) reconcile.CertificateEntry {
	entry := reconcile.CertificateEntry{
		Status: status, Certificate: pki.LeafPEM(leaf), IssuedAt: now, CSR: issued.CSR, PublicKeySHA256: is.Spec.Own.Fingerprint(),
	}
	entry.Describe(leaf)
	return entry
}

// replaced lists the versions of the credential that the new one makes obsolete.
func replaced(is *reconcile.Issuance) []int {
	old := is.Credential.Older()
	if v := is.Credential.Current(); is.Credential.CurrentVersion > 0 && !v.Destroyed {
		old = append(old, v.Version)
	}
	return old
}

// hasStored reports whether the run has stored a user's new credential, however its step has ended.
func (r *run) hasStored(user string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, stored := r.expires[user]
	return stored
}

// bindOwn makes the bindings of a user whose credential has just been stored. Those of a group wait for all members,
// so that each is written once.
func (r *run) bindOwn(ctx context.Context, user string) {
	for _, s := range r.ownBindings[user] {
		_ = r.attempt(ctx, s, func(ctx context.Context, s reconcile.Step) (string, error) {
			if r.withoutCredential(user) != nil {
				return "", notTried{errors.New("no binding without a credential")}
			}
			return r.bind(ctx, s)
		})
	}
}
