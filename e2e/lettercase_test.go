package e2e

import (
	"strings"
	"testing"
)

// TestLetterCase: userpass knows Alice.Smith as alice.smith, who may not read the credential of Alice.Smith under one policy for all
// users. Preflight, manifests and the user's own message say so, and a rename by case mends it.
func TestLetterCase(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	o := f.owner
	upper, lower := "Alice.Smith-"+o, "alice.smith-"+o
	f.write("cluster: CLUSTER\nusers: [{name: " + upper + ", clusterRoles: [view]}]")
	f.must(0, "apply", "--yes")

	f.enableAuth("kubernetes")
	mount := f.enableAuth("userpass")
	methods, err := f.vault.Sys().ListAuthWithContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	accessor := methods[mount+"/"].Accessor
	if r := f.must(0, "manifests", "--vault", "--vault-users-accessor="+accessor); !strings.Contains(r.stderr,
		"certsync: warning: users who log in by "+accessor+" have names in lower case in Vault") || !strings.Contains(r.stderr, "previously: ["+upper+"]") {
		t.Error(r.stderr)
	}
	if c := f.preflight(0)["users' names"]; c.Result != "warning" || !strings.Contains(c.Detail, "userpass at "+mount+"/") || !strings.Contains(c.Hint, "name: "+lower) {
		t.Errorf("preflight says %+v", c)
	}
	f.deployVault("access", "--vault-users-accessor="+accessor)
	const password = "correct-horse"
	f.vaultPut("auth/"+mount+"/users/"+upper, map[string]any{"password": password, "token_policies": "certsync-" + o + "-users"})
	client, err := f.vault.Clone()
	if err != nil {
		t.Fatal(err)
	}
	login, err := client.Logical().WriteWithContext(t.Context(), "auth/"+mount+"/login/"+upper, map[string]any{"password": password})
	if err != nil {
		t.Fatal(err)
	}
	alice := f.person("VAULT_TOKEN=" + f.secret("alice's token", login.Auth.ClientToken))
	if r := alice.must(1, "kubeconfig", "--user="+upper); !strings.Contains(r.stderr, "Vault's userpass and LDAP turn names into lower case") ||
		!strings.Contains(r.stderr, "(name: "+lower+", previously: ["+upper+"])") {
		t.Error(r.stderr)
	}

	f.write("cluster: CLUSTER\nusers: [{name: " + lower + ", previously: [" + upper + "], clusterRoles: [view]}]")
	f.must(0, "apply", "--yes")
	f.must(0, "plan", "--detailed-exitcode")
	if r := alice.must(0, "kubeconfig", "--user="+lower); !strings.Contains(r.stdout, lower) {
		t.Error("the credential of the new name cannot be read")
	}
	if c, said := f.preflight(0)["users' names"]; said {
		t.Errorf("preflight says %+v", c)
	}
}
