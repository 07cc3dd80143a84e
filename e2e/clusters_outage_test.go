package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/certsync/certsync/e2e/harness"
)

// breakOff kills the API server of a cluster in the middle of an apply for all, after the first removals. The other clusters get
// everything, and the next run does the rest.
func (c *severalClusters) breakOff(down *oneCluster) {
	c.Helper()
	users := repeats(12, 60)
	apply := []string{"apply", "--yes", "--max-removals=100%"}
	c.write(crowdOf(0, users))
	c.must(0, apply...)
	c.write(crowdOf(users/2, users+users/2))
	logs := map[*oneCluster]int64{}
	for _, one := range c.clusters {
		logs[one] = c.size(one.servers.KubeAuditLog)
	}
	proxy, died := c.dieAtDelete(down, 3)
	r := c.must(1, apply...)
	if !strings.Contains(r.stderr, down.name) {
		c.Errorf("%s is not in: %s", down.name, r.stderr)
	}
	for _, one := range c.clusters {
		for i := range users / 2 {
			left, came := fmt.Sprintf("users/user%03d@%s", i, c.owner), fmt.Sprintf("users/user%03d@%s", users+i, c.owner)
			if one != down && one.kv(left) != nil {
				c.Errorf("%s: %s is left", one.name, left)
			}
			if has := one.kv(came) != nil; has != (one != down) {
				c.Errorf("%s: %s is there: %v", one.name, came, has)
			}
		}
		if one != down {
			one.accounted()
		}
	}
	c.removedFirst(down, died(), logs)
	c.waiting(down, users/2)
	stop(c, proxy.Stop())
	c.connect(nil)
	for _, one := range c.clusters {
		if one != down && c.planWith("--cluster="+one.name).Changes {
			c.Errorf("something is left to do in %s", one.name)
		}
	}
	c.revive(down)
	down.breakLock()
	c.must(0, apply...)
	c.done()
}

// waiting checks that status says whose removals are outstanding in the cluster that broke off: most of the first users, and
// nobody else.
func (c *severalClusters) waiting(down *oneCluster, leavers int) {
	c.Helper()
	found := c.outstanding(c.certsync("status", "-o", "json").stdout)
	last := fmt.Sprintf("user%03d@%s", leavers-1, c.owner)
	there := found[down.name]
	if len(found) != 1 || len(there) == 0 || len(there) < leavers-2 || slices.Max(there) > last {
		c.Errorf("outstanding: %v", found)
	}
}

// dieAtDelete has certsync reach a cluster through a proxy that kills its API server before that binding is deleted, counted
// from 1. died is when.
func (c *severalClusters) dieAtDelete(down *oneCluster, last int64) (proxy *harness.Proxy, died func() time.Time) {
	c.Helper()
	proxy, err := down.servers.StartProxy()
	stop(c, err)
	through, err := proxy.UserKubeconfig("certsync-"+down.owner, []string{"system:masters"})
	stop(c, err)
	c.connect(map[string]string{down.name: through})
	var deletes, at atomic.Int64
	proxy.Intercept(func(call harness.Call) harness.Fault {
		if call.Method == http.MethodDelete && strings.Contains(call.Path, "bindings/") && deletes.Add(1) == last {
			time.Sleep(2 * time.Second) // in which the others would go on, if they did not wait
			at.Store(time.Now().UnixMicro())
			check(c, down.servers.KillProcess(harness.APIServer))
		}
		return harness.Fault{}
	})
	return proxy, func() time.Time { return time.UnixMicro(at.Load()) }
}

// removedFirst checks that a certificate was requested nowhere before that cluster failed, and all bindings were deleted in the
// others.
func (c *severalClusters) removedFirst(down *oneCluster, removed time.Time, logs map[*oneCluster]int64) {
	c.Helper()
	var requested time.Time
	for _, one := range c.clusters {
		if one == down {
			continue
		}
		deletes := 0
		for _, r := range one.kubeRequests(logs[one]) {
			at := r.RequestReceivedTimestamp
			switch {
			case r.Verb == "delete" && r.ObjectRef.Resource == "clusterrolebindings":
				deletes++
				if at.After(removed) {
					removed = at
				}
			case r.Verb == "create" && r.ObjectRef.Resource == "certificatesigningrequests" && (requested.IsZero() || at.Before(requested)):
				requested = at
			}
		}
		if deletes == 0 {
			c.Errorf("no binding was deleted in %s", one.name)
		}
	}
	if requested.Before(removed) {
		c.Errorf("a certificate was requested at %s, and removals went on until %s", requested, removed)
	}
}
