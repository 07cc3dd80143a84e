package inventory

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

func FuzzParse(f *testing.F) {
	full, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(full)
	f.Add([]byte(digestBase))
	for _, table := range []map[string]refusal{documentRefusals, fieldRefusals, nameRefusals, timeRefusals, clusterRefusals} {
		for _, c := range table {
			f.Add([]byte(c.text))
		}
	}
	files := fstest.MapFS{"ca.crt": {Data: certificate(f)}}
	f.Fuzz(func(t *testing.T, data []byte) {
		inv, err := Parse("users.yaml", data, files)
		again, errAgain := Parse("users.yaml", data, files)
		if err != nil {
			if errAgain == nil || err.Error() != errAgain.Error() {
				t.Fatalf("first %v, then %v", err, errAgain)
			}
			for _, p := range err.(Problems) {
				if p.String() != printable(p.String()) || p.Line < 1 || p.Column < 1 {
					t.Fatalf("%#v", p)
				}
			}
			return
		}
		if errAgain != nil || inv.Digest() != again.Digest() {
			t.Fatal("two parses of the same bytes differ")
		}
		obeys(t, inv)
	})
}

// obeys checks what the rest of certsync relies on.
func obeys(t *testing.T, inv *Inventory) {
	t.Helper()
	if !ValidOwner(inv.Owner) {
		t.Fatalf("owner %q", inv.Owner)
	}
	groups := map[string]bool{}
	for _, g := range inv.Groups {
		if !ValidName(g.Name) || groups[g.Name] {
			t.Fatalf("group %q", g.Name)
		}
		groups[g.Name] = true
		obeyGrants(t, g.ClusterRoles, g.Namespaces)
	}
	users, people := map[string]bool{}, map[string]bool{}
	for _, u := range inv.Users {
		people[strings.ToLower(u.Name)] = true
	}
	for _, u := range inv.Users {
		for _, old := range u.Previously {
			if !ValidName(old) || people[strings.ToLower(old)] {
				t.Fatalf("old name %q", old)
			}
			people[strings.ToLower(old)] = true
		}
		if !ValidName(u.Name) || users[u.Name] {
			t.Fatalf("user %q", u.Name)
		}
		users[u.Name] = true
		if u.Expiration < minExpiration || u.Expiration > maxExpiration {
			t.Fatalf("expiration %s", u.Expiration)
		}
		if before := inv.Defaults.RenewBefore.Of(u.Expiration); before <= 0 || before >= u.Expiration {
			t.Fatalf("renewed %s before the end of %s", before, u.Expiration)
		}
		for _, g := range u.Groups {
			if !groups[g] {
				t.Fatalf("group %q", g)
			}
		}
		obeyGrants(t, u.ClusterRoles, u.Namespaces)
	}
}

func obeyGrants(t *testing.T, clusterRoles []Grant, namespaces map[string][]Grant) {
	t.Helper()
	all := clusterRoles
	for namespace, grants := range namespaces {
		if !ValidNamespace(namespace) || len(grants) == 0 {
			t.Fatalf("namespace %q", namespace)
		}
		all = append(all[:len(all):len(all)], grants...)
	}
	for _, g := range all {
		if !ValidClusterRole(g.ClusterRole) {
			t.Fatalf("role %q", g.ClusterRole)
		}
	}
}
