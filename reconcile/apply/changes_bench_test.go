package apply_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certsync/certsync/reconcile/reconciletest"
)

// BenchmarkRoleChanges gives everybody another role, in a run for 1,000 users and in one for 10,000, on fakes. The two take
// turns, and the medians are reported.
//
//	us/user-1000    the time of a run, from its first observation to its last step, by its users
//	us/user-10000   the same of the larger run
//	of-smaller      the larger by the smaller. 1 is linear; over 2 fails
func BenchmarkRoleChanges(b *testing.B) {
	const rounds = 5
	small, large := newRoleChanges(b, 1000), newRoleChanges(b, 10000)
	for b.Loop() {
		var smaller, larger []time.Duration
		for range rounds {
			smaller, larger = append(smaller, small.change()), append(larger, large.change())
		}
		a, z := middle(smaller), middle(larger)
		b.ReportMetric(float64(a.Nanoseconds())/1e3, "us/user-1000")
		b.ReportMetric(float64(z.Nanoseconds())/1e3, "us/user-10000")
		ratio := float64(z) / float64(a)
		b.ReportMetric(ratio, "of-smaller")
		if ratio > 2 {
			b.Errorf("a role change takes %s in a run of 1,000 and %s in one of 10,000", a, z)
		}
	}
}

// roleChanges is a world whose users all have one role each, in turns another one.
type roleChanges struct {
	*reconciletest.World
	users int
	roles [2]string
}

func newRoleChanges(b *testing.B, users int) *roleChanges {
	c := &roleChanges{World: reconciletest.NewWorld(b), users: users, roles: [2]string{"view", "edit"}}
	c.Rules.MaxRemovals = reconciletest.Limit(b, "100%")
	c.change()
	return c
}

// change applies an inventory with the other role, and returns the time that it takes for each user.
func (c *roleChanges) change() time.Duration {
	slices.Reverse(c.roles[:])
	var text strings.Builder
	text.WriteString("users:\n")
	for i := range c.users {
		fmt.Fprintf(&text, "  - {name: user%05d, clusterRoles: [%s]}\n", i, c.roles[0])
	}
	inv := reconciletest.Parse(c.T, text.String())
	began := time.Now()
	c.MustApply(inv)
	return time.Since(began) / time.Duration(c.users)
}

func middle(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}
