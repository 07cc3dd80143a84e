package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/vault/api"
)

// TestUsersByJWT: who logs in by Vault's jwt method, under the policy that manifests prints for all users of that method, gets
// their own kubeconfig and of nobody else neither data nor metadata, and lists nothing. Somebody whose name is a wildcard of
// Vault's gets nothing at all.
func TestUsersByJWT(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	o := f.owner
	users := []string{"alice@example.com", "cy+x", "bob"}
	f.write("users: [{name: alice@example.com}, {name: cy+x}, {name: bob}]")
	f.must(0, "apply", "--yes")
	mount, key := f.newJWTMount()
	mounts, err := f.vault.Sys().ListAuthWithContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f.enableAuth("kubernetes")
	f.deployVault("access", "--vault-users-accessor="+mounts[mount+"/"].Accessor)
	f.authRole(mount, "people", map[string]any{
		"role_type": "jwt", "user_claim": "sub", "bound_audiences": audience, "token_policies": []string{"certsync-" + o + "-users"},
	})
	for alias, want := range map[string][]string{
		"alice@example.com": {"alice@example.com"}, "cy+x": {"cy+x"}, "*": nil, "+": nil, "mallory": nil,
	} {
		jwt := f.newJWT(key, alias)
		who := f.person()
		login := []string{"--vault-auth=jwt", "--vault-auth-mount=" + mount, "--vault-role=people", "--vault-token-file=" + f.secretFile(jwt)}
		var got []string
		for _, user := range users {
			r := who.certsync(append([]string{"kubeconfig", "--user=" + user}, login...)...)
			switch {
			case r.code == 0 && r.stdout == f.kv("users/" + user)["kubeconfig"] && r.stderr == "":
				got = append(got, user)
			case r.code != 1 || r.stdout != "" || !strings.Contains(r.stderr, "403 Forbidden: permission denied") ||
				!strings.Contains(r.stderr, ` belongs to "`+mount+"-"+alias+`"`):
				t.Errorf("%s asks for %s: exit %d, %s%s", alias, user, r.code, r.stdout, r.stderr)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("kubeconfigs of %s: %s", alias, diff)
		}
		if r := who.certsync(append([]string{"kubeconfig", "--user=" + alias}, login...)...); !slices.Contains(want, alias) && (r.code == 0 || r.stdout != "") {
			t.Errorf("%s's own: exit %d, %s", alias, r.code, r.stdout)
		}
		if diff := cmp.Diff(want, f.readableBy(mount, jwt, users)); diff != "" {
			t.Errorf("paths of %s: %s", alias, diff)
		}
	}
	f.noTokens(mount)
}

// readableBy logs in without certsync, and returns whose credential that can be read. All else that it tries is an error
// unless Vault denies it.
func (f *fixture) readableBy(mount, jwt string, users []string) (found []string) {
	f.Helper()
	auth := f.vaultPut("auth/"+mount+"/login", map[string]any{"role": "people", "jwt": jwt}).Auth
	client, err := f.vault.Clone()
	if err != nil {
		f.Fatal(err)
	}
	client.SetToken(f.secret("a token by JWT", auth.ClientToken))
	denied := func(verb, path string, err error) {
		f.Helper()
		if !forbidden(err) {
			f.Errorf("%s %s: %v", verb, path, err)
		}
	}
	folder := "/certsync/" + f.owner + "/"
	for _, user := range users {
		secret, err := client.Logical().ReadWithContext(f.Context(), "secret/data"+folder+"users/"+user)
		if err == nil && secret != nil && secret.Data["data"] != nil {
			found = append(found, user)
		} else {
			denied("read", user, err)
		}
		// That of their own they may read: the policy has one rule for both.
		if _, err = client.Logical().ReadWithContext(f.Context(), "secret/metadata"+folder+"users/"+user); !slices.Contains(found, user) {
			denied("read the metadata of", user, err)
		}
		_, err = client.Logical().ReadWithContext(f.Context(), "secret/data"+folder+"ledger/"+user)
		denied("read the ledger of", user, err)
		_, err = client.Logical().WriteWithContext(f.Context(), "secret/data"+folder+"users/"+user, map[string]any{"data": map[string]string{"kubeconfig": "planted"}})
		denied("write", user, err)
	}
	for _, path := range []string{"secret/metadata" + folder + "users", "secret/metadata" + folder, "secret/metadata/certsync"} {
		_, err := client.Logical().ListWithContext(f.Context(), path)
		denied("list", path, err)
	}
	if err := client.Auth().Token().RevokeSelfWithContext(f.Context(), ""); err != nil {
		f.Error(err)
	}
	return found
}

func forbidden(err error) bool {
	answered, ok := err.(*api.ResponseError)
	return ok && answered.StatusCode == 403
}
