package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// drift is what happens to cluster and Vault between two runs: by time, by hand, by a run that was cut off, or with ill
// intent.
type drift struct {
	what    string
	happens func(w *world, c *choices)
}

var drifts = []drift{
	{"time passes", func(w *world, c *choices) {
		w.now = w.now.Add(choose(c, time.Hour, 6*time.Minute, 20*time.Hour, 5*24*time.Hour, 40*24*time.Hour))
	}},
	{"a binding is deleted", func(w *world, c *choices) {
		if b, ok := oneOfOurs(w, c); ok {
			delete(w.bindings, b.Object())
		}
	}},
	{"a subject comes into a binding", func(w *world, c *choices) {
		touch(w, c, func(b *Binding) { b.Subjects = append(slices.Clone(b.Subjects), choose(c, strangers...)) })
	}},
	{"a subject is taken out of a binding", func(w *world, c *choices) {
		touch(w, c, func(b *Binding) {
			if i := c.below(max(len(b.Subjects), 1)); i < len(b.Subjects) {
				b.Subjects = slices.Delete(slices.Clone(b.Subjects), i, i+1)
			}
		})
	}},
	{"a label is stripped", func(w *world, c *choices) {
		touch(w, c, func(b *Binding) { *choose(c, &b.ManagedBy, &b.Owner) = choose(c, "", "else") })
	}},
	{"a binding comes back with another role", func(w *world, c *choices) {
		touch(w, c, func(b *Binding) {
			b.RoleRef.Name = "admin"
			if b.Namespace != "" {
				b.RoleRef = choose(c, b.RoleRef, RoleRef{"Role", "view"})
			}
		})
	}},
	{"a binding is planted", func(w *world, c *choices) {
		g := Grant{For: choose(c, ForGroup, ForUser), Subject: choose(c, "devs", "alice", "zoe"), Role: choose(c, rolesToUse...), Part: 1}
		g.Namespace = choose(c, "", "staging")
		if g.For == ForGroup {
			g.Part += c.below(3)
		}
		b := newBinding(choose(c, "test", "test-2"), g, []string{choose(c, "alice", "bob", "zoe")})
		b.Name += choose(c, "", "", "#02", "-copy")
		b.ManagedBy, b.Owner = choose(c, b.ManagedBy, ""), choose(c, b.Owner, "test", "")
		w.plant(b)
	}},
	{"a secret is deleted", func(w *world, c *choices) { delete(w.users, choose(c, persons...)) }},
	{"a secret is deleted softly", func(w *world, c *choices) {
		if s := w.users[choose(c, persons...)]; s != nil {
			w.markCurrent(s, kvVersion{deleted: true})
		}
	}},
	{"a secret is destroyed", func(w *world, c *choices) {
		if s := w.users[choose(c, persons...)]; s != nil {
			w.markCurrent(s, kvVersion{destroyed: true})
		}
	}},
	{"somebody else writes a secret", func(w *world, c *choices) {
		user := choose(c, "alice", "bob", "carol", "dave", "zoe")
		if w.users[user] == nil {
			// Written anew to the very version that was deleted, nobody could tell.
			w.users[user] = &secret{current: 9, versions: map[int]*kvVersion{9: {}}}
		}
		_, _ = w.put(w.users, user, kvVersion{}, w.users[user].current)
	}},
	{"a run was cut off before it destroyed the version before", func(w *world, c *choices) {
		if s := w.users[choose(c, persons...)]; s != nil && s.current > 1 {
			s.versions[s.current-1] = &kvVersion{}
		}
	}},
	{"a record is deleted", func(w *world, c *choices) { delete(w.ledger, choose(c, persons...)) }},
	{"a record is deleted softly", func(w *world, c *choices) {
		if s := w.ledger[choose(c, persons...)]; s != nil {
			w.markCurrent(s, kvVersion{deleted: true})
		}
	}},
	{"a record becomes somebody else's", func(w *world, c *choices) {
		if s := w.ledger[choose(c, persons...)]; s != nil {
			w.markCurrent(s, kvVersion{record: &Record{FormatVersion: FormatVersion, User: "zoe", State: Active}})
		}
	}},
	{"a run was cut off in a removal", func(w *world, c *choices) {
		if s := w.ledger[choose(c, persons...)]; s != nil && s.versions[s.current].record != nil {
			rec := *s.versions[s.current].record
			rec.State, rec.Reason = Removing, choose(c, string(NotInInventory), string(UntilPassed))
			w.markCurrent(s, kvVersion{record: &rec})
		}
	}},
	{"a namespace is terminating, or gone", func(w *world, c *choices) {
		w.spaces = map[string]bool{"payments": true, "staging": false}
		if c.below(2) == 1 {
			delete(w.spaces, "staging")
			maps.DeleteFunc(w.bindings, func(_ string, b Binding) bool { return b.Namespace == "staging" })
		}
	}},
	{"a request with our labels is planted", func(w *world, c *choices) {
		w.requests = append(w.requests, Request{Name: fmt.Sprint("csr-", len(w.requests)), User: choose(c, persons...), State: "pending"})
	}},
}

// strangers are subjects that nobody has granted anything, or something else.
var strangers = []Subject{
	UserSubject("alice"), UserSubject("zoe"), {Kind: "Group", APIGroup: RBACGroup, Name: "devs"},
	{Kind: "ServiceAccount", Namespace: "default", Name: "zoe"}, {Kind: "User", APIGroup: "example.com", Name: "alice"},
	{Kind: "User", APIGroup: RBACGroup, Namespace: "staging", Name: "bob"},
}

// oneOfOurs chooses a binding that is named as ours are.
func oneOfOurs(w *world, c *choices) (Binding, bool) {
	var ours []Binding
	for _, object := range slices.Sorted(maps.Keys(w.bindings)) {
		if b := w.bindings[object]; named("test", b) {
			ours = append(ours, b)
		}
	}
	if len(ours) == 0 {
		return Binding{}, false
	}
	return choose(c, ours...), true
}

func named(owner string, b Binding) bool {
	o, _ := Classify(owner, b)
	return o == Ours || o == Planted
}

func touch(w *world, c *choices, change func(*Binding)) {
	if b, ok := oneOfOurs(w, c); ok {
		change(&b)
		b.ResourceVersion = w.next()
		w.bindings[b.Object()] = b
	}
}
