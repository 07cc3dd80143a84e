package reconciletest

import (
	"context"
	"fmt"
	"slices"

	"github.com/certsync/certsync/reconcile"
)

// NewPolicy is an admission policy without entries, as the manifests make it.
func (w *World) NewPolicy() *reconcile.RevocationPolicy {
	return &reconcile.RevocationPolicy{UID: w.Next(), ResourceVersion: w.Next()}
}

// WriteRevocations writes the list into the admission policy, if it is the one that was observed.
func (w *World) WriteRevocations(_ context.Context, owner string, p reconcile.RevocationPolicy, entries []reconcile.RevokedCertificate) (reconcile.RevocationPolicy, error) {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	name := reconcile.RevocationPolicyName(owner)
	if err := w.call("deny %s %d", name, len(entries)); err != nil {
		return p, err
	}
	if w.Policy == nil || w.Policy.UID != p.UID || w.Policy.ResourceVersion != p.ResourceVersion {
		return p, fmt.Errorf("updating %s: %w", name, reconcile.ErrPrecondition)
	}
	w.Policy.Entries, w.Policy.ResourceVersion, w.Policy.Changed = slices.Clone(entries), w.Next(), false
	return *w.Policy, nil
}
