package e2e

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/vault/api"
)

// TestUsersPolicy: under the one policy for all users each reads their own credential, and whoever gets a name with
// wildcards from an auth method reads nobody's. Vault fills an alias in before it looks for wildcards.
func TestUsersPolicy(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	o := f.owner
	f.write("users: [{name: alice@OWNER}, {name: alice@OWNER-2}, {name: cy+x@OWNER}]")
	f.must(0, "apply", "--yes")
	mounts, err := f.vault.Sys().ListAuth()
	if err != nil {
		t.Fatal(err)
	}
	// Tokens of this method can be made for any alias.
	f.enableAuth("kubernetes")
	f.deployVault("access", "--vault-users-accessor="+mounts["token/"].Accessor)
	policy := "certsync-" + o + "-users"
	f.vaultPut("auth/token/roles/"+o, map[string]any{"allowed_policies": policy, "allowed_entity_aliases": "*"})
	token := func(alias string, policies ...string) string {
		t.Helper()
		made, err := f.vault.Auth().Token().CreateWithRole(&api.TokenCreateRequest{EntityAlias: alias, Policies: policies}, o)
		if err != nil {
			t.Fatalf("a token for %q: %v", alias, err)
		}
		return f.secret("the token of "+alias, made.Auth.ClientToken)
	}
	readable := func(alias string, policies ...string) []string {
		t.Helper()
		client, err := f.vault.Clone()
		if err != nil {
			t.Fatal(err)
		}
		client.SetToken(token(alias, policies...))
		found := []string{}
		for _, user := range []string{"alice@" + o, "alice@" + o + "-2", "cy+x@" + o} {
			if secret, err := client.KVv2("secret").Get(t.Context(), "certsync/"+o+"/users/"+user); err == nil && secret.Data["kubeconfig"] != nil {
				found = append(found, strings.ReplaceAll(user, o, "OWNER"))
			}
		}
		return found
	}
	for _, tt := range []struct {
		alias string
		want  []string
	}{
		{"alice@OWNER", []string{"alice@OWNER"}},
		{"alice@OWNER-2", []string{"alice@OWNER-2"}},
		{"cy+x@OWNER", []string{"cy+x@OWNER"}},
		{"*", nil}, {"+", nil}, {"+*", nil}, {"alice*", nil}, {"alice@OWNER*", nil}, {"a*", nil}, {"**", nil},
		{"+/alice@OWNER", nil}, {"*/alice@OWNER", nil}, {"x/../alice@OWNER", nil}, {"mallory", nil},
	} {
		if diff := cmp.Diff(append([]string{}, tt.want...), readable(strings.ReplaceAll(tt.alias, "OWNER", o), policy)); diff != "" {
			t.Errorf("%q: %s", tt.alias, diff)
		}
	}
	// The deny wins over rules with an earlier first wildcard, and loses to those with a later one. The policy of apply is one of these.
	alice := "alice@" + o
	for path, reads := range map[string]int{"*": 1, "secret/*": 1, "secret/data/*": 3, "secret/data/certsync/*": 3} {
		f.policy("more", `path "`+path+`" { capabilities = ["read", "list"] }`)
		more := []string{policy, "more-" + o, "certsync-" + o}
		f.vaultPut("auth/token/roles/"+o, map[string]any{"allowed_policies": more, "allowed_entity_aliases": "*"})
		if found := readable(alice, more[:2]...); len(found) != reads {
			t.Errorf("with a rule for %s, alice reads %q", path, found)
		}
		f.env = []string{"VAULT_TOKEN=" + token(alice, more[:2]...)}
		if r := f.must(1, "plan"); reads == 1 && !strings.Contains(r.stderr, "secret/metadata/certsync/"+o+"/users/") {
			t.Errorf("with a rule for %s: %s", path, r.stderr)
		}
		if found := readable(alice, more...); reads == 1 && len(found) > 0 {
			t.Errorf("with the policy of apply, alice reads %q", found)
		}
		f.env = []string{"VAULT_TOKEN=" + token(alice, more...)}
		f.must(0, "plan")
		f.env = nil
	}
	// What this would find: the policy as one would write it.
	f.policy("naive", `path "secret/data/certsync/OWNER/users/{{identity.entity.aliases.`+mounts["token/"].Accessor+`.name}}" { capabilities = ["read"] }`)
	f.vaultPut("auth/token/roles/"+o, map[string]any{"allowed_policies": "naive-" + o, "allowed_entity_aliases": "*"})
	if found := readable("alice*", "naive-"+o); len(found) != 2 {
		t.Errorf("under a policy without the second rule, alice* reads %q", found)
	}
}

// TestOneUsersPolicy: without an accessor each user's policy lets them read their own credential and no other.
func TestOneUsersPolicy(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	o := f.owner
	f.write("users: [{name: alice@OWNER}, {name: cy+x@OWNER}]")
	f.must(0, "apply", "--yes")
	f.enableAuth("kubernetes")
	f.deployVault("access")
	users := []string{"alice@" + o, "cy+x@" + o}
	for _, user := range users {
		made, err := f.vault.Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{"certsync-" + o + "-users." + user}})
		if err != nil {
			t.Fatal(err)
		}
		client, err := f.vault.Clone()
		if err != nil {
			t.Fatal(err)
		}
		client.SetToken(f.secret("the token of "+user, made.Auth.ClientToken))
		for _, other := range users {
			if _, err := client.KVv2("secret").Get(t.Context(), "certsync/"+o+"/users/"+other); (err == nil) != (user == other) {
				t.Errorf("%s reads %s: %v", user, other, err)
			}
		}
	}
}
