package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// takesEffect is how long the API servers may take to read an admission policy or a configuration.
const takesEffect = time.Minute

// soon waits until a command of kubectl ends as it should.
func (f *fixture) soon(kubeconfig string, done func(said string, err error) bool, args ...string) {
	f.Helper()
	eventually(f, takesEffect, "kubectl "+strings.Join(args, " "), func() bool {
		out, err := f.tryKubectl(kubeconfig, args...)
		return done(out+errorText(err), err)
	})
}

func deniedByPolicy(said string, err error) bool {
	return err != nil && strings.Contains(said, "certsync has revoked this certificate: fetch the present kubeconfig from Vault")
}

// TestRevocationPolicyOnServers: with the policy of the manifests, and the rights in them alone, apply keeps the list. Writes of a
// revoked certificate are denied although bindings of others allow them. A policy that is deployed again keeps its list, one that
// was deleted fails the run, and nobody else notices anything.
func TestRevocationPolicyOnServers(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	o := f.owner
	f.namespace("staging")
	f.namespace("payments")
	f.write("cluster: CLUSTER\n" + team)
	f.must(0, "apply", "--yes")
	namespace := f.deploy()
	f.deployKubernetes(namespace, "--revocation")
	f.apply(`{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: legacy, namespace: staging-OWNER},
 roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}, subjects: [
 {kind: User, apiGroup: rbac.authorization.k8s.io, name: alice@OWNER}, {kind: Group, apiGroup: rbac.authorization.k8s.io, name: devs-OWNER}]}`)
	stolen, bob := f.userKubeconfig("alice@"+o), f.userKubeconfig("bob@"+o)
	write := func(name string) []string { return []string{"create", "configmap", name, "-n", "staging-" + o} }
	f.allowed(stolen, write("before")...)
	f.become(namespace, applyAccount, f.servers.KubeURL)
	f.must(0, "apply", "--yes", "--revoke", "alice@"+o)
	f.soon(stolen, deniedByPolicy, write("stolen")...)
	if said, err := f.tryKubectl(stolen, "exec", "-n", "staging-"+o, "no-such-pod", "--", "sh"); !deniedByPolicy(said+err.Error(), err) && !strings.Contains(err.Error(), "not found") {
		t.Errorf("exec: %v", err)
	}
	f.allowed(stolen, "get", "configmaps", "-n", "staging-"+o) // reads are what this tier leaves
	r := f.revocations()
	if len(r.Certificates) != 1 || !r.Certificates[0].Denied || len(r.Certificates[0].ResidualAccess) != 2 || r.Tiers["admission"] != "in-force" {
		t.Errorf("%+v", r)
	}
	second := f.userKubeconfig("alice@" + o)
	f.allowed(second, write("second")...)
	f.allowed(bob, write("bob")...)
	f.must(0, "plan", "--detailed-exitcode")

	// Deployed again, by server and by client, the policy keeps its list.
	env := f.env
	f.env = nil
	f.deployKubernetes(namespace, "--revocation")
	text := f.must(0, "manifests", "--namespace="+namespace, "--vault-addr="+f.servers.VaultAddr, "--vault-ca="+f.servers.VaultCACert, "--image=certsync:e2e", "--revocation").stdout
	path := filepath.Join(t.TempDir(), "certsync.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f.kubectl("apply", "-f", path)
	if said, err := f.tryKubectl(stolen, write("stolen")...); !deniedByPolicy(said+errorText(err), err) {
		t.Errorf("after the manifests were applied again: %v", err)
	}

	// Deleted, it is missed: that step fails, and the others are done.
	f.kubectl("delete", "validatingadmissionpolicy", "certsync-"+o+"-revoked")
	f.env = env
	if r := f.must(1, "apply", "--yes", "--revoke", "bob@"+o); !strings.Contains(r.stdout, "certsync manifests --revocation") {
		t.Error(r.stdout)
	}
	f.forbidden(bob, "get", "pods", "--all-namespaces")
	f.allowed(bob, write("bob-by-legacy")...)
	f.env = nil
	f.deployKubernetes(namespace, "--revocation")
	f.env = env
	f.must(0, "apply", "--yes")
	f.soon(bob, deniedByPolicy, write("bob-again")...)
	f.must(0, "plan", "--detailed-exitcode")
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
