package deploy

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

// The service accounts that certsync uses in its namespace: the first for apply, the second for plan.
const (
	ApplyAccount = "certsync"
	PlanAccount  = "certsync-plan"
)

// The paths of the job's files in its container.
const (
	InventoryFolder = "/etc/certsync/inventory"
	VaultCAFile     = "/etc/certsync/vault/ca.crt"
	VaultTokenFile  = "/var/run/secrets/certsync/vault/token" // of the service account, for Vault
)

// Deployment describes the CronJob that runs certsync in a cluster.
type Deployment struct {
	Owner         string
	ClusterRoles  []string               // that apply may bind: those that the inventory names
	Roles         []string               // like ClusterRoles, of whatever namespace
	Issuing       []reconcile.Permission // that apply needs to get certificates from the cluster's signer
	Namespace     string                 // of the job
	LockNamespace string                 // of the owner's Lease
	Image         string
	Schedule      string
	Environment   map[string]string // of the job, in addition to its command line
	Files         map[string][]byte // in InventoryFolder, by their paths there: the inventory and the files that it names
	VaultCA       []byte            // at VaultCAFile; nil: the image has Vault's CA
	VaultAudience string            // of the token at VaultTokenFile
	Revocation    bool              // with the admission policy for revoked certificates
}

// Objects returns the objects of a Deployment, in an order in which they can be created. The objects that limit an account
// come before those that give it rights.
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
	if d.Revocation {
		objects = append(objects, RevocationPolicy(d.Owner, nil)...)
	}
	objects = append(objects, d.rights(PlanAccount, planSuffix, d.planPermissions())...)
	objects = append(objects, d.rights(ApplyAccount, "", d.applyPermissions())...)
	return append(objects, d.lease(), files, d.cronJob(files)), nil
}

// planSuffix is the end of the names of plan's objects.
const planSuffix = "-plan"

// Validate refuses an owner whose objects would have the names of another owner's, and a namespace in which others work. The
// apply objects of owner "a-plan" would have the names of the plan objects of owner "a". In Vault, "a-users" is the policy of
// the users of owner "a".
func (d Deployment) Validate() error {
	for _, suffix := range []string{planSuffix, "-users"} {
		if other, found := strings.CutSuffix(d.Owner, suffix); found {
			return reconcile.WithHint(
				fmt.Errorf("deploying certsync for owner %q: owner %q has roles and policies of the same names", d.Owner, other),
				fmt.Sprintf("use an owner that does not end in %s", suffix))
		}
	}
	for _, namespace := range []string{d.Namespace, d.LockNamespace} {
		if !inventory.ValidNamespace(namespace) {
			return reconcile.WithHint(fmt.Errorf("deploying certsync: %q is not a valid namespace", namespace),
				"correct --namespace or --lock-namespace: use a-z, 0-9 and -, and do not begin or end with -")
		}
	}
	// The namespace's labels would exclude pods that run there already.
	if d.Namespace == metav1.NamespaceDefault || strings.HasPrefix(d.Namespace, "kube-") {
		return reconcile.WithHint(fmt.Errorf("deploying certsync to namespace %q: others can work there", d.Namespace),
			"name a namespace for certsync alone with --namespace: anybody who may create pods in it is as good as cluster-admin")
	}
	return nil
}

// labels returns labels for people. They differ from the labels of certsync's own bindings: a plan would report objects with
// those as copies.
func (d Deployment) labels() map[string]string {
	return map[string]string{"app.kubernetes.io/name": "certsync", "app.kubernetes.io/instance": d.Owner}
}

// meta returns the metadata of an object with the owner's name. The namespace is empty for an object of the cluster.
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
		AutomountServiceAccountToken: new(bool), // false: the job mounts its tokens itself
	}
}

// lease returns the owner's Lease. The job does not create it, since RBAC cannot limit the right to create to one name.
func (d Deployment) lease() *coordinationv1.Lease {
	return &coordinationv1.Lease{TypeMeta: kind(coordinationv1.SchemeGroupVersion, "Lease"), ObjectMeta: d.meta("", d.LockNamespace)}
}

// username returns the name of a service account as a user.
func (d Deployment) username(account string) string {
	return "system:serviceaccount:" + d.Namespace + ":" + account
}
