package e2e

import "testing"

// TestUserpassNames: Vault's userpass refuses names with an @ or a +. A userpass user of another name reads the credential
// through the policy that manifests --vault writes for each user.
func TestUserpassNames(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	user := "alice@" + f.owner
	f.write("cluster: CLUSTER\nusers: [{name: alice@OWNER, clusterRoles: [view]}]")
	f.must(0, "apply", "--yes")
	f.enableAuth("kubernetes")
	mount := f.enableAuth("userpass")
	f.deployVault("access")

	const password = "correct-horse"
	put := func(name string) error {
		_, err := f.vault.Logical().WriteWithContext(t.Context(), "auth/"+mount+"/users/"+name, map[string]any{
			"password": password, "token_policies": "certsync-" + f.owner + "-users." + user,
		})
		return err
	}
	for name, accepted := range map[string]bool{user: false, "alice+" + f.owner: false, "alice": true, "alice.b_c-d": true} {
		if err := put(name); (err == nil) != accepted {
			t.Errorf("a userpass user %q: %v", name, err)
		}
	}
	client, err := f.vault.Clone()
	if err != nil {
		t.Fatal(err)
	}
	login, err := client.Logical().WriteWithContext(t.Context(), "auth/"+mount+"/login/alice", map[string]any{"password": password})
	if err != nil {
		t.Fatal(err)
	}
	alice := f.person("VAULT_TOKEN=" + f.secret("alice's token", login.Auth.ClientToken))
	alice.must(0, "kubeconfig", "--user="+user)
}
