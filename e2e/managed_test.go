package e2e

import (
	"strings"
	"testing"
)

// TestNothingInKubeSystem: on a cluster whose kube-system nobody may write to, the job of a Lease elsewhere is deployed without anything
// in that namespace, and plans, applies and corrects as ever.
func TestNothingInKubeSystem(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	namespace := "access-" + f.owner
	f.write("cluster: CLUSTER\nusers: [{name: alice@OWNER, clusterRoles: [view]}]")
	elsewhere := "--lock-namespace=" + namespace
	f.enableAuth("kubernetes")
	before := f.kubectl("get", "roles,rolebindings,leases", "-n", "kube-system", "-o", "name")
	f.deployKubernetes(namespace, elsewhere)
	f.deployVault(namespace, elsewhere)
	for _, object := range strings.Fields(f.kubectl("get", "roles,rolebindings,leases", "-n", "kube-system", "-o", "name")) {
		if !strings.Contains(before, object) && strings.Contains(object, f.owner) {
			t.Errorf("there is %s in kube-system", object)
		}
	}
	f.become(namespace, applyAccount, f.servers.KubeURL)
	f.env = append(f.env, "CERTSYNC_LOCK_NAMESPACE="+namespace)
	f.preflight(0, "--issue")
	f.must(0, "apply", "--yes")
	f.must(0, "plan", "--detailed-exitcode")
	f.allowed(f.userKubeconfig("alice@"+f.owner), "get", "pods", "-n", "default")
}
