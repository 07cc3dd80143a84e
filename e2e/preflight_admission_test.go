package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// refusing is a policy that refuses what certsync makes for an owner, whatever RBAC says.
const refusing = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: refuse-OWNER}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [rbac.authorization.k8s.io], apiVersions: [v1], operations: [CREATE], resources: [clusterrolebindings, rolebindings]}
    - {apiGroups: [coordination.k8s.io], apiVersions: [v1], operations: [CREATE], resources: [leases]}
    - {apiGroups: [certificates.k8s.io], apiVersions: [v1], operations: [CREATE], resources: [certificatesigningrequests]}
  validations:
  - {expression: "!object.metadata.name.contains('OWNER')", message: not here}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: refuse-OWNER}
spec: {policyName: refuse-OWNER, validationActions: [Deny]}
`

// TestPreflightFindsWhatAdmissionRefuses: RBAC allows everything here, and admission refuses the bindings, the Lease and the
// signing requests. Dry runs find that, and leave nothing.
func TestPreflightFindsWhatAdmissionRefuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.apply(strings.ReplaceAll(refusing, "OWNER", f.owner))
	t.Cleanup(func() {
		f.kubectl("delete", "validatingadmissionpolicybindings,validatingadmissionpolicies", "refuse-"+f.owner)
	})
	f.write("cluster: CLUSTER\nusers: [{name: alice@OWNER, clusterRoles: [view]}]")
	eventually(t, time.Minute, "the policy to count", func() bool {
		_, err := f.tryKubectl(f.kubeconfig, "create", "clusterrolebinding", "x-"+f.owner, "--clusterrole=view", "--dry-run=server")
		return err != nil
	})
	checks := f.preflight(1)
	want := []string{"rights to bind: failed", "rights to lock: failed", "signer: failed", onLoopback, "users' login: not-checked"}
	if diff := cmp.Diff(want, notWell(checks)); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"rights to bind", "rights to lock", "signer"} {
		if c := checks[name]; !strings.Contains(c.Detail, "not here") || !strings.Contains(c.Hint, `ValidatingAdmissionPolicy "refuse-`+f.owner+`"`) {
			t.Errorf("%+v", c)
		}
	}
	if left := strings.Fields(f.kubectl("get", "clusterrolebindings,leases,csr", "-A", "-o", "name")); slices.ContainsFunc(left, func(s string) bool { return strings.Contains(s, f.owner) }) {
		t.Errorf("a dry run left %q", left)
	}
}
