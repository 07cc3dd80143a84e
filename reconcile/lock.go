package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/certsync/certsync/inventory"
)

// Locker lets one run of an owner write at a time.
type Locker interface {
	// Acquire takes the lock. While another run holds it, the error is a Locked.
	Acquire(ctx context.Context) (Lock, error)
}

// Lock is held from Acquire to Release, and renewed meanwhile.
type Lock interface {
	// UntilLost returns a context that ends with ctx, and with ErrLockLost as its cause when the lock can be relied on no
	// longer: another took it, or it could not be renewed for 40 s (of the 60 after which others may take it).
	UntilLost(ctx context.Context) (context.Context, context.CancelFunc)
	// Record writes to the lock how far the state has come, where the next run finds it (ClusterView.Mark).
	Record(ctx context.Context, m Mark) error
	// RecordRevoked writes to the lock whose certificates are void, in place of what it said before (ClusterView.Revoked).
	RecordRevoked(ctx context.Context, users map[string]time.Time) error
	// Release gives the lock up and ends its renewal. One that was lost is left to who has it.
	Release(ctx context.Context) error
}

// Mark is how far a state in Vault has come. A run leaves it at the lock, so that a state which was restored from a backup, or
// lost, is noticed.
type Mark struct {
	Generation int64 // State.Generation; 0: no run has left one
	Epochs     int64 // State.Epochs
}

// MaxRevoked is how many users the lock has room for, see Lock.RecordRevoked.
const MaxRevoked = 100

// ErrLockLost is why a context of Lock.UntilLost has ended.
var ErrLockLost = errors.New("the lock was lost: another run may have begun")

// Locked is why apply did not begin: another run has the lock. Nothing was written.
type Locked struct {
	Name    string // of the Lease, as namespace/name
	Holder  string
	Age     time.Duration // since that run took it
	Renewed time.Duration // since that run renewed it last
}

func (l Locked) Error() string {
	return fmt.Sprintf("another run holds the lock %s: %q, for %s, renewed %s ago",
		l.Name, l.Holder, inventory.DurationText(l.Age.Round(time.Second)), inventory.DurationText(l.Renewed.Round(time.Second)))
}
