package lease

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

	"github.com/certsync/certsync/inventory/shell"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/api"
	"github.com/certsync/certsync/reconcile/preflight"
)

// The annotations with a reconcile.Mark, and with the users whose certificates a run without Vault has revoked.
const (
	generationAnnotation = "certsync.dev/generation"
	epochsAnnotation     = "certsync.dev/epochs"
	revokedAnnotation    = "certsync.dev/revoked"
)

// leaseDuration is the time after which a Lease without a renewal is free.
const leaseDuration = time.Minute

// errNoLease is the error for an answer that decodes as a Lease, but did not come from an API server.
var errNoLease = errors.New("the answer has no uid and resourceVersion, so it does not come from an API server")

// Client reads and writes the Leases of all owners, which are in one namespace.
type Client struct {
	server    *api.Server
	namespace string
}

// New returns the Client for the Leases in a namespace. It sends nothing.
func New(server *api.Server, namespace string) *Client {
	return &Client{server: server, namespace: namespace}
}

// name returns the name of an owner's Lease as namespace/name.
func (c *Client) name(owner string) string {
	return c.namespace + "/" + reconcile.LockName(owner)
}

// read returns an owner's Lease, or nil if there is none.
func (c *Client) read(ctx context.Context, owner string) (*coordinationv1.Lease, error) {
	got, err := checkedLease(c.server.Client.CoordinationV1().Leases(c.namespace).
		Get(api.Quiet(ctx), reconcile.LockName(owner), metav1.GetOptions{}))
	switch {
	case api.IsGone(err):
		return nil, nil
	case err != nil:
		return nil, c.server.Failed("reading Lease "+c.name(owner), err)
	}
	return got, nil
}

// write creates a Lease that has no resourceVersion. It updates any other one, with its uid and resourceVersion as
// preconditions.
func (c *Client) write(ctx context.Context, lease *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	leases := c.server.Client.CoordinationV1().Leases(c.namespace)
	if lease.ResourceVersion == "" {
		return checkedLease(leases.Create(api.Quiet(ctx), lease, metav1.CreateOptions{}))
	}
	return checkedLease(leases.Update(api.Quiet(ctx), lease, metav1.UpdateOptions{}))
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

// Mark returns what runs have recorded in the owner's Lease: the mark of the last one, and the users whose certificates runs
// without Vault have revoked. leased reports whether there is a Lease. Without one, or before the first record, all is zero.
func (c *Client) Mark(ctx context.Context, owner string) (m reconcile.Mark, revoked map[string]time.Time, leased bool, err error) {
	ctx, cancel := api.WithTimeout(ctx)
	defer cancel()
	lease, err := c.read(ctx, owner)
	if err != nil || lease == nil {
		return reconcile.Mark{}, nil, false, err
	}
	if m, err = c.markOf(owner, lease); err == nil {
		revoked, err = c.revokedOf(owner, lease)
	}
	return m, revoked, true, err
}

// View returns the state of an owner's lock: whether a run holds it, and the mark.
func (c *Client) View(ctx context.Context, owner string) (preflight.LockView, error) {
	ctx, cancel := api.WithTimeout(ctx)
	defer cancel()
	lease, err := c.read(ctx, owner)
	if err != nil || lease == nil {
		return preflight.LockView{}, err
	}
	v := preflight.LockView{Leased: true}
	if now, ok := c.server.Clock.Now(); ok {
		v.Taken = c.Locker(Options{Owner: owner}).taken(lease, now)
	}
	v.Mark, err = c.markOf(owner, lease)
	return v, err
}

// Try has the API server go through the write that takes an owner's lock, by a dry run: a webhook or a policy can refuse what
// RBAC allows. A Lease that changes meanwhile is no error.
func (c *Client) Try(ctx context.Context, owner string) error {
	ctx, cancel := api.WithTimeout(ctx)
	defer cancel()
	lease, err := c.read(ctx, owner)
	if err != nil {
		return err
	}
	leases, dryRun := c.server.Client.CoordinationV1().Leases(c.namespace), []string{metav1.DryRunAll}
	if lease == nil {
		lease = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: reconcile.LockName(owner), Namespace: c.namespace, Labels: api.Labels(owner)}}
		_, err = leases.Create(ctx, lease, metav1.CreateOptions{DryRun: dryRun})
	} else {
		_, err = leases.Update(ctx, lease, metav1.UpdateOptions{DryRun: dryRun})
	}
	if err == nil || apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return nil
	}
	return api.Tried(err, c.server.Failed("trying to write Lease "+c.name(owner), err))
}

func (c *Client) markOf(owner string, lease *coordinationv1.Lease) (m reconcile.Mark, err error) {
	if m.Generation, err = c.countOf(owner, lease, generationAnnotation, "generation"); err != nil {
		return reconcile.Mark{}, err
	}
	m.Epochs, err = c.countOf(owner, lease, epochsAnnotation, "epochs")
	return m, err
}

// countOf reads the annotation that has a field of the state.
func (c *Client) countOf(owner string, lease *coordinationv1.Lease, annotation, field string) (int64, error) {
	text, there := lease.Annotations[annotation]
	if !there {
		return 0, nil
	}
	// 62 bits leave room to count on. Nobody with the right to write the Lease must be able to cause an overflow.
	parsed, err := strconv.ParseUint(text, 10, 62)
	if err != nil {
		return 0, reconcile.WithHint(
			fmt.Errorf("reading Lease %s: its annotation %s is %q, not a whole number", c.name(owner), annotation, api.Shorten(text)),
			fmt.Sprintf("find out who wrote that, since certsync did not; then set it to %s in the owner's state in Vault: "+
				"kubectl annotate --overwrite lease -n %s %s %s=N", field, shell.Quote(c.namespace), shell.Quote(reconcile.LockName(owner)), shell.Quote(annotation)))
	}
	return int64(parsed), nil
}

// holderOf returns the holder, or "" for a Lease that is free.
func holderOf(lease *coordinationv1.Lease) string {
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// durationOf returns the time after which a Lease without a renewal is free. It is at most leaseDuration, also if somebody
// wrote a longer one.
func durationOf(lease *coordinationv1.Lease) time.Duration {
	s := lease.Spec.LeaseDurationSeconds
	if s == nil || *s <= 0 {
		return leaseDuration
	}
	return min(time.Duration(*s)*time.Second, leaseDuration)
}

// renew sets a Lease's time of renewal. The labels and annotations of others stay.
func renew(lease *coordinationv1.Lease, owner string, now time.Time) {
	if lease.Labels == nil {
		lease.Labels = map[string]string{}
	}
	maps.Copy(lease.Labels, api.Labels(owner))
	seconds, at := int32(leaseDuration/time.Second), metav1.NewMicroTime(now)
	lease.Spec.LeaseDurationSeconds, lease.Spec.RenewTime = &seconds, &at
}

// take sets a new holder, and renews the Lease.
func take(lease *coordinationv1.Lease, owner, holder string, now time.Time) {
	renew(lease, owner, now)
	at, transitions := metav1.NewMicroTime(now), int32(0)
	// The API server refuses a negative number. After an overflow nobody could take the Lease any more.
	if t := lease.Spec.LeaseTransitions; t != nil && *t >= 0 && *t < math.MaxInt32 {
		transitions = *t + 1
	}
	lease.Spec.HolderIdentity, lease.Spec.AcquireTime, lease.Spec.LeaseTransitions = &holder, &at, &transitions
}

// unanswered reports whether the API server may have carried out a write that it did not confirm.
func unanswered(err error) bool {
	var status apierrors.APIStatus
	return !errors.As(err, &status) || status.Status().Code >= 500
}
