package reconcile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// words lists all words of an alphabet up to a length, without the empty one.
func words(alphabet string, length int) []string {
	all := []string{}
	last := []string{""}
	for range length {
		var next []string
		for _, w := range last {
			for _, r := range alphabet {
				next = append(next, w+string(r))
			}
		}
		all = append(all, next...)
		last = next
	}
	return all
}

// TestBindingNamesAreInjective goes through every grant of a small world, for all owners of it at once: no two have
// one object, every name says its grant again, and no owner takes another's for its own.
func TestBindingNamesAreInjective(t *testing.T) {
	owners := []string{"a", "a-1", "user", "group", "certsync"}
	subjects := slices.DeleteFunc(append(words("a1-", 2), "user", "group", "user-role", "group-role", "a.b@c", "certsync"), func(s string) bool { return !inventory.ValidName(s) })
	roles := slices.DeleteFunc(append(words("a1:-", 2), "system:node", "user:a:a", "group:a:a", "user-role:a:a", "role", "-role:a"), func(s string) bool { return !inventory.ValidRole(s) })
	type key struct{ namespace, name string }
	seen := map[key]string{}
	for _, owner := range owners {
		for _, namespace := range []string{"", "a", "a-1"} {
			for _, subject := range subjects {
				for _, role := range roles {
					for n := range 26 { // parts of a ClusterRole and of a Role; 0 is the user's own
						part := n % 13
						g := reconcile.Grant{For: reconcile.ForGroup, Subject: subject, Namespace: namespace, Role: role, Part: part}
						if part == 0 {
							g.For, g.Part = reconcile.ForUser, 1
						}
						if n >= 13 {
							g.RoleKind = reconcile.NamespaceRole
						}
						if n >= 13 && namespace == "" {
							continue
						}
						k, who := key{namespace, reconcile.BindingName(owner, g)}, fmt.Sprintf("%s %+v", owner, g)
						if other, taken := seen[k]; taken {
							t.Fatalf("%+v is %s, and %s", k, who, other)
						}
						seen[k] = who
						if again, ok := reconcile.ParseBindingName(owner, namespace, k.name); !ok || again != g {
							t.Fatalf("%q is %+v, and read as %+v, %t", k.name, g, again, ok)
						}
					}
				}
			}
		}
	}
	for k, who := range seen {
		for _, owner := range owners {
			if _, ok := reconcile.ParseBindingName(owner, k.namespace, k.name); ok && !strings.HasPrefix(who, owner+" ") {
				t.Fatalf("%s takes the object of %s for its own", owner, who)
			}
		}
	}
}

// TestParseBindingNameIsInverse goes through all short names that begin like ours, and some that don't: what is read as
// a grant is that grant's own name, and nobody else's.
func TestParseBindingNameIsInverse(t *testing.T) {
	read := map[reconcile.Grant]string{}
	for _, start := range []string{"certsync:o:user:", "certsync:o:group:", "certsync:o:user-role:", "certsync:o:group-role:", "certsync:o:", "certsync:", "certsync:p:user:", ""} {
		for _, rest := range append(words("a:#12", 6), "") {
			name := start + rest
			g, ok := reconcile.ParseBindingName("o", "n", name)
			if !ok {
				continue
			}
			if again := reconcile.BindingName("o", g); again != name {
				t.Fatalf("%q is read as %+v, whose name is %q", name, g, again)
			}
			if other, taken := read[g]; taken {
				t.Fatalf("%q and %q are both read as %+v", name, other, g)
			}
			read[g] = name
		}
	}
	if len(read) < 1000 {
		t.Errorf("only %d names were read", len(read))
	}
}

func TestParseBindingName(t *testing.T) {
	tests := map[string]struct {
		name string
		want reconcile.Grant
		ok   bool
	}{
		"a user's role":              {"certsync:prod-eu:user:alice@example.com:view", reconcile.Grant{reconcile.ForUser, "alice@example.com", "", "", "view", 1}, true},
		"a role with colons":         {"certsync:prod-eu:user:alice:system:node", reconcile.Grant{reconcile.ForUser, "alice", "", "", "system:node", 1}, true},
		"a group's role":             {"certsync:prod-eu:group:devs:view", reconcile.Grant{reconcile.ForGroup, "devs", "", "", "view", 1}, true},
		"its second part":            {"certsync:prod-eu:group:devs:view#2", reconcile.Grant{reconcile.ForGroup, "devs", "", "", "view", 2}, true},
		"its twelfth part":           {"certsync:prod-eu:group:devs:view#12", reconcile.Grant{reconcile.ForGroup, "devs", "", "", "view", 12}, true},
		"a Role cluster-wide":        {"certsync:prod-eu:user-role:alice:deployer", reconcile.Grant{}, false},
		"a first part with a number": {"certsync:prod-eu:group:devs:view#1", reconcile.Grant{}, false},
		"part 0":                     {"certsync:prod-eu:group:devs:view#0", reconcile.Grant{}, false},
		"a negative part":            {"certsync:prod-eu:group:devs:view#-2", reconcile.Grant{}, false},
		"a part with a sign":         {"certsync:prod-eu:group:devs:view#+2", reconcile.Grant{}, false},
		"a part with a zero":         {"certsync:prod-eu:group:devs:view#02", reconcile.Grant{}, false},
		"a part with a blank":        {"certsync:prod-eu:group:devs:view# 2", reconcile.Grant{}, false},
		"a part without a number":    {"certsync:prod-eu:group:devs:view#", reconcile.Grant{}, false},
		"a part of a part":           {"certsync:prod-eu:group:devs:view#2#3", reconcile.Grant{}, false},
		"a part beyond all integers": {"certsync:prod-eu:group:devs:view#99999999999999999999", reconcile.Grant{}, false},
		"other digits":               {"certsync:prod-eu:group:devs:view#２", reconcile.Grant{}, false},
		"a user's part":              {"certsync:prod-eu:user:alice:view#2", reconcile.Grant{}, false},
		"another kind":               {"certsync:prod-eu:robot:r2d2:view", reconcile.Grant{}, false},
		"another owner":              {"certsync:prod-us:user:alice:view", reconcile.Grant{}, false},
		"an owner who begins alike":  {"certsync:prod-eu-2:user:alice:view", reconcile.Grant{}, false},
		"no owner":                   {"certsync:user:alice:view", reconcile.Grant{}, false},
		"no subject":                 {"certsync:prod-eu:user::view", reconcile.Grant{}, false},
		"no role":                    {"certsync:prod-eu:user:alice:", reconcile.Grant{}, false},
		"no role but a part":         {"certsync:prod-eu:group:devs:#2", reconcile.Grant{}, false},
		"too short":                  {"certsync:prod-eu:user:alice", reconcile.Grant{}, false},
		"something before":           {"x-certsync:prod-eu:user:alice:view", reconcile.Grant{}, false},
		"nothing":                    {"", reconcile.Grant{}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got, ok := reconcile.ParseBindingName("prod-eu", "", tt.name); got != tt.want && tt.ok || ok != tt.ok {
				t.Errorf("%+v, %t", got, ok)
			}
		})
	}
}

func TestParseBindingNameOfRoles(t *testing.T) {
	for name, want := range map[string]reconcile.Grant{
		"certsync:prod-eu:user-role:alice:deployer":  {reconcile.ForUser, "alice", "staging", reconcile.NamespaceRole, "deployer", 1},
		"certsync:prod-eu:group-role:devs:a:b.c#2":   {reconcile.ForGroup, "devs", "staging", reconcile.NamespaceRole, "a:b.c", 2},
		"certsync:prod-eu:user:alice:role:x":         {reconcile.ForUser, "alice", "staging", reconcile.ClusterRole, "role:x", 1},
		"certsync:prod-eu:user-role:alice:edit#2":    {},
		"certsync:prod-eu:user-role-role:alice:edit": {},
		"certsync:prod-eu:-role:alice:edit":          {},
	} {
		got, ok := reconcile.ParseBindingName("prod-eu", "staging", name)
		if ok != (want.Part > 0) || ok && got != want {
			t.Errorf("%s: %+v, %t", name, got, ok)
		}
		if ok && (got.RoleRef() != reconcile.RoleRef{Kind: want.RoleKind.String(), Name: want.Role} || reconcile.NewBinding("prod-eu", got, nil).Name != name) {
			t.Errorf("%s: %+v", name, reconcile.NewBinding("prod-eu", got, nil))
		}
	}
}

// TestNameAloneSaysWhose: neither labels nor what a binding grants make it ours, or anybody else's.
func TestNameAloneSaysWhose(t *testing.T) {
	g := reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Namespace: "staging", Role: "edit", Part: 2}
	ours := reconcile.NewBinding("prod", g, []string{"alice"})
	for sentence, tt := range map[string]struct {
		change func(*reconcile.Binding)
		owner  string
	}{
		"its labels are there":             {func(*reconcile.Binding) {}, "prod"},
		"it has no labels":                 {func(b *reconcile.Binding) { b.ManagedBy, b.Owner = "", "" }, "prod"},
		"its labels are another owner's":   {func(b *reconcile.Binding) { b.Owner = "prod-2" }, "prod"},
		"it has another role":              {func(b *reconcile.Binding) { b.RoleRef = reconcile.RoleRef{Kind: "Role", Name: "admin"} }, "prod"},
		"its name is another owner's":      {func(b *reconcile.Binding) { b.Name = strings.Replace(b.Name, ":prod:", ":prod-2:", 1) }, "prod-2"},
		"an owner is the others' start":    {func(b *reconcile.Binding) { b.Name = strings.Replace(b.Name, ":prod:", ":pro:", 1) }, "pro"},
		"labels of ours, any other name":   {func(b *reconcile.Binding) { b.Name = "edit" }, ""},
		"a name that certsync never gives": {func(b *reconcile.Binding) { b.Name = "certsync:prod:group:devs-:edit" }, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			b := ours
			tt.change(&b)
			for _, owner := range []string{"prod", "prod-2", "pro"} {
				if got, is := reconcile.ParseBindingName(owner, b.Namespace, b.Name); is != (owner == tt.owner) || is && got != g {
					t.Errorf("%q is owner %q's: %t, %+v", b.Name, owner, is, got)
				}
			}
		})
	}
}
