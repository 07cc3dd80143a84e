package e2e

import (
	"testing"
)

// TestKubernetesMethod: what other tests log in with works, and nothing but the service account that a role is for,
// with a token made for Vault.
func TestKubernetesMethod(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	namespace := f.namespace("jobs")
	f.serviceAccount(namespace, "certsync")
	f.serviceAccount(namespace, "other")
	mount := f.enableAuth("kubernetes")
	f.kubernetesRole(mount, "certsync", namespace, "certsync", []string{f.policy("login", `path "secret/*" { capabilities = ["read"] }`)}, nil)
	for name, tt := range map[string]struct {
		token string
		ok    bool
	}{
		"the account's":               {f.serviceAccountToken(namespace, "certsync", audience), true},
		"made for the API server":     {f.serviceAccountToken(namespace, "certsync"), false},
		"another service account's":   {f.serviceAccountToken(namespace, "other", audience), false},
		"made for somebody else": {f.serviceAccountToken(namespace, "certsync", "somebody"), false},
	} {
		_, err := f.vault.Logical().WriteWithContext(t.Context(), "auth/"+mount+"/login", map[string]any{"role": "certsync", "jwt": tt.token})
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if living := f.accessors(mount); len(living) != 1 {
		t.Errorf("%d tokens live", len(living))
	}
	if _, err := f.vault.Logical().WriteWithContext(t.Context(), "auth/token/revoke-accessor", map[string]any{"accessor": f.accessors(mount)[0]}); err != nil {
		t.Fatal(err)
	}
	f.noTokens(mount)
}
