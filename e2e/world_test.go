package e2e

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/certsync/certsync/e2e/harness"
)

// faulty is a fixture whose certsync goes through a proxy of its own. Its inventory is mixedAfter; what it stands for
// has not been done yet, and mixedBefore has.
type faulty struct {
	*fixture
	proxy     *harness.Proxy
	namespace string
}

func newFaulty(t *testing.T, namespace string) *faulty {
	t.Helper()
	f := &faulty{fixture: newFixture(t, shared), namespace: namespace}
	var err error
	if f.proxy, err = shared.StartProxy(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, f.proxy.Stop()) })
	f.writeMixed(mixedBefore)
	f.must(0, "apply", "--yes")
	f.neighbours()
	f.writeMixed(mixedAfter)
	through, err := f.proxy.UserKubeconfig("certsync-"+f.owner, []string{"system:masters"})
	if err != nil {
		t.Fatal(err)
	}
	// The changes of the scenario are many for so few users.
	f.env = append(f.env, "KUBECONFIG="+through, "VAULT_ADDR="+f.proxy.VaultAddr, "CERTSYNC_MAX_REMOVALS=100%")
	return f
}

func (f *faulty) writeMixed(text string) {
	f.Helper()
	f.write(strings.ReplaceAll(text, "NAMESPACE", f.namespace))
}

// neighbours are what is not the fixture's: somebody's binding, one that bears our labels, and another owner's user of
// the same name as the one who leaves.
func (f *faulty) neighbours() {
	f.Helper()
	f.apply(`{apiVersion: v1, kind: List, items: [
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: "foreign-OWNER"},
 roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}, subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: foreign-OWNER}]},
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: "labelled-OWNER", labels: {app.kubernetes.io/managed-by: certsync, certsync.dev/owner: OWNER}},
 roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}, subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: foreign-OWNER}]},
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: "certsync:OWNER-2:user:dan@OWNER:edit", labels: {app.kubernetes.io/managed-by: certsync, certsync.dev/owner: OWNER-2}},
 roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}, subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: neighbour-OWNER}]}]}`)
	for _, path := range []string{"users/dan@OWNER", "ledger/dan@OWNER"} {
		f.vaultWrite("data/certsync/OWNER-2/"+path, map[string]any{"data": map[string]any{"a": "neighbour's"}})
	}
}

// bystanders shows what no run may touch, to be compared with what it was.
func (f *faulty) bystanders() []string {
	f.Helper()
	client := f.client()
	out := []string{}
	for _, name := range []string{"foreign-OWNER", "labelled-OWNER", "certsync:OWNER-2:user:dan@OWNER:edit"} {
		name = strings.ReplaceAll(name, "OWNER", f.owner)
		binding, err := client.RbacV1().ClusterRoleBindings().Get(f.Context(), name, metav1.GetOptions{})
		if err != nil {
			f.Fatal(err)
		}
		out = append(out, name+" "+string(binding.UID)+" "+binding.ResourceVersion)
	}
	for _, path := range []string{"OWNER-2/users/dan@OWNER", "OWNER-2/ledger/dan@OWNER", "OWNER/users/alice@OWNER", "OWNER/users/zoe@OWNER"} {
		path = "certsync/" + strings.ReplaceAll(path, "OWNER", f.owner)
		meta, err := f.vault.KVv2("secret").GetMetadata(f.Context(), path)
		if err != nil {
			f.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s version %d, destroyed %v", path, meta.CurrentVersion, meta.Versions[strconv.Itoa(meta.CurrentVersion)].Destroyed))
	}
	return out
}

// standing checks that those who stay had their access all the while.
func (f *faulty) standing() {
	f.Helper()
	for _, binding := range f.bindings() {
		if !strings.Contains(binding, ":group:devs-") {
			continue
		}
		for _, user := range []string{"alice@OWNER", "zoe@OWNER"} {
			if !strings.Contains(binding, user) {
				f.Errorf("%s is gone from %s", user, binding)
			}
		}
	}
}

// client is for questions of the test's own, past the proxy.
func (f *fixture) client() *kubernetes.Clientset {
	f.Helper()
	return f.clientOf(f.kubeconfig)
}

func (f *fixture) clientOf(kubeconfig string) *kubernetes.Clientset {
	f.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		f.Fatal(err)
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		f.Fatal(err)
	}
	return client
}

// breakLock frees the Lease that a killed run has left, as the message about it says.
func (f *fixture) breakLock() {
	f.Helper()
	_, err := f.client().CoordinationV1().Leases("kube-system").Patch(f.Context(), "certsync-"+f.owner, types.MergePatchType,
		[]byte(`{"spec":{"holderIdentity":null}}`), metav1.PatchOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		f.Fatal(err)
	}
}

// world is what certsync has made of an inventory, in an order and with names that do not depend on the run.
func (f *fixture) world() []string {
	f.Helper()
	out := f.bindings()
	for _, user := range f.list("users") {
		out = append(out, "credential of "+user)
	}
	for _, user := range f.list("ledger") {
		line := fmt.Sprintf("%s is %v", user, f.kv("ledger/" + user)["state"])
		for _, c := range f.certificates(user) {
			if c["status"] == "current" {
				line += fmt.Sprintf(", current: %v %v", c["keyAlgorithm"], c["groups"])
			}
		}
		out = append(out, line)
	}
	for i := range out {
		out[i] = strings.ReplaceAll(out[i], f.owner, "OWNER")
	}
	return out
}

// bindings lists those of the owner with their subjects.
func (f *fixture) bindings() []string {
	f.Helper()
	ours := metav1.ListOptions{LabelSelector: "certsync.dev/owner=" + f.owner}
	client := f.client().RbacV1()
	cluster, err := client.ClusterRoleBindings().List(f.Context(), ours)
	if err != nil {
		f.Fatal(err)
	}
	namespaced, err := client.RoleBindings("").List(f.Context(), ours)
	if err != nil {
		f.Fatal(err)
	}
	out := []string{}
	add := func(meta metav1.ObjectMeta, role rbacv1.RoleRef, subjects []rbacv1.Subject) {
		names := []string{}
		for _, s := range subjects {
			names = append(names, s.Kind+" "+s.Name)
		}
		line := fmt.Sprintf("%s/%s to %s %s for %q", meta.Namespace, meta.Name, role.Kind, role.Name, sorted(names))
		out = append(out, strings.ReplaceAll(line, f.owner, "OWNER"))
	}
	for _, b := range cluster.Items {
		add(b.ObjectMeta, b.RoleRef, b.Subjects)
	}
	for _, b := range namespaced.Items {
		add(b.ObjectMeta, b.RoleRef, b.Subjects)
	}
	return sorted(out)
}

// list names the entries of a folder of the owner's.
func (f *fixture) list(folder string) []string {
	f.Helper()
	names, err := f.entries(f.Context(), folder)
	if err != nil {
		f.Fatal(err)
	}
	return names
}

func (f *fixture) entries(ctx context.Context, folder string) ([]string, error) {
	secret, err := f.onlooker.Logical().ListWithContext(ctx, "secret/metadata/certsync/"+f.owner+"/"+folder)
	if err != nil || secret == nil {
		return nil, err
	}
	var names []string
	for _, key := range secret.Data["keys"].([]any) {
		names = append(names, key.(string))
	}
	return names, nil
}

// certificates are those of a user's ledger record.
func (f *fixture) certificates(user string) []map[string]any {
	f.Helper()
	out := []map[string]any{}
	list, _ := f.kv("ledger/" + user)["certificates"].([]any)
	for _, c := range list {
		out = append(out, c.(map[string]any))
	}
	return out
}

// accounted checks that every key that can be read in Vault is the key of a certificate that the ledger calls current,
// of which there is one a user, and that nobody who was removed has one.
func (f *fixture) accounted() {
	f.Helper()
	for _, user := range f.list("ledger") {
		current := 0
		for _, c := range f.certificates(user) {
			if c["status"] == "current" {
				current++
			}
		}
		if state := f.kv("ledger/" + user)["state"]; (current == 1) != (state == "active") || current > 1 {
			f.Errorf("%s is %v with %d current certificates", user, state, current)
		}
	}
	for _, user := range f.list("users") {
		versions, err := f.readable(f.Context(), user, func(time.Time) bool { return false })
		if err != nil {
			f.Fatal(err)
		}
		for _, stored := range versions {
			fingerprint, err := stored.fingerprint()
			if err != nil {
				f.Errorf("version %d of users/%s: %v", stored.number, user, err)
			}
			known := slices.ContainsFunc(f.certificates(user), func(c map[string]any) bool {
				return c["sha256"] == fingerprint && c["status"] == "current"
			})
			if !known {
				f.Errorf("version %d of users/%s holds the key of a certificate that the ledger does not call current", stored.number, user)
			}
		}
	}
}
