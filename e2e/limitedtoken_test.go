package e2e

import (
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"
)

// limitedToken makes a root token that ends after so many requests, or after a time.
func (f *fixture) limitedToken(uses int, ttl string) string {
	f.Helper()
	made, err := f.vault.Auth().Token().CreateWithContext(f.Context(), &api.TokenCreateRequest{NumUses: uses, TTL: ttl, Policies: []string{"root"}})
	if err != nil {
		f.Fatal(err)
	}
	return "VAULT_TOKEN=" + f.secret("a limited token", made.Auth.ClientToken)
}

// TestTokensThatRunOut: a token for a number of requests is refused before anything is written, and one that ends before people
// have approved is warned of.
func TestTokensThatRunOut(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.write("cluster: CLUSTER\nusers: [{name: alice@OWNER}]")
	env := f.env
	f.env = append(env[:len(env):len(env)], f.limitedToken(20, ""))
	kube, vault := f.size(shared.KubeAuditLog), f.size(shared.VaultAuditLog)
	if r := f.must(1, "apply", "--yes"); !strings.Contains(r.stderr, "the token allows only 19 more requests") || !strings.Contains(r.stderr, "hint: use a token without a limit") {
		t.Error(r.stderr)
	}
	f.noWrites(kube, vault)
	if c := f.preflight(1)["Vault"]; c.Result != "failed" || !strings.Contains(c.Detail, "more requests") {
		t.Errorf("preflight says %+v", c)
	}

	f.env = append(env[:len(env):len(env)], f.limitedToken(0, "5m")) // enough for one user without people
	manual := []string{"--approval=manual", "--approval-timeout=10m"}
	c := f.preflight(0, manual...)["Vault rights"]
	if c.Result != "warning" || !strings.Contains(c.Detail, "the Vault token expires in ") || !strings.Contains(c.Detail, "apply may take 11m") {
		t.Errorf("preflight says %+v", c)
	}
	// Without a terminal nobody can agree: apply warns and ends.
	if r := f.must(3, append([]string{"apply"}, manual...)...); !strings.Contains(r.stderr, "certsync: warning: the Vault token expires in ") || !strings.Contains(r.stderr, "vault token renew") {
		t.Error(r.stderr)
	}
	if r := f.must(0, "apply", "--yes"); strings.Contains(r.stderr, "the Vault token expires in") {
		t.Error(r.stderr)
	}
}
