package reconcile_test

import (
	"strings"
	"testing"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// FuzzParseBindingName: whatever stands in a cluster, what is read as a grant has that very name, for one owner only.
func FuzzParseBindingName(f *testing.F) {
	for _, name := range []string{
		"certsync:prod-eu:user:alice@example.com:view", "certsync:prod-eu:group:devs:system:node#12", "certsync:prod-eu:group:devs:view#02",
		"certsync:prod-eu:group:devs:view#+2", "certsync:prod-eu:group:a:b#2#3", "certsync:prod-eu:user::", "certsync:", "cluster-admin", "",
		"certsync:prod-eu:user-role:alice:deployer", "certsync:prod-eu:group-role:devs:a:b#3", "certsync:prod-eu:user-role:user-role:",
		"certsync:prod-eu:user:\x1b[2J\u202e:view", "certsync:prod-eu:user:\xff:\xfe",
	} {
		f.Add("prod-eu", "", name)
		f.Add("prod", "staging", name)
	}
	f.Fuzz(func(t *testing.T, owner, namespace, name string) {
		g, ok := reconcile.ParseBindingName(owner, namespace, name)
		if !ok {
			return
		}
		if again := reconcile.BindingName(owner, g); again != name {
			t.Errorf("%q is read as %+v, whose name is %q", name, g, again)
		}
		if g.Namespace != namespace || g.Subject == "" || g.Role == "" || g.Part < 1 || g.For == reconcile.ForUser && g.Part > 1 || strings.Contains(g.Subject, ":") || strings.Contains(g.Role, "#") ||
			g.RoleKind == reconcile.NamespaceRole && namespace == "" {
			t.Errorf("%q is read as %+v", name, g)
		}
		if _, ok := reconcile.ParseBindingName(owner+"-2", namespace, name); ok {
			t.Errorf("%q belongs to %q, and to %q", name, owner, owner+"-2")
		}
	})
}

// FuzzBindingName: two grants have one object only if they are one grant of one owner, every name says its grant again, and
// what has that name is its owner's and nobody else's.
func FuzzBindingName(f *testing.F) {
	for _, s := range []struct{ owner, subject, namespace, role string }{
		{"prod-eu", "alice@example.com", "", "view"}, {"prod", "devs", "staging", "system:node"}, {"user", "user", "", "user:user:user"},
		{"a", "group", "a", "a:group:a:a"}, {"a-2", "a.b+c_d", "a", "-:"}, {"certsync", "certsync", "", ":"},
	} {
		f.Add(s.owner, true, s.subject, s.namespace, s.role, 1, "prod-eu", false, "alice", "", "view", 2)
		f.Add(s.owner, false, s.subject, s.namespace, s.role, 12, s.owner, false, s.subject, s.namespace, s.role+"1", 2)
	}
	f.Fuzz(func(t *testing.T, owner string, user bool, subject, namespace, role string, part int,
		owner2 string, user2 bool, subject2, namespace2, role2 string, part2 int) {
		g, ok := legalGrant(owner, user, subject, namespace, role, part)
		if !ok {
			return
		}
		hasOwnName(t, owner, g)
		h, ok := legalGrant(owner2, user2, subject2, namespace2, role2, part2)
		if !ok {
			return
		}
		a, b := reconcile.NewBinding(owner, g, nil), reconcile.NewBinding(owner2, h, nil)
		if one := owner == owner2 && g == h; (a.Object() == b.Object()) != one {
			t.Errorf("%q is %+v of %q, %q is %+v of %q", a.Object(), g, owner, b.Object(), h, owner2)
		}
		if _, ours := reconcile.ParseBindingName(owner2, a.Namespace, a.Name); ours != (owner2 == owner) || a.OwnerOf() != owner {
			t.Errorf("%q is of %q, by its name of %q, and %q's: %t", a.Object(), owner, a.OwnerOf(), owner2, ours)
		}
	})
}

// legalGrant is a grant as an inventory can give it.
func legalGrant(owner string, user bool, subject, namespace, role string, part int) (reconcile.Grant, bool) {
	g := reconcile.Grant{For: reconcile.ForGroup, Subject: subject, Namespace: namespace, Role: role, Part: max(part, 1)}
	if user {
		g.For, g.Part = reconcile.ForUser, 1
	}
	// Half of the numbers of parts stand for Roles, so that what was found before stays in use.
	if namespace != "" && part%2 == 0 {
		g.RoleKind = reconcile.NamespaceRole
	}
	return g, inventory.ValidOwner(owner) && inventory.ValidName(subject) && inventory.ValidRole(role) &&
		(namespace == "" || inventory.ValidNamespace(namespace))
}

func hasOwnName(t *testing.T, owner string, g reconcile.Grant) {
	t.Helper()
	b := reconcile.NewBinding(owner, g, []string{"alice"})
	if again, ours := reconcile.ParseBindingName(owner, b.Namespace, b.Name); !ours || again != g {
		t.Errorf("%+v has the name %q, which says %+v", g, b.Name, again)
	}
	for _, name := range []string{strings.ToUpper(b.Name), "x" + b.Name, b.Name + "#2#2"} {
		if g, ours := reconcile.ParseBindingName(owner, b.Namespace, name); ours {
			t.Errorf("%q says %+v", name, g)
		}
	}
}
