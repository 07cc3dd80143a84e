package e2e

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/e2e/fake"
)

// mutates has a MutatingAdmissionPolicy of the test's own change RoleBindings in a namespace at each create and update. patch is
// the expression of an applyConfiguration or a JSON patch. Clusters before 1.36 have no such policies by default.
func (f *fixture) mutates(name, namespace, kind, patch string) {
	f.Helper()
	if _, err := f.tryKubectl(f.kubeconfig, "get", "mutatingadmissionpolicies.v1.admissionregistration.k8s.io"); err != nil {
		f.Skipf("this cluster has no MutatingAdmissionPolicy: %v", err)
	}
	f.apply(`{apiVersion: v1, kind: List, items: [
{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingAdmissionPolicy, metadata: {name: ` + name + `-OWNER}, spec: {
  matchConstraints: {resourceRules: [{apiGroups: [rbac.authorization.k8s.io], apiVersions: [v1], resources: [rolebindings], operations: [CREATE, UPDATE]}]},
  matchConditions: [{name: here, expression: "request.namespace == '` + namespace + `' && object.metadata.name.startsWith('certsync:')"}],
  failurePolicy: Fail, reinvocationPolicy: Never, mutations: [{patchType: ` + kind + `, ` + map[string]string{"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}[kind] + `: {expression: "` + patch + `"}}]}},
{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingAdmissionPolicyBinding, metadata: {name: ` + name + `-OWNER}, spec: {policyName: ` + name + `-OWNER}}]}`)
	eventually(f, takesEffect, "the policy "+name, func() bool {
		out := f.kubectl("create", "rolebinding", "certsync:tried", "--clusterrole=view", "--user=carl", "--user=eve", "--dry-run=server", "-n", namespace, "-o", "yaml")
		return strings.Contains(out, "mutated-by-test") || strings.Contains(out, "mallory") || !strings.Contains(out, "carl")
	})
}

// TestAlteredOnServers: a mutating policy that overwrites a label or an annotation, or adds or drops a subject, makes the step
// fail that it changes, at the create, at the update and at each run after that. Nothing reports success until it is gone, and
// nobody else waits.
func TestAlteredOnServers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ kind, patch, says, reason string }{
		"a label": {"ApplyConfiguration", `Object{metadata: Object.metadata{labels: {'app.kubernetes.io/managed-by': 'mutated-by-test'}}}`,
			`its label app.kubernetes.io/managed-by became "mutated-by-test"`, "labels-missing"},
		"an annotation": {"ApplyConfiguration", `Object{metadata: Object.metadata{annotations: {'propagate.hnc.x-k8s.io/none': 'mutated-by-test'}}}`,
			`its annotation propagate.hnc.x-k8s.io/none is not "true" any more`, "labels-missing"},
		"a subject more": {"JSONPatch", `[JSONPatch{op: 'add', path: '/subjects/-', value: Object.subjects{kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'mallory'}}]`,
			`its subjects got mallory`, "drifted"},
		"a subject less": {"JSONPatch", `[JSONPatch{op: 'remove', path: '/subjects/0'}]`, `its subjects lost `, "drifted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, shared)
			o := f.owner
			namespace := f.namespace("altered")
			gateway := fake.NewGateway("certsync", "a-password-for-the-gateway")
			defer gateway.Close()
			f.secrets.add("the gateway's password", "a-password-for-the-gateway")
			f.env = append(f.env, "CERTSYNC_REPORT=report.json", "CERTSYNC_PUSHGATEWAY="+gateway.URL,
				"CERTSYNC_PUSHGATEWAY_USERNAME=certsync", "CERTSYNC_PUSHGATEWAY_PASSWORD=a-password-for-the-gateway")
			f.mutates("alter", namespace, tt.kind, tt.patch)
			f.write("groups: [{name: devs-OWNER, namespaces: {" + namespace + ": [edit]}}]\nusers:\n" +
				"  - {name: alice@OWNER, groups: [devs-OWNER]}\n  - {name: bob@OWNER, groups: [devs-OWNER]}\n  - {name: carol@OWNER, clusterRoles: [view]}\n")
			binding := "RoleBinding " + namespace + "/certsync:" + o + ":group:devs-" + o + ":edit"
			for run := range 3 {
				r := f.must(1, "apply", "--yes")
				if !strings.Contains(r.stdout, "1 not done") || !strings.Contains(r.stdout, binding+": failed") || strings.Count(r.stdout, tt.says) < 2 {
					t.Errorf("run %d: %s", run, r.stdout)
				}
				if got := f.report(); got.ExitCode != 1 || len(got.Events) == 0 {
					t.Errorf("run %d: the report says %+v", run, got)
				}
				if m := gateway.Metrics("certsync/owner/" + o); m["certsync_failures"] != 1 || m["certsync_exit_code"] != 1 || m["certsync_last_success_timestamp_seconds"] != 0 {
					t.Errorf("run %d: the metrics say %v", run, m)
				}
				if diff := cmp.Diff([]string{"update devs-" + o + " " + tt.reason}, f.plan().steps()); diff != "" {
					t.Errorf("run %d: the plan says %s", run, diff)
				}
			}
			f.allowed(f.userKubeconfig("carol@"+o), "get", "pods", "-A")
			f.kubectl("delete", "mutatingadmissionpolicybinding", "alter-"+o)
			eventually(t, takesEffect, "a run without the policy", func() bool { return f.certsync("apply", "--yes").code == 0 })
			f.must(0, "plan", "--detailed-exitcode")
			if m := gateway.Metrics("certsync/owner/" + o); m["certsync_last_success_timestamp_seconds"] == 0 {
				t.Errorf("the metrics say %v", m)
			}
		})
	}
}

// TestCopiesOnServers: copies of certsync's RoleBindings, as HNC and Kyverno make them, stay where admission forbids their
// deletion. Each is a failed step of each run that names the policy. They count for no guard, and nobody waits for them.
func TestCopiesOnServers(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	o := f.owner
	source := f.namespace("team")
	f.write("groups: [{name: devs-OWNER, namespaces: {team-OWNER: [edit]}}]\nusers:\n" +
		"  - {name: alice@OWNER, groups: [devs-OWNER]}\n  - {name: bob@OWNER, namespaces: {team-OWNER: [view]}}\n")
	f.must(0, "apply", "--yes")
	var copies []string
	for copier, label := range map[string]string{"hnc": "hnc.x-k8s.io/inherited-from=" + source, "kyverno": "generate.kyverno.io/policy-name=copy-bindings"} {
		for _, child := range []string{"copies-a-" + copier, "copies-b-" + copier} {
			namespace := f.namespace(child)
			for _, b := range []string{"certsync:" + o + ":group:devs-" + o + ":edit", "certsync:" + o + ":user:bob@" + o + ":view"} {
				role := b[strings.LastIndex(b, ":")+1:]
				f.kubectl("create", "rolebinding", b, "-n", namespace, "--clusterrole="+role, "--user=alice@"+o)
				f.kubectl("label", "rolebinding", b, "-n", namespace, label, "app.kubernetes.io/managed-by=certsync", "certsync.dev/owner="+o)
				copies = append(copies, "RoleBinding "+namespace+"/"+b)
			}
		}
	}
	policy := f.policyFor("copies", "[DELETE]", "Deny", `validations: [{expression: "false", reason: Forbidden, message: delete it at its source}]`)
	eventually(t, takesEffect, "the policy", func() bool {
		kind, at, _ := strings.Cut(copies[0], " ")
		namespace, b, _ := strings.Cut(at, "/")
		_, err := f.tryKubectl(f.kubeconfig, "delete", strings.ToLower(kind), b, "-n", namespace, "--dry-run=server")
		return strings.Contains(errorText(err), "delete it at its source")
	})
	f.write("groups: [{name: devs-OWNER, namespaces: {team-OWNER: [edit]}}]\nusers:\n" +
		"  - {name: alice@OWNER, groups: [devs-OWNER]}\n  - {name: bob@OWNER, namespaces: {team-OWNER: [view]}}\n  - {name: carol@OWNER, groups: [devs-OWNER]}\n")
	for run := range 2 {
		r := f.must(1, "apply", "--yes", "--max-removals=0", "--protect=alice@"+o, "--protect=bob@"+o, "--report=report.json")
		hint := `hint: ValidatingAdmissionPolicy "` + policy + `" denies it: let it allow the requests of the identity that runs certsync; if a controller copied the binding`
		if strings.Count(r.stdout, hint) != len(copies) || !strings.Contains(r.stdout, "8 not done") {
			t.Errorf("run %d: %s", run, r.stdout)
		}
		for _, object := range copies {
			if !strings.Contains(r.stdout, object+": failed") {
				t.Errorf("run %d: %s is not told of: %s", run, object, r.stdout)
			}
		}
		for _, step := range f.plan().steps() {
			if step != "unbind devs-"+o+" unexpected" && step != "unbind bob@"+o+" unexpected" {
				t.Errorf("run %d, left: %s", run, step)
			}
		}
		if got := f.report(); got.ExitCode != 1 {
			t.Errorf("run %d: the report says %+v", run, got)
		}
	}
	f.allowed(f.userKubeconfig("carol@"+o), "get", "configmaps", "-n", source)
	f.kubectl("delete", "validatingadmissionpolicybinding", policy)
	eventually(t, takesEffect, "a run without the policy", func() bool { return f.certsync("apply", "--yes").code == 0 })
	f.must(0, "plan", "--detailed-exitcode")
}
