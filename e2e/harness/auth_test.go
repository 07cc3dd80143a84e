package harness_test

import (
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"

	"github.com/certsync/certsync/e2e/harness"
)

// testAuthMethods enables every auth method, and logs in to Vault as a service account of the cluster,
// which takes the token request, the token review and Vault to work together.
func testAuthMethods(t *testing.T, s *harness.Servers) {
	vault := vaultClient(t, s)
	for _, method := range []string{"userpass", "approle", "jwt", "kubernetes"} {
		if err := vault.Sys().EnableAuthWithOptions(method, &api.EnableAuthOptions{Type: method}); err != nil {
			t.Fatal(err)
		}
	}
	kubectl(t, s, s.AdminKubeconfig, "-n=default", "create", "serviceaccount", "vault")
	kubectl(t, s, s.AdminKubeconfig, "-n=default", "create", "serviceaccount", "certsync")
	kubectl(t, s, s.AdminKubeconfig, "create", "clusterrolebinding", "vault", "--clusterrole=system:auth-delegator", "--serviceaccount=default:vault")
	token := func(account string) string {
		return strings.TrimSpace(kubectl(t, s, s.AdminKubeconfig, "-n=default", "create", "token", account))
	}
	for path, data := range map[string]map[string]any{
		"auth/kubernetes/config": {
			"kubernetes_host":      s.KubeURL,
			"kubernetes_ca_cert":   string(s.CACert),
			"token_reviewer_jwt":   token("vault"),
			"disable_local_ca_jwt": true,
		},
		"auth/kubernetes/role/certsync": {
			"bound_service_account_names":      "certsync",
			"bound_service_account_namespaces": "default",
			"token_policies":                   "certsync",
		},
	} {
		if _, err := vault.Logical().WriteWithContext(t.Context(), path, data); err != nil {
			t.Fatal(err)
		}
	}
	login, err := vault.Logical().WriteWithContext(t.Context(), "auth/kubernetes/login", map[string]any{
		"role": "certsync",
		"jwt":  token("certsync"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(login.Auth.Policies, " "); got != "certsync default" {
		t.Errorf("policies %q, want certsync default", got)
	}
}

func TestSigners(t *testing.T) {
	t.Run("one whose certificates the API server refuses", func(t *testing.T) {
		s := start(t, harness.Options{ForeignSigner: true, VaultInMemory: true})
		if err := s.WaitSigner(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("none", func(t *testing.T) {
		s := start(t, harness.Options{WithoutSigner: true, VaultInMemory: true})
		// The controller manager runs: it fills each namespace.
		kubectl(t, s, s.AdminKubeconfig, "-n=default", "wait", "--for=create", "serviceaccount/default", "--timeout=30s")
	})
}
