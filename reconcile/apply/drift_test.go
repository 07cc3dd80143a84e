package apply_test

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// drift is what happens to cluster and Vault between two runs: by time, by hand, by a run that was cut off, or with ill
// intent.
type drift struct {
	what    string
	happens func(w *reconciletest.World, c *choices)
}

var drifts = []drift{
	{"time passes", func(w *reconciletest.World, c *choices) {
		w.Now = w.Now.Add(choose(c, time.Hour, 6*time.Minute, 20*time.Hour, 5*24*time.Hour, 40*24*time.Hour))
	}},
	{"a binding is deleted", func(w *reconciletest.World, c *choices) {
		if b, ok := oneOfOurs(w, c); ok {
			delete(w.Bindings, b.Object())
		}
	}},
	{"a subject comes into a binding", func(w *reconciletest.World, c *choices) {
		touch(w, c, func(b *reconcile.Binding) { b.Subjects = append(slices.Clone(b.Subjects), choose(c, strangers...)) })
	}},
	{"a subject is taken out of a binding", func(w *reconciletest.World, c *choices) {
		touch(w, c, func(b *reconcile.Binding) {
			if i := c.below(max(len(b.Subjects), 1)); i < len(b.Subjects) {
				b.Subjects = slices.Delete(slices.Clone(b.Subjects), i, i+1)
			}
		})
	}},
	{"a label is stripped", func(w *reconciletest.World, c *choices) {
		touch(w, c, func(b *reconcile.Binding) { *choose(c, &b.ManagedBy, &b.Owner) = choose(c, "", "else") })
	}},
	{"a binding comes back with another role", func(w *reconciletest.World, c *choices) {
		touch(w, c, func(b *reconcile.Binding) {
			b.RoleRef.Name = "admin"
			if b.Namespace != "" {
				b.RoleRef = choose(c, b.RoleRef, reconcile.RoleRef{Kind: "Role", Name: "view"})
			}
		})
	}},
	{"a binding is planted", func(w *reconciletest.World, c *choices) {
		g := reconcile.Grant{For: choose(c, reconcile.ForGroup, reconcile.ForUser), Subject: choose(c, "devs", "alice", "zoe"), Role: choose(c, rolesToUse...), Part: 1}
		g.Namespace = choose(c, "", "staging")
		if g.For == reconcile.ForGroup {
			g.Part += c.below(3)
		}
		b := reconcile.NewBinding(choose(c, "test", "test-2"), g, []string{choose(c, "alice", "bob", "zoe")})
		b.Name += choose(c, "", "", "#02", "-copy")
		b.ManagedBy, b.Owner = choose(c, b.ManagedBy, ""), choose(c, b.Owner, "test", "")
		w.Plant(b)
	}},
	{"a secret is deleted", func(w *reconciletest.World, c *choices) { delete(w.Users, choose(c, persons...)) }},
	{"a secret is deleted softly", func(w *reconciletest.World, c *choices) {
		if s := w.Users[choose(c, persons...)]; s != nil {
			w.MarkCurrent(s, reconciletest.KVVersion{Deleted: true})
		}
	}},
	{"a secret is destroyed", func(w *reconciletest.World, c *choices) {
		if s := w.Users[choose(c, persons...)]; s != nil {
			w.MarkCurrent(s, reconciletest.KVVersion{Destroyed: true})
		}
	}},
	{"somebody else writes a secret", func(w *reconciletest.World, c *choices) {
		user := choose(c, "alice", "bob", "carol", "dave", "zoe")
		if w.Users[user] == nil {
			// Written anew to the very version that was deleted, nobody could tell.
			w.Users[user] = &reconciletest.Secret{Current: 9, Versions: map[int]*reconciletest.KVVersion{9: {}}}
		}
		_, _ = w.Put(w.Users, user, reconciletest.KVVersion{}, w.Users[user].Current)
	}},
	{"a run was cut off before it destroyed the version before", func(w *reconciletest.World, c *choices) {
		if s := w.Users[choose(c, persons...)]; s != nil && s.Current > 1 {
			s.Versions[s.Current-1] = &reconciletest.KVVersion{}
		}
	}},
	{"a record is deleted", func(w *reconciletest.World, c *choices) { delete(w.Ledger, choose(c, persons...)) }},
	{"a record is deleted softly", func(w *reconciletest.World, c *choices) {
		if s := w.Ledger[choose(c, persons...)]; s != nil {
			w.MarkCurrent(s, reconciletest.KVVersion{Deleted: true})
		}
	}},
	{"a record becomes somebody else's", func(w *reconciletest.World, c *choices) {
		if s := w.Ledger[choose(c, persons...)]; s != nil {
			w.MarkCurrent(s, reconciletest.KVVersion{Record: &reconcile.Record{FormatVersion: reconcile.RecordVersion, User: "zoe", State: reconcile.Active}})
		}
	}},
	{"a run was cut off in a removal", func(w *reconciletest.World, c *choices) {
		if s := w.Ledger[choose(c, persons...)]; s != nil && s.Versions[s.Current].Record != nil {
			rec := *s.Versions[s.Current].Record
			rec.State, rec.Reason = reconcile.Removing, choose(c, string(reconcile.NotInInventory), string(reconcile.UntilPassed))
			w.MarkCurrent(s, reconciletest.KVVersion{Record: &rec})
		}
	}},
	{"a namespace is terminating, or gone", func(w *reconciletest.World, c *choices) {
		w.Spaces = map[string]bool{"payments": true, "staging": false}
		if c.below(2) == 1 {
			delete(w.Spaces, "staging")
			maps.DeleteFunc(w.Bindings, func(_ string, b reconcile.Binding) bool { return b.Namespace == "staging" })
		}
	}},
	{"a request with our labels is planted", func(w *reconciletest.World, c *choices) {
		w.Requests = append(w.Requests, reconcile.Request{Name: fmt.Sprint("csr-", len(w.Requests)), User: choose(c, persons...), State: "pending"})
	}},
}

// strangers are subjects that nobody has granted anything, or something else.
var strangers = []reconcile.Subject{
	reconcile.UserSubject("alice"), reconcile.UserSubject("zoe"), {Kind: "Group", APIGroup: reconcile.RBACGroup, Name: "devs"},
	{Kind: "ServiceAccount", Namespace: "default", Name: "zoe"}, {Kind: "User", APIGroup: "example.com", Name: "alice"},
	{Kind: "User", APIGroup: reconcile.RBACGroup, Namespace: "staging", Name: "bob"},
	reconcile.UserSubject("alice#2"), reconcile.UserSubject("bob#7"),
}

// oneOfOurs chooses a binding that is named as ours are.
func oneOfOurs(w *reconciletest.World, c *choices) (reconcile.Binding, bool) {
	var all []reconcile.Binding
	for _, object := range slices.Sorted(maps.Keys(w.Bindings)) {
		if b := w.Bindings[object]; ours(b) {
			all = append(all, b)
		}
	}
	if len(all) == 0 {
		return reconcile.Binding{}, false
	}
	return choose(c, all...), true
}

func touch(w *reconciletest.World, c *choices, change func(*reconcile.Binding)) {
	if b, ok := oneOfOurs(w, c); ok {
		change(&b)
		b.ResourceVersion = w.Next()
		w.Bindings[b.Object()] = b
	}
}
