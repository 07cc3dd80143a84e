package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"
)

// TestPlanWithReadOnlyRights: plan needs to read the cluster, and in Vault the ledger, the state and metadata: no key.
func TestPlanWithReadOnlyRights(t *testing.T) {
	t.Parallel()
	f := settled(t)
	reader := "reader-" + f.owner
	f.kubectl("create", "clusterrole", reader, "--verb=get,list",
		"--resource=certificatesigningrequests.certificates.k8s.io,clusterrolebindings.rbac.authorization.k8s.io,rolebindings.rbac.authorization.k8s.io,clusterroles.rbac.authorization.k8s.io,roles.rbac.authorization.k8s.io,namespaces,configmaps,leases.coordination.k8s.io")
	f.kubectl("create", "clusterrolebinding", reader, "--clusterrole="+reader, "--user="+reader)
	var err error
	if f.kubeconfig, err = shared.UserKubeconfig(reader, nil); err != nil {
		t.Fatal(err)
	}
	f.env = append(f.env, "VAULT_TOKEN="+f.token(`
path "secret/metadata/certsync/OWNER/ledger/*" { capabilities = ["list"] }
path "secret/data/certsync/OWNER/ledger/*"     { capabilities = ["read"] }
path "secret/data/certsync/OWNER/state"        { capabilities = ["read"] }
path "secret/metadata/certsync/OWNER/users/*"  { capabilities = ["list", "read"] }
`))
	if p := f.plan(); p.Changes {
		t.Errorf("plan: %q", p.steps())
	}
	f.write(team + "  - {name: dan@OWNER}\n")
	if r := f.must(2, "plan", "--detailed-exitcode"); !strings.Contains(r.stdout, "1 to issue") {
		t.Error(r.stdout)
	}
	// The same identity cannot apply, and is told what it lacks before anything is written.
	r := f.must(1, "apply", "--yes")
	for _, want := range []string{`"` + reader + `" may not: approve signers.certificates.k8s.io "kubernetes.io/kube-apiserver-client"`,
		"create certificatesigningrequests.certificates.k8s.io", "nothing was written"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("apply does not say %q: %s", want, r.stderr)
		}
	}
}

// token makes a Vault token with one policy, beside Vault's own default one.
func (f *fixture) token(policy string) string {
	f.Helper()
	name := "policy-" + f.owner
	if err := f.vault.Sys().PutPolicy(name, strings.ReplaceAll(policy, "OWNER", f.owner)); err != nil {
		f.Fatal(err)
	}
	secret, err := f.vault.Auth().Token().CreateWithContext(context.Background(), &api.TokenCreateRequest{Policies: []string{name}})
	if err != nil {
		f.Fatal(err)
	}
	f.secrets.add("the token of "+name, secret.Auth.ClientToken)
	return secret.Auth.ClientToken
}

// TestVaultRights: a token that cannot write is found out before anything is written.
func TestVaultRights(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.write("users: [{name: alice@OWNER}]")
	f.env = append(f.env, "VAULT_TOKEN="+f.token(`
path "secret/metadata/certsync/OWNER/*" { capabilities = ["list", "read"] }
path "secret/data/certsync/OWNER/ledger/*" { capabilities = ["read", "create", "update"] }
path "secret/data/certsync/OWNER/state"    { capabilities = ["read", "create", "update"] }
`))
	kube, vault := f.size(shared.KubeAuditLog), f.size(shared.VaultAuditLog)
	r := f.must(1, "apply", "--yes")
	if want := `"create" and "update" on secret/data/certsync/` + f.owner + "/users/alice@" + f.owner; !strings.Contains(r.stderr, want) {
		t.Errorf("apply does not say %q: %s", want, r.stderr)
	}
	f.noWrites(kube, vault)
}

// TestNotes: what a reviewer must know, and no step says.
func TestNotes(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.kubectl("create", "clusterrolebinding", "old-"+f.owner, "--clusterrole=admin", "--user=alice@"+f.owner)
	f.kubectl("create", "rolebinding", "old", "-n", f.namespace("team"), "--clusterrole=edit", "--group=devs-"+f.owner)
	f.write("cluster: CLUSTER\ngroups: [{name: devs-OWNER}]\nusers: [{name: alice@OWNER, groups: [devs-OWNER], clusterRoles: [no-such-OWNER], namespaces: {nowhere-OWNER: [view]}}]")
	f.env = append(f.env, "CERTSYNC_LOCK_NAMESPACE="+f.namespace("locks")) // in kube-system other tests come and go
	p := f.plan()
	got := []string{}
	for _, n := range p.Notes {
		got = append(got, fmt.Sprintf("%s %s%s %s", n.Kind, n.User, n.Group, n.Object))
	}
	want := []string{
		"endpoint-local  ", // these servers are on loopback
		"existing-access devs-OWNER RoleBinding team-OWNER/old",
		"clusterrole-missing alice@OWNER ClusterRole no-such-OWNER",
		"existing-access alice@OWNER ClusterRoleBinding old-OWNER",
		"namespace-missing alice@OWNER Namespace nowhere-OWNER",
	}
	if strings.Join(got, "\n") != strings.ReplaceAll(strings.Join(want, "\n"), "OWNER", f.owner) {
		t.Errorf("notes:\n%s", strings.Join(got, "\n"))
	}
	if first, second := f.must(0, "plan", "-o", "json"), f.must(0, "plan", "-o", "json"); first.stdout != second.stdout {
		t.Errorf("two plans of the same: %s\n%s", first.stdout, second.stdout)
	}
	f.must(0, "apply", "--yes")
	if p := f.plan(); p.Changes {
		t.Errorf("after apply: %q", p.steps())
	}
}
