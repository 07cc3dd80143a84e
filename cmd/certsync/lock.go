package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube"
	"github.com/certsync/certsync/reconcile/kube/lease"
)

// lockFlags say what apply does while another run of its owner holds the lock.
type lockFlags struct {
	LockTimeout waitingTime `default:"0s" placeholder:"DURATION" help:"How long to wait for another run of the same owner to end, such as 5m (default: ${default}, which does not wait)."`
}

// waitingTime is a duration that does not go backwards.
type waitingTime time.Duration

// UnmarshalText reads a duration such as 90s or 5m.
func (w *waitingTime) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil || d < 0 {
		return errors.New("a duration is wanted, such as 90s or 5m")
	}
	*w = waitingTime(d)
	return nil
}

// locker takes the lock of an owner for this run, and names it to others by who, where and which run it is. waiting is
// told once, before it waits.
func (f lockFlags) locker(cluster *kube.Cluster, owner string, self reconcile.Identity, runID string, waiting func(reconcile.Locked)) reconcile.Locker {
	return cluster.Locker(lease.Options{
		Owner: owner, Holder: lockHolder(self, runID), Timeout: time.Duration(f.LockTimeout), Waiting: waiting,
	})
}

func lockHolder(self reconcile.Identity, runID string) string {
	host, err := os.Hostname()
	if err != nil {
		host = "a host without a name"
	}
	return fmt.Sprintf("%s on %s, run %s", self.Name, host, runID)
}
