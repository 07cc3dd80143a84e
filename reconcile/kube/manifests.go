package kube

import (
	"fmt"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// The accounts that certsync runs as in its namespace: the first applies, the second plans.
const (
	ApplyAccount = "certsync"
	PlanAccount  = "certsync-plan"
)

// Where the job finds its files.
const (
	InventoryFolder = "/etc/certsync/inventory"
	VaultCAFile     = "/etc/certsync/vault/ca.crt"
	VaultTokenFile  = "/var/run/secrets/certsync/vault/token" // of the service account, for Vault
)

// Deployment is how certsync runs in a cluster by itself.
type Deployment struct {
	Owner         string
	ClusterRoles  []string // that may be bound: those that the inventory names
	Namespace     string   // of the job
	LockNamespace string   // of the owner's Lease
	Image         string
	Schedule      string
	Environment   map[string]string // of the job, beside its command line
	Files         map[string][]byte // to lie in InventoryFolder, by their paths there: the inventory and what it names
	VaultCA       []byte            // to be at VaultCAFile; nil: the image knows Vault's CA
	VaultAudience string            // of the token at VaultTokenFile
}

// Objects are what a Deployment is made of, in an order in which they can be created: what limits the account comes before
// what gives it rights. They ask nothing of the cluster.
func (d Deployment) Objects() ([]runtime.Object, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	files, err := d.configMap()
	if err != nil {
		return nil, err
	}
	objects := []runtime.Object{d.namespace(), d.account(ApplyAccount), d.account(PlanAccount)}
	objects = append(objects, d.admission()...)
	objects = append(objects, d.rights(PlanAccount, planSuffix, d.planPermissions())...)
	objects = append(objects, d.rights(ApplyAccount, "", d.applyPermissions())...)
	return append(objects, d.lease(), files, d.cronJob(files)), nil
}

// planSuffix is what plan's objects are called behind the owner's.
const planSuffix = "-plan"

// Validate refuses what would be called like another owner's, and a namespace in which others work. Owner "a-plan" would
// apply by the names by which owner "a" plans, and in Vault "a-users" is the policy of the users of owner "a".
func (d Deployment) Validate() error {
	for _, suffix := range []string{planSuffix, "-users"} {
		if other, found := strings.CutSuffix(d.Owner, suffix); found {
			return reconcile.WithHint(
				fmt.Errorf("deploying certsync for owner %q: owner %q has roles and policies of the same names", d.Owner, other),
				fmt.Sprintf("an owner that does not end in %s can be deployed", suffix))
		}
	}
	for _, namespace := range []string{d.Namespace, d.LockNamespace} {
		if !inventory.ValidNamespace(namespace) {
			return fmt.Errorf("deploying certsync: %q is no name of a namespace", namespace)
		}
	}
	// Its labels would keep out pods that run there already.
	if d.Namespace == metav1.NamespaceDefault || strings.HasPrefix(d.Namespace, "kube-") {
		return reconcile.WithHint(fmt.Errorf("deploying certsync to namespace %q: others work there", d.Namespace),
			"whoever may create pods in that namespace is as good as cluster-admin: name one of its own with --namespace")
	}
	return nil
}

// labels are for people to see. They are not those of certsync's own bindings, which plan would take for copied.
func (d Deployment) labels() map[string]string {
	return map[string]string{"app.kubernetes.io/name": "certsync", "app.kubernetes.io/instance": d.Owner}
}

// meta names an object after the owner; namespace is empty for what is the cluster's.
func (d Deployment) meta(suffix, namespace string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: reconcile.LockName(d.Owner) + suffix, Namespace: namespace, Labels: d.labels()}
}

func kind(version schema.GroupVersion, name string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: version.String(), Kind: name}
}

func (d Deployment) namespace() *corev1.Namespace {
	labels := d.labels()
	labels["pod-security.kubernetes.io/enforce"] = "restricted"
	labels["pod-security.kubernetes.io/warn"] = "restricted"
	return &corev1.Namespace{
		TypeMeta:   kind(corev1.SchemeGroupVersion, "Namespace"),
		ObjectMeta: metav1.ObjectMeta{Name: d.Namespace, Labels: labels},
	}
}

func (d Deployment) account(name string) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		TypeMeta:                     kind(corev1.SchemeGroupVersion, "ServiceAccount"),
		ObjectMeta:                   metav1.ObjectMeta{Name: name, Namespace: d.Namespace, Labels: d.labels()},
		AutomountServiceAccountToken: new(bool), // the job mounts its tokens itself
	}
}

// lease is made here so that the job need not: the right to create Leases cannot be limited to one name.
func (d Deployment) lease() *coordinationv1.Lease {
	return &coordinationv1.Lease{TypeMeta: kind(coordinationv1.SchemeGroupVersion, "Lease"), ObjectMeta: d.meta("", d.LockNamespace)}
}

// username is what the API server calls a service account.
func (d Deployment) username(account string) string {
	return "system:serviceaccount:" + d.Namespace + ":" + account
}
