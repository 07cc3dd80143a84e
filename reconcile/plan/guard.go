package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/certsync/certsync/reconcile"
)

// maxClockSkew is how far the local clock may be from the API server's: `until`, renewals and quarantines hang on it.
const maxClockSkew = 2 * time.Minute

// guarded is what a guard keeps from being taken away, and why.
type guarded struct {
	everybody string
	users     map[string]string                       // nothing of theirs goes
	subjects  map[string]map[reconcile.Subject]string // by Object(): stay subjects
}

// user says why nothing may be taken from a user, or "".
func (h *guarded) user(name string) string {
	switch {
	case h == nil:
		return ""
	case h.everybody != "":
		return h.everybody
	}
	return h.users[name]
}

// subject says why a subject must stay in a binding, or "".
func (h *guarded) subject(object string, s reconcile.Subject) string {
	switch {
	case h == nil:
		return ""
	case h.everybody != "":
		return h.everybody
	case h.subjects[object][s] != "":
		return h.subjects[object][s]
	case s == reconcile.UserSubject(s.Name):
		return h.users[s.Name]
	}
	return ""
}

// guard holds a subject in a binding.
func (h *guarded) guard(e entry, why string) {
	if h.subjects[e.object] == nil {
		h.subjects[e.object] = map[reconcile.Subject]string{}
	}
	h.subjects[e.object][e.subject] = why
}

// refusals are what forbids every write, whatever --hold says: the plan was made from the wrong world.
func (d *differ) refusals() []string {
	all := []string{Skewed(d.Observed.At, d.Observed.Clock)}
	if !d.rules.AcceptSharedCA {
		all = append(all, d.Observed.FrontProxy.ForgeableByAll())
	}
	all = append(all, Misplaced(d.Inventory.Owner, d.Observed, d.boundClusterWide(), d.rules))
	if d.rules.Drift && !d.sameInventory {
		all = append(all, "this inventory is not the one that was applied last, and --drift corrects drift only (apply it without --drift)")
	}
	return slices.DeleteFunc(all, func(why string) bool { return why == "" })
}

// Skewed says why the time here cannot be relied on, or "". there is the API server's, zero if it did not tell.
func Skewed(here, there time.Time) string {
	if there.IsZero() {
		return "the API server does not say what time it is, and ends and renewals hang on the time (is there a proxy that takes the Date header out?)"
	}
	if skew := here.Sub(there); skew.Abs() > maxClockSkew {
		return fmt.Sprintf("the clock here and the API server's are %s apart, and ends and renewals hang on the time (set the clock)", skew.Abs().Round(time.Second))
	}
	return ""
}

// boundClusterWide counts the ClusterRoleBindings with a name of this owner's. RoleBindings prove nothing: whoever is admin of
// a namespace can make them.
func (d *differ) boundClusterWide() int {
	return count(slices.Collect(maps.Keys(d.Ours)), clusterWide) + count(slices.Collect(maps.Keys(d.Planted)), clusterWide)
}

// Misplaced says why cluster and Vault do not belong together, or not to this owner, who has so many ClusterRoleBindings,
// or "".
func Misplaced(owner string, o reconcile.Observed, bound int, r reconcile.Rules) string {
	switch state := o.State; {
	case state == nil && r.NewLedger:
	case state == nil && bound > 0:
		return fmt.Sprintf("the cluster has %d ClusterRoleBindings of owner %s, and Vault has no state: is it the right Vault, mount and prefix? (--new-ledger)", bound, owner)
	case state == nil && o.Generation > 0:
		return fmt.Sprintf("owner %s has been applied to this cluster (generation %d), and Vault has no state: is it the right Vault, mount and prefix? (--new-ledger)",
			owner, o.Generation)
	case state == nil:
	case state.ClusterUID != o.ClusterView.UID && !r.MoveToThisCluster:
		return fmt.Sprintf("owner %s belongs to another cluster (its kube-system has UID %s, this one's %s): every credential would be replaced (--move-to-this-cluster)",
			owner, state.ClusterUID, o.ClusterView.UID)
	case state.ClusterUID == o.ClusterView.UID && state.Generation < o.Generation && !r.AcceptRollback:
		return fmt.Sprintf("Vault's state is of generation %d, and the last run wrote %d: was Vault restored from a backup? (--accept-rollback)",
			state.Generation, o.Generation)
	}
	return ""
}

// guard looks at a plan that nothing was held in and returns what must be held, with a message for each guard that refuses
// the plan, or nil. A guard that only RoleBindings trip holds what they would lose, and refuses nothing: whoever is admin
// of a namespace can make as many of them as they like, for anybody.
func (d *differ) guard() (*guarded, []string) {
	h := &guarded{users: map[string]string{}, subjects: map[string]map[reconcile.Subject]string{}}
	var messages []string
	if len(d.Inventory.Users) == 0 && !d.rules.AllowEmpty && d.rules.Policy.Takes() {
		h.everybody = "the inventory has no users: everybody would lose access (--allow-empty)"
		return h, []string{h.everybody}
	}
	t := d.removals()
	for _, name := range reconcile.SortedSet(append(slices.Clone(d.rules.Protect), d.rules.Self)) {
		if loss, refuses := t.loss(name); loss != "" {
			why := fmt.Sprintf("would %s %q, who is protected (--protect)", loss, name)
			if name == d.rules.Self {
				why = fmt.Sprintf("would %s %q, who runs this apply (have somebody else apply it; --protect does the same for others)", loss, name)
			}
			h.users[name] = why
			if refuses {
				messages = append(messages, why)
			}
		}
	}
	// Under the inventory of the last run there is only drift to take away, and what that run did not come to: it was
	// looked at then, unless that run held something back.
	if accepted := d.sameInventory && !d.Observed.State.HeldBack; len(d.Inventory.Users) > 0 && !accepted {
		messages = append(messages, d.tooMany(t, h)...)
	}
	if len(messages)+len(h.users)+len(h.subjects) == 0 {
		return nil, nil
	}
	return h, messages
}

// tooMany holds what goes over --max-removals.
func (d *differ) tooMany(t removals, h *guarded) []string {
	var messages []string
	limit := d.rules.MaxRemovals
	over := func(doing, of string, taken, clusterWide, total int) (why string) {
		if taken > limit.Allowed(total) {
			why = fmt.Sprintf("would %s %d of %d %s, more than %s (--max-removals)", doing, taken, total, of, limit)
		}
		if clusterWide > limit.Allowed(total) {
			messages = append(messages, why)
		}
		return why
	}
	if why := over("remove", "users", len(t.users), len(t.users), t.activeUsers); why != "" {
		for _, u := range t.users {
			h.users[u] = why
		}
	}
	// What one person loses is not what this guard is for, however many bindings it is: "at least 1" is about people.
	onePerson := len(t.people) <= 1 && limit.Allowed(1) >= 1
	if onePerson {
		return messages
	}
	// Held is who counts, and nobody else in the same binding: who left or whose time is over goes all the same.
	bindings := over("delete", "bindings", len(t.bindings), count(t.bindings, clusterWide), t.allBindings)
	subjects := over("take", "subjects out of their bindings", len(t.subjects),
		count(t.subjects, func(s entry) bool { return clusterWide(s.object) }), t.allSubjects)
	for _, s := range t.subjects {
		if subjects != "" {
			h.guard(s, subjects)
		} else if bindings != "" && slices.Contains(t.bindings, s.object) {
			h.guard(s, bindings)
		}
	}
	return messages
}

// clusterWide reports whether an object is a ClusterRoleBinding, which only administrators can make.
func clusterWide(object string) bool {
	return strings.HasPrefix(object, string(reconcile.ClusterRoleBinding)+" ")
}

func count[T any](list []T, is func(T) bool) int {
	n := 0
	for _, item := range list {
		if is(item) {
			n++
		}
	}
	return n
}
