package deploy

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	quantity "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/rights"
)

// issuing are some permissions of an issuer.
var issuing = []reconcile.Permission{
	{Verb: "create", Group: "certificates.k8s.io", Resource: "certificatesigningrequests"},
	{Verb: "update", Group: "certificates.k8s.io", Resource: "certificatesigningrequests", Subresource: "approval"},
	{Verb: "approve", Group: "certificates.k8s.io", Resource: "signers", Name: "kubernetes.io/kube-apiserver-client"},
}

func deployment() Deployment {
	return Deployment{
		Issuing: issuing,
		Owner:   "prod", ClusterRoles: []string{"admin", "team:reader"}, Namespace: "access", LockNamespace: "locks",
		Image: "certsync:v1", Schedule: "@hourly", VaultAudience: "vault", VaultCA: []byte("PEM"),
		Environment: map[string]string{"B": "2", "A": "1"},
		Files:       map[string][]byte{"users.yaml": []byte("owner: prod\n"), "pki/ca.crt": []byte("CA")},
	}
}

func objects(t *testing.T, d Deployment) []runtime.Object {
	t.Helper()
	all, err := d.Objects()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func find[T runtime.Object](t *testing.T, all []runtime.Object, name string) T {
	t.Helper()
	for _, o := range all {
		if typed, ok := o.(T); ok && any(o).(metav1.Object).GetName() == name {
			return typed
		}
	}
	t.Fatalf("there is no %T %q", *new(T), name)
	panic("unreachable")
}

// allowed returns the permissions that rules allow: one for each verb on each resource of each name.
func allowed(rules []rbacv1.PolicyRule, namespace string) []reconcile.Permission {
	var all []reconcile.Permission
	for _, r := range rules {
		names := r.ResourceNames
		if len(names) == 0 {
			names = []string{""}
		}
		for _, group := range r.APIGroups {
			for _, resource := range r.Resources {
				resource, sub, _ := strings.Cut(resource, "/")
				for _, name := range names {
					for _, verb := range r.Verbs {
						all = append(all, reconcile.Permission{Verb: verb, Group: group, Resource: resource, Subresource: sub, Namespace: namespace, Name: name})
					}
				}
			}
		}
	}
	return all
}

func sortedPermissions(list []reconcile.Permission) []reconcile.Permission {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b reconcile.Permission) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(list)
}

// TestRolesAllowWhatIsNeeded: the roles of an account allow exactly the permissions that preflight and apply ask for, each once.
func TestRolesAllowWhatIsNeeded(t *testing.T) {
	d := deployment()
	for account, want := range map[string][]reconcile.Permission{
		"certsync-prod-plan": rights.Read("prod", "locks"),
		"certsync-prod": append(rights.Read("prod", "locks"),
			append(rights.Write("prod", "locks", []string{"admin", "team:reader"}, nil, issuing), access.AskPermission)...),
	} {
		for i, p := range want {
			if p.Namespace == "kube-system" {
				want[i].Namespace = "" // see TestNothingInKubeSystem
			}
		}
		var got []reconcile.Permission
		for _, o := range objects(t, d) {
			switch role := o.(type) {
			case *rbacv1.ClusterRole:
				if role.Name == account {
					got = append(got, allowed(role.Rules, "")...)
				}
			case *rbacv1.Role:
				if role.Name == account {
					got = append(got, allowed(role.Rules, role.Namespace)...)
				}
			}
		}
		if diff := cmp.Diff(sortedPermissions(want), sortedPermissions(got)); diff != "" {
			t.Errorf("%s: %s", account, diff)
		}
		if len(got) != len(sortedPermissions(got)) {
			t.Errorf("%s: something is allowed twice: %v", account, got)
		}
	}
}

// TestNothingInKubeSystem: some providers let nobody write in kube-system. Where the Lease is elsewhere, no object is there, and
// the ClusterRole allows to read the one ConfigMap.
func TestNothingInKubeSystem(t *testing.T) {
	for lock, want := range map[string]int{"locks": 0, "kube-system": 5} {
		d, there := deployment(), 0
		d.LockNamespace = lock
		for _, o := range objects(t, d) {
			if any(o).(metav1.Object).GetNamespace() == "kube-system" {
				there++
			}
		}
		if there != want {
			t.Errorf("with the Lease in %s, there are %d objects in kube-system, want %d", lock, there, want)
		}
		for _, account := range []string{"certsync-prod", "certsync-prod-plan"} {
			read := reconcile.Permission{Verb: "get", Resource: "configmaps", Name: reconcile.AuthenticationConfigMap}
			if wide := slices.Contains(allowed(find[*rbacv1.ClusterRole](t, objects(t, d), account).Rules, ""), read); wide != (lock == "locks") {
				t.Errorf("with the Lease in %s, the ClusterRole of %s may %s: %t", lock, account, read, wide)
			}
		}
	}
}

// TestBindsWhatTheInventoryNames: no other role may be bound.
func TestBindsWhatTheInventoryNames(t *testing.T) {
	var bound []string
	for _, p := range allowed(find[*rbacv1.ClusterRole](t, objects(t, deployment()), "certsync-prod").Rules, "") {
		if p.Verb == "bind" {
			bound = append(bound, p.Resource+" "+p.Name)
		}
	}
	if diff := cmp.Diff([]string{"clusterroles admin", "clusterroles team:reader"}, bound); diff != "" {
		t.Error(diff)
	}
	none := deployment()
	none.ClusterRoles = nil // an inventory without grants may bind nothing, which is not the same as any
	for _, p := range allowed(find[*rbacv1.ClusterRole](t, objects(t, none), "certsync-prod").Rules, "") {
		if p.Verb == "bind" {
			t.Errorf("may %s", p)
		}
	}
}

// TestNoObjectIsTakenForCertsyncs: its own bindings are none of those that it may write, and bear no label of theirs.
func TestNoObjectIsTakenForCertsyncs(t *testing.T) {
	for _, o := range objects(t, deployment()) {
		meta := any(o).(metav1.Object)
		if strings.HasPrefix(meta.GetName(), reconcile.BindingPrefix("prod")) || meta.GetLabels()["app.kubernetes.io/managed-by"] != "" {
			t.Errorf("%T %s %v", o, meta.GetName(), meta.GetLabels())
		}
	}
}

// TestConfigMapIsNamedAfterWhatIsInIt: a change of a file or of its name changes the ConfigMap's name.
func TestConfigMapIsNamedAfterWhatIsInIt(t *testing.T) {
	names := map[string]string{}
	for sentence, change := range map[string]func(d *Deployment){
		"as it is":                 func(*Deployment) {},
		"another inventory":        func(d *Deployment) { d.Files["users.yaml"] = []byte("owner: prod\n\n") },
		"another CA":               func(d *Deployment) { d.Files["pki/ca.crt"] = []byte("AC") },
		"another CA of Vault's":    func(d *Deployment) { d.VaultCA = []byte("MEP") },
		"none of Vault's":          func(d *Deployment) { d.VaultCA = nil },
		"an inventory called else": func(d *Deployment) { d.Files["u.yaml"] = d.Files["users.yaml"]; delete(d.Files, "users.yaml") },
	} {
		d := deployment()
		change(&d)
		var found *corev1.ConfigMap
		for _, o := range objects(t, d) {
			if m, ok := o.(*corev1.ConfigMap); ok {
				found = m
			}
		}
		if found == nil || found.Immutable == nil || !*found.Immutable {
			t.Fatalf("%s: %v", sentence, found)
		}
		if other, taken := names[found.Name]; taken {
			t.Errorf("%s: called as for %s", sentence, other)
		}
		names[found.Name] = sentence
		for key := range found.Data {
			if problems := validation.IsConfigMapKey(key); problems != nil {
				t.Errorf("%s: key %q: %v", sentence, key, problems)
			}
		}
	}
}

// TestPathsThatAreNoKeys: two paths never share a key of the ConfigMap.
func TestPathsThatAreNoKeys(t *testing.T) {
	d := deployment()
	d.Files = map[string][]byte{"a/b": []byte("1"), "a_b": []byte("2"), "vault-ca.crt": []byte("3"), "my users.yaml": []byte("4")}
	m, err := d.configMap()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, item := range d.items() {
		got[item.Path] = m.Data[item.Key]
	}
	if diff := cmp.Diff(map[string]string{"a/b": "1", "a_b": "2", "vault-ca.crt": "3", "my users.yaml": "4"}, got); diff != "" {
		t.Error(diff)
	}
	if m.Data[vaultCAKey] != "PEM" {
		t.Errorf("Vault's CA is %q", m.Data[vaultCAKey])
	}
}

// TestWhatCannotBeDeployed is refused, with a hint.
func TestWhatCannotBeDeployed(t *testing.T) {
	for sentence, tt := range map[string]struct {
		change func(d *Deployment)
		want   string
	}{
		"an inventory that no ConfigMap holds": {
			func(d *Deployment) { d.Files["users.yaml"] = bytes.Repeat([]byte("x"), 1<<20) },
			"putting the inventory into a ConfigMap: it has 1048581 bytes, and a ConfigMap holds at most 1048576",
		},
		"an owner whose objects another's are called like": {
			func(d *Deployment) { d.Owner = "prod-plan" },
			`deploying certsync for owner "prod-plan": owner "prod" has roles and policies of the same names`,
		},
		"the system's namespace": {
			func(d *Deployment) { d.Namespace = "kube-system" }, `deploying certsync to namespace "kube-system": others can work there`,
		},
		"a namespace in capitals": {
			func(d *Deployment) { d.Namespace = "Certsync" }, `deploying certsync: "Certsync" is not a valid namespace`,
		},
		"everybody's namespace": {
			func(d *Deployment) { d.Namespace = "default" }, `deploying certsync to namespace "default": others can work there`,
		},
	} {
		d := deployment()
		tt.change(&d)
		if _, err := d.Objects(); err == nil || err.Error() != tt.want || reconcile.Hint(err) == "" {
			t.Errorf("%s: %v, hint %q", sentence, err, reconcile.Hint(err))
		}
	}
}

// TestCollectorKnowsTheLimit: Go's soft limit is below the job's memory, and leaves an eighth for all that is no heap.
func TestCollectorKnowsTheLimit(t *testing.T) {
	container := find[*batchv1.CronJob](t, objects(t, deployment()), "certsync-prod").Spec.JobTemplate.Spec.Template.Spec.Containers[0]
	i := slices.IndexFunc(container.Env, func(v corev1.EnvVar) bool { return v.Name == "GOMEMLIMIT" })
	if i < 0 {
		t.Fatal("there is no GOMEMLIMIT")
	}
	soft, err := quantity.ParseQuantity(strings.TrimSuffix(container.Env[i].Value, "B")) // Go says MiB, Kubernetes Mi
	if hard := container.Resources.Limits.Memory(); err != nil || hard.String() != "512Mi" || soft.Value() != hard.Value()/8*7 {
		t.Errorf("%s of %s, %v", container.Env[i].Value, hard, err)
	}
}
