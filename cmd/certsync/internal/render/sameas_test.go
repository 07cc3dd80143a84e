package render_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/cmd/certsync/internal/render"
	"github.com/certsync/certsync/inventory"
)

// TestDifferences: what differs is shown, and orders, defaults that are written elsewhere and equal parts are not.
func TestDifferences(t *testing.T) {
	parse := func(text string) *inventory.Inventory {
		inv, err := inventory.Parse("users.yaml", []byte("apiVersion: certsync.dev/v1\nkind: Inventory\nowner: a\n"+text), nil)
		if err != nil {
			t.Fatal(err)
		}
		return inv
	}
	for sentence, c := range map[string]struct{ before, after, want string }{
		"orders": {
			"groups: [{name: x, clusterRoles: [a, b], namespaces: [{selector: {a: x}, roles: [r, s]}, {selector: {b: x}, roles: [r]}]}, {name: z}]\nusers: [{name: a, groups: [x, z]}, {name: b}]",
			"groups: [{name: z}, {name: x, clusterRoles: [b, a], namespaces: [{selector: {b: x}, roles: [r]}, {selector: {a: x}, roles: [s, r]}]}]\nusers: [{name: b}, {name: a, groups: [z, x]}]", ""},
		"a default and the same with each user": {"defaults: {expiration: 24h, revokedBefore: 2026-01-01}\nusers: [{name: a}]", "users: [{name: a, expiration: 24h, revokedBefore: 2026-01-01}]", ""},
		"a default": {"defaults: {renewBefore: 20%, expiration: 24h}\nusers: [{name: a}]", "defaults: {groupsInCertificate: false}\nusers: [{name: a}]",
			"owner and cluster:\n  - defaults: {renewBefore: 20%}\n  + defaults: {groupsInCertificate: false}\nuser a:\n  - expiration: 24h\n  + expiration: 168h\n"},
		"somebody new": {"users: []", "users: [{name: a, previously: [b]}]", "user a:\n  + name: a\n  + previously: [b]\n  + expiration: 168h\n"},
		"a role in another namespace": {
			"users: [{name: a, namespaces: [{name: v, clusterRoles: [r]}, {name: w, clusterRoles: [s]}, {selector: {l: z}, roles: [t]}]}]",
			"users: [{name: a, namespaces: [{name: v, clusterRoles: [s]}, {name: w, clusterRoles: [r]}, {selector: {l: z}, roles: [t]}]}]",
			"user a:\n" + minus("name: a", "namespaces:", "  - name: v", "    clusterRoles: [r]", "  - name: w", "    clusterRoles: [s]", "  - selector: {l: z}", "    roles: [t]", "expiration: 168h") +
				plus("name: a", "namespaces:", "  - name: v", "    clusterRoles: [s]", "  - name: w", "    clusterRoles: [r]", "  - selector: {l: z}", "    roles: [t]", "expiration: 168h")},
	} {
		before, after := parse(c.before), parse(c.after)
		if diff := cmp.Diff(c.want, string(render.Differences(before, after))); diff != "" || (c.want == "") != (before.Digest() == after.Digest()) {
			t.Errorf("%s: %s", sentence, diff)
		}
	}
	before, after := parse("users: []"), parse("users: [{name: a}]")
	after.Users[0].Request = []byte("PEM")
	if got := string(render.Differences(before, after)); !strings.Contains(got, "  + request with SHA-256 ") {
		t.Error(got)
	}
	after.Users = nil
	for i := range 300 {
		after.Users = append(after.Users, inventory.User{Name: fmt.Sprintf("user-%d", i)})
	}
	if got := string(render.Differences(before, after)); !strings.HasSuffix(got, "\nand 100 further differences\n") {
		t.Error(got[len(got)-100:])
	}
}

func minus(lines ...string) string { return "  - " + strings.Join(lines, "\n  - ") + "\n" }
func plus(lines ...string) string  { return "  + " + strings.Join(lines, "\n  + ") + "\n" }
