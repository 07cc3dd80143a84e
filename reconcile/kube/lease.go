package kube

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"strconv"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// GenerationAnnotation is the generation of the state (reconcile.State) that a run last wrote to its owner's Lease.
const GenerationAnnotation = "certsync.dev/generation"

// leaseDuration is how long after its last renewal a Lease can be taken from its holder.
const leaseDuration = time.Minute

// errNoLease is for an answer that decodes as a Lease but did not come from an API server.
var errNoLease = errors.New("the answer has no uid and resourceVersion, so it is not an API server's Lease")

// leaseName names an owner's Lease as namespace/name.
func (c *Cluster) leaseName(owner string) string {
	return c.lockNamespace + "/" + reconcile.LockName(owner)
}

// lease reads an owner's Lease; nil: there is none.
func (c *Cluster) lease(ctx context.Context, owner string) (*coordinationv1.Lease, error) {
	got, err := checkedLease(c.client.CoordinationV1().Leases(c.lockNamespace).
		Get(quiet(ctx), reconcile.LockName(owner), metav1.GetOptions{}))
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, c.failed("reading Lease "+c.leaseName(owner), err)
	}
	return got, nil
}

// writeLease creates a Lease that was never seen, and updates one that was: its uid and resourceVersion are the
// preconditions.
func (c *Cluster) writeLease(ctx context.Context, lease *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	leases := c.client.CoordinationV1().Leases(c.lockNamespace)
	if lease.ResourceVersion == "" {
		return checkedLease(leases.Create(quiet(ctx), lease, metav1.CreateOptions{}))
	}
	return checkedLease(leases.Update(quiet(ctx), lease, metav1.UpdateOptions{}))
}

func checkedLease(lease *coordinationv1.Lease, err error) (*coordinationv1.Lease, error) {
	switch {
	case err != nil:
		return nil, err
	case lease.UID == "" || lease.ResourceVersion == "":
		return nil, errNoLease
	}
	return lease, nil
}

// generation is what the last run wrote to the owner's Lease; 0: there is no Lease, or no run wrote to it yet.
func (c *Cluster) generation(ctx context.Context, owner string) (n int64, leased bool, err error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	lease, err := c.lease(ctx, owner)
	if err != nil || lease == nil {
		return 0, false, err
	}
	n, err = c.generationOf(owner, lease)
	return n, true, err
}

func (c *Cluster) generationOf(owner string, lease *coordinationv1.Lease) (int64, error) {
	text, there := lease.Annotations[GenerationAnnotation]
	if !there {
		return 0, nil
	}
	// No sign, and room for a long life: whoever may write to the Lease must not make it overflow.
	parsed, err := strconv.ParseUint(text, 10, 62)
	if err != nil {
		return 0, reconcile.WithHint(
			fmt.Errorf("reading Lease %s: its annotation %s is %q, not a whole number", c.leaseName(owner), GenerationAnnotation, short(text)),
			fmt.Sprintf("certsync did not write that; find out who did, then set it to the generation in the owner's state in Vault: "+
				"kubectl annotate --overwrite lease -n %s %s %s=N", inventory.ShellQuote(c.lockNamespace), inventory.ShellQuote(reconcile.LockName(owner)), GenerationAnnotation))
	}
	return int64(parsed), nil
}

func holderOf(lease *coordinationv1.Lease) string {
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// durationOf is how long a Lease holds after its renewal: never longer than ours do, whatever somebody wrote there.
func durationOf(lease *coordinationv1.Lease) time.Duration {
	s := lease.Spec.LeaseDurationSeconds
	if s == nil || *s <= 0 {
		return leaseDuration
	}
	return min(time.Duration(*s)*time.Second, leaseDuration)
}

// renew makes a Lease say that it was renewed at now. Others' labels and annotations stay.
func renew(lease *coordinationv1.Lease, owner string, now time.Time) {
	if lease.Labels == nil {
		lease.Labels = map[string]string{}
	}
	maps.Copy(lease.Labels, ourLabels(owner))
	seconds, at := int32(leaseDuration/time.Second), metav1.NewMicroTime(now)
	lease.Spec.LeaseDurationSeconds, lease.Spec.RenewTime = &seconds, &at
}

// take is renew for a new holder.
func take(lease *coordinationv1.Lease, owner, holder string, now time.Time) {
	renew(lease, owner, now)
	at, transitions := metav1.NewMicroTime(now), int32(0)
	// The API server takes no negative number: one more than the largest would keep the Lease from ever being taken.
	if t := lease.Spec.LeaseTransitions; t != nil && *t >= 0 && *t < math.MaxInt32 {
		transitions = *t + 1
	}
	lease.Spec.HolderIdentity, lease.Spec.AcquireTime, lease.Spec.LeaseTransitions = &holder, &at, &transitions
}

// unanswered reports whether the API server may have done what it did not confirm.
func unanswered(err error) bool {
	var status apierrors.APIStatus
	return !errors.As(err, &status) || status.Status().Code >= 500
}
