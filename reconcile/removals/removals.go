package removals

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/granted"
	"github.com/certsync/certsync/reconcile/refusal"
)

// draft is a plan before its steps are made: each binding of the owner, and which of its subjects go.
type draft struct {
	inv  *inventory.Inventory // without selectors, see granted.Effective
	file *inventory.Inventory // as it is written
	// frozen: selectors come to more than they may, and what they gave before stays.
	frozen bool

	cluster reconcile.ClusterView
	rules   reconcile.Rules

	known     map[string]bool   // users of the inventory
	guarded   map[string]bool   // users whom the inventory protects
	successor map[string]string // the name that somebody has now, by the one that they had before
	former    map[string]bool   // names that people had before whose time has passed
	ahead     map[string]bool   // users whose time has not come, and names that they had before
	revoked   map[string]bool   // users who lose everything
	withheld  []string          // protected users whose revocation is refused
	given     grants            // what the inventory gives now
	begun     grants            // what it would give if nothing ended
	ever      grants            // what it gives at any time
	bound     map[reconcile.Grant]map[string]bool

	parts []*part
}

// grants are grants (Part 0 stands for all parts), each with its users, sorted.
type grants map[reconcile.Grant][]string

func (all grants) has(g reconcile.Grant, user string) bool {
	_, found := slices.BinarySearch(all[g], user)
	return found
}

// part is one binding of the owner.
type part struct {
	reconcile.Binding
	grant    reconcile.Grant // with its Part
	stays    int             // subjects that nobody takes out
	removals []*removal      // in the order of the subjects
}

// removal is one subject that goes.
type removal struct {
	subject reconcile.Subject
	user    string // "": it is no User
	reason  reconcile.Reason
	held    string
	by      reconcile.HoldCause
}

func (r *removal) hold(why string, by reconcile.HoldCause) {
	if r.held == "" {
		r.held, r.by = why, by
	}
}

// wrongRole reports whether the binding has another role than its name says. It gives what nobody asked for, and goes as a whole.
func (p *part) wrongRole() bool {
	return p.RoleRef != p.grant.RoleRef()
}

// whole is the part's grant with Part 0.
func (p *part) whole() reconcile.Grant {
	g := p.grant
	g.Part = 0
	return g
}

// Diff compares what an inventory gives with the bindings that were observed at a time, and takes away what it does not give. It is
// a function of its arguments alone. Its steps are unbind and update.
func Diff(inv *inventory.Inventory, at time.Time, cluster reconcile.ClusterView, r reconcile.Rules) reconcile.Plan {
	d := newDraft(inv, at, cluster, r)
	guards := d.guard()
	p := reconcile.Plan{
		Owner: inv.Owner, ClusterUID: cluster.UID, InventoryDigest: inv.Digest(), Leased: cluster.Leased,
		RemovalsOnly: true, Steps: d.steps(), Guards: guards, Revoked: d.revocations(), Unchanged: d.unchanged(),
	}
	p.RecordState = p.Revoked != nil
	if why := refusal.Skewed(at, cluster.Clock); why != "" {
		p.Forbidden = append(p.Forbidden, why)
	}
	if n := len(p.Revoked); n > reconcile.MaxRevoked {
		p.Forbidden = append(p.Forbidden, fmt.Sprintf("the lock has room for %d users whose certificates are revoked, and there would be %d "+
			"(remove some from the inventory instead of --revoke)", reconcile.MaxRevoked, n))
	}
	p.Notes = d.notes(p)
	if d.frozen {
		p.Notes = append(p.Notes, refusal.Frozen(granted.MaxSelected, granted.MaxSubjects))
	}
	p.Sort()
	return p
}

// Unknown returns an UnknownName for the first name in the rules that is one, or nil. A user is known by the inventory, by a
// ClusterRoleBinding or by the lock, and one to be revoked by any binding of the owner: without Vault, nothing else tells of users
// who left. A RoleBinding does not count for --protect, since a tenant who deletes it would stop the job.
func Unknown(inv *inventory.Inventory, cluster reconcile.ClusterView, r reconcile.Rules) error {
	bound := map[string]bool{}
	for _, b := range cluster.Bindings {
		if _, ours := reconcile.ParseBindingName(inv.Owner, b.Namespace, b.Name); ours {
			for _, s := range b.Subjects {
				bound[s.Person()] = true
			}
		}
	}
	r.Revoke = slices.DeleteFunc(slices.Clone(r.Revoke), func(name string) bool {
		_, revoked := cluster.Revoked[name]
		return revoked || bound[name]
	})
	if unknown, ok := r.Unknown(inv, reconcile.Observed{ClusterView: cluster}).(reconcile.UnknownName); ok {
		unknown.WithoutVault = true
		return unknown
	}
	return nil
}

func newDraft(file *inventory.Inventory, at time.Time, cluster reconcile.ClusterView, r reconcile.Rules) *draft {
	inv, bounded := granted.Effective(file, cluster.Namespaces, at, r.Namespace, r.LockNamespace)
	if !bounded {
		inv = granted.Frozen(file, reconcile.GrantsOf(file.Owner, cluster.Bindings), at, r.Namespace, r.LockNamespace)
	}
	d := &draft{
		inv: inv, file: file, frozen: !bounded, cluster: cluster, rules: r,
		known: map[string]bool{}, guarded: map[string]bool{}, successor: map[string]string{}, former: map[string]bool{}, ahead: map[string]bool{}, revoked: map[string]bool{},
		begun: granted.Begun(inv, at), ever: granted.Ever(inv), bound: map[reconcile.Grant]map[string]bool{},
	}
	for _, u := range inv.Users {
		if u.Protected {
			d.guarded[u.Name] = true
		}
		d.known[u.Name], d.ahead[u.Name] = true, granted.Ahead(u.From, at)
		for _, old := range u.Previously {
			d.former[old], d.ahead[old] = granted.Ended(u.Until, at), d.ahead[u.Name]
			if !d.former[old] && !d.ahead[old] {
				d.successor[old] = u.Name
			}
		}
	}
	for _, name := range reconcile.SortedSet(slices.Concat(r.Revoke, slices.Collect(maps.Keys(cluster.Revoked)))) {
		if d.protects(name) {
			d.withheld = append(d.withheld, name)
		} else {
			d.revoked[name] = true
		}
	}
	d.given = granted.At(inv, at, d.revoked)
	d.sortBindings()
	for _, p := range d.parts {
		d.compare(p)
	}
	return d
}

// sortBindings collects the bindings of the owner, and who is bound by them.
func (d *draft) sortBindings() {
	for _, b := range d.cluster.Bindings {
		grant, ours := reconcile.ParseBindingName(d.inv.Owner, b.Namespace, b.Name)
		if !ours {
			continue
		}
		p := &part{Binding: b, grant: grant}
		d.parts = append(d.parts, p)
		if p.wrongRole() {
			continue
		}
		users := d.bound[p.whole()]
		if users == nil {
			users = map[string]bool{}
			d.bound[p.whole()] = users
		}
		for _, s := range b.Subjects {
			users[s.Person()] = true
		}
	}
	slices.SortFunc(d.parts, func(a, b *part) int { return cmp.Compare(a.Object(), b.Object()) })
}

// compare splits the subjects of a binding into those that stay and those that go.
func (d *draft) compare(p *part) {
	if p.wrongRole() {
		return
	}
	for _, s := range p.Subjects {
		user := s.Person()
		if user != "" && d.gives(p.whole(), user) {
			p.stays++
			continue
		}
		p.removals = append(p.removals, &removal{subject: s, user: user, reason: d.reason(p.whole(), user)})
	}
}

func (d *draft) protects(user string) bool {
	return user == d.rules.Self || slices.Contains(d.rules.Protect, user) || d.guarded[user]
}

// revocations are what the lock says after the run, nil if that is what it says before. Each --revoke is noted anew, with the
// present time: the user may have come back since the last one. A name that no inventory can hold never comes back.
func (d *draft) revocations() map[string]time.Time {
	var all map[string]time.Time
	for _, name := range d.rules.Revoke {
		if !d.revoked[name] || !inventory.ValidName(name) {
			continue
		}
		if all == nil {
			all = map[string]time.Time{}
			maps.Copy(all, d.cluster.Revoked)
		}
		all[name] = d.cluster.Clock.UTC()
	}
	return all
}

// RevokedBefore is a time as the inventory takes it in revokedBefore, rounded up to the second: what was issued in that second is
// void too.
func RevokedBefore(at time.Time) string {
	return reconcile.TimeText(at.Add(time.Second - 1).Truncate(time.Second))
}

// unchanged counts the users of the inventory from whom nothing is taken.
func (d *draft) unchanged() int {
	n := len(d.inv.Users)
	touched := map[string]bool{}
	for _, p := range d.parts {
		for _, r := range p.removals {
			if d.known[r.user] && !touched[r.user] {
				touched[r.user] = true
				n--
			}
		}
	}
	return n
}

// notes say what Vault would have told, and what becomes of revocations.
func (d *draft) notes(p reconcile.Plan) []reconcile.Note {
	all := []reconcile.Note{{Kind: reconcile.VaultNotRead, Message: fmt.Sprintf("without Vault, certsync cannot check that this cluster belongs to owner %s. "+
		"It only takes access away. The next apply with Vault restores what the inventory grants, and removes the credentials of users who left", d.inv.Owner)}}
	said := d.cluster.Revoked
	if p.Revoked != nil {
		said = p.Revoked
	}
	for name, at := range said {
		if !d.revoked[name] {
			continue
		}
		message := "certsync removes all access that it gave to this user, and records that in the lock's Lease"
		if d.known[name] {
			message += fmt.Sprintf(". The next apply with Vault then issues a new certificate under another name. If the Lease is lost, that apply gives the old certificate "+
				"its access back. To be safe, commit this line for the user in the inventory: revokedBefore: %s", RevokedBefore(at))
		}
		all = append(all, reconcile.Note{User: name, Kind: reconcile.RevokedAtLock, Message: message})
	}
	return all
}
