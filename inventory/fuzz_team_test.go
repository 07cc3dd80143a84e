package inventory

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory/strict"
)

// FuzzTeam: whatever a team writes into its file, the inventory stays as it is but for people, in the team's groups and within
// its time.
func FuzzTeam(f *testing.F) {
	f.Add([]byte(teamHeader + "users: [{name: bob, groups: [ops, dev], expiration: 12h, until: 2027-06-30}, {name: carol}]"))
	for _, c := range fileRefusals {
		f.Add([]byte(c.text))
	}
	schema := validator(f, TeamSchema())
	without := mustParse(f, withTeam, filesOf("teams/payments.yaml", teamHeader+"users: []"))
	f.Fuzz(func(t *testing.T, data []byte) {
		inv, err := parseTeam(string(data))
		if _, _, found := strict.Find(data, "kind", TeamKind); err == nil && !found {
			t.Fatal("it would not be found where no team has it")
		}
		if err != nil {
			for _, p := range err.(strict.Problems) {
				if !onOneLine(p) || p.Line < 1 || p.Column < 1 {
					t.Fatalf("%#v", p)
				}
			}
			return
		}
		obeys(t, inv)
		own, given := inv.Users[:len(without.Users)], inv.Users[len(without.Users):]
		for i, u := range given {
			if u.Team != "payments" || u.ClusterRoles != nil || u.Namespaces != nil || u.Previously != nil || u.Expiration > 24*time.Hour {
				t.Fatalf("%+v", u)
			}
			if slices.ContainsFunc(u.Groups, func(g string) bool { return g != "dev" && g != "ops" }) {
				t.Fatalf("groups %q", u.Groups)
			}
			given[i].Team = "" // in one file there are none
		}
		again, err := Parse("users.yaml", inv.Encode(Comments{}), nil)
		if err != nil || again.Digest() != inv.Digest() {
			t.Fatalf("written into one file, it is another inventory (%v)", err)
		}
		if diff := cmp.Diff(inv, again); diff != "" {
			t.Fatal(diff)
		}
		if inv.Users = own; !cmp.Equal(without, inv) {
			t.Fatal(cmp.Diff(without, inv))
		}
		if err := validate(schema, string(data)); err != nil {
			t.Fatalf("the schema refuses what the parser takes: %v", err)
		}
	})
}
