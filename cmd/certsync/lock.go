package main

import (
	"fmt"
	"os"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/issuing"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube"
	"github.com/certsync/certsync/reconcile/kube/lease"
)

// lockFlags say how long apply waits while another run of its owner holds the lock.
type lockFlags struct {
	LockTimeout issuing.WaitingTime `default:"0s" placeholder:"DURATION" help:"How long to wait for another run of the same owner, for example 5m (default: ${default}, do not wait)."`
}

// locker takes the lock of an owner for this run. The lock shows others the identity, the host and the run. locker calls
// waiting once, before it waits.
func (f lockFlags) locker(cluster *kube.Cluster, owner string, self reconcile.Identity, runID string, waiting func(reconcile.Locked)) reconcile.Locker {
	return cluster.Locker(lease.Options{
		Owner: owner, Holder: lockHolder(self, runID), Timeout: time.Duration(f.LockTimeout), Waiting: waiting,
	})
}

func lockHolder(self reconcile.Identity, runID string) string {
	host, err := os.Hostname()
	if err != nil {
		host = "an unknown host"
	}
	return fmt.Sprintf("%s on %s, run %s", self.Name, host, runID)
}
