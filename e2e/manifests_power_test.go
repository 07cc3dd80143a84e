package e2e

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/vault/api"
	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	typedcertificatesv1 "k8s.io/client-go/kubernetes/typed/certificates/v1"
	typedrbacv1 "k8s.io/client-go/kubernetes/typed/rbac/v1"
	"k8s.io/client-go/rest"
)

// clientOf speaks to the API server as an account of the deployment.
func (d *deployed) clientOf(account string) *kubernetes.Clientset {
	d.Helper()
	client, err := kubernetes.NewForConfig(&rest.Config{
		Host: d.servers.KubeURL, BearerToken: d.serviceAccountToken(d.namespace, account), QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{CAData: d.servers.CACert},
	})
	d.ok(err)
	return client
}

// misdeed is what the account that applies must not be able to do, although RBAC allows it or seems to.
type misdeed struct {
	name   string
	why    string // is said by whoever refuses
	policy string // the admission policy that does; "": RBAC
	do     func() error
	undo   func() error // for when it was not refused
}

func (m misdeed) refused(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), m.why)
}

const (
	byName = "writes only bindings whose names begin with certsync:"
	byWhom = "only the CertificateSigningRequests that it created itself"
)

func (d *deployed) misdeeds() []misdeed {
	d.Helper()
	account := d.clientOf(applyAccount)
	core := account.CoreV1()
	return append(append(d.bindingMisdeeds(account.RbacV1()), d.requestMisdeeds(account.CertificatesV1().CertificateSigningRequests())...),
		misdeed{name: "Secrets", why: "cannot list resource \"secrets\"", do: func() error {
			_, err := core.Secrets(d.namespace).List(d.Context(), metav1.ListOptions{})
			return err
		}},
		misdeed{name: "pods", why: "cannot create resource \"pods\"", do: func() error {
			_, err := core.Pods(d.namespace).Create(d.Context(), &corev1.Pod{}, metav1.CreateOptions{})
			return err
		}})
}

// existing is nil for an object that is there, made now or before.
func existing(err error) error {
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func (d *deployed) bindingMisdeeds(rbac typedrbacv1.RbacV1Interface) []misdeed {
	d.Helper()
	ctx, admin := d.Context(), d.admins.RbacV1()
	evil, foreign, payments := "evil-"+d.owner, "foreign-"+d.owner, "payments-"+d.owner
	ours := "certsync:" + d.owner
	bind := func(rbac typedrbacv1.RbacV1Interface, name, role string) error {
		_, err := rbac.ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: roleRef(role), Subjects: eve,
		}, metav1.CreateOptions{})
		return err
	}
	end := func(name string) func() error {
		return func() error { return rbac.ClusterRoleBindings().Delete(ctx, name, metav1.DeleteOptions{}) }
	}
	there := func() error { return existing(bind(admin, foreign, "view")) }
	d.ok(there())
	return []misdeed{
		{"a binding of another name", byName, "bindings", func() error { return bind(rbac, evil, "view") },
			func() error { return admin.ClusterRoleBindings().Delete(ctx, evil, metav1.DeleteOptions{}) }},
		{"a RoleBinding of another name", byName, "bindings", func() error {
			_, err := rbac.RoleBindings(payments).Create(ctx, &rbacv1.RoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: evil}, RoleRef: roleRef("view"), Subjects: eve,
			}, metav1.CreateOptions{})
			return err
		}, func() error { return admin.RoleBindings(payments).Delete(ctx, evil, metav1.DeleteOptions{}) }},
		{"a change of somebody's binding", byName, "bindings", func() error {
			_, err := rbac.ClusterRoleBindings().Patch(ctx, foreign, types.MergePatchType, []byte(`{"subjects":null}`), metav1.PatchOptions{})
			return err
		}, there},
		{"the end of somebody's binding", byName, "bindings", end(foreign), there},
		{"a binding of another owner", byName, "", func() error { return bind(rbac, ours+"-2:user:eve:view", "view") }, nil},
		{"the end of its own rights", byName, "", end("certsync-" + d.owner), nil},
		{"a role that the inventory does not name", "attempting to grant RBAC permissions not currently held", "",
			func() error { return bind(rbac, ours+":user:eve:cluster-admin", "cluster-admin") }, nil},
	}
}

var eve = []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "eve"}}

func roleRef(role string) rbacv1.RoleRef {
	return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}
}

func (d *deployed) requestMisdeeds(csrs typedcertificatesv1.CertificateSigningRequestInterface) []misdeed {
	d.Helper()
	ctx, evil := d.Context(), "evil-"+d.owner
	asked := func() error {
		_, err := d.admins.CertificatesV1().CertificateSigningRequests().Create(ctx, request(d, metav1.ObjectMeta{Name: evil}, "eve"), metav1.CreateOptions{})
		return existing(err)
	}
	d.ok(asked())
	approve := func(name string) error {
		r, err := csrs.Get(ctx, name, metav1.GetOptions{})
		d.ok(err)
		r.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{
			Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "x", Message: "y",
		}}
		_, err = csrs.UpdateApproval(ctx, name, r, metav1.UpdateOptions{})
		return err
	}
	return []misdeed{
		{"the approval of somebody's request", byWhom, "requests", func() error { return approve(evil) }, func() error { return nil }},
		{"the end of somebody's request", byWhom, "requests",
			func() error { return csrs.Delete(ctx, evil, metav1.DeleteOptions{}) }, asked},
		{"an approval for another signer", "user not permitted to approve requests with signerName", "", func() error {
			r := request(d, metav1.ObjectMeta{GenerateName: evil + "-"}, "eve")
			r.Spec.SignerName = "example.com/other"
			made, err := csrs.Create(ctx, r, metav1.CreateOptions{})
			d.ok(err)
			defer func() { d.ok(csrs.Delete(ctx, made.Name, metav1.DeleteOptions{})) }()
			return approve(made.Name)
		}, nil},
	}
}

// nothingElse shows what the accounts cannot do, and that it is the admission policies that keep them from some of it.
func (d *deployed) nothingElse() {
	d.Helper()
	misdeeds := d.misdeeds()
	for _, m := range misdeeds {
		if err := m.do(); !m.refused(err) {
			d.Errorf("%s: %v, want %q", m.name, err, m.why)
		}
	}
	admission := d.client().AdmissionregistrationV1().ValidatingAdmissionPolicyBindings()
	for _, policy := range []string{"bindings", "requests"} {
		d.ok(admission.Delete(d.Context(), "certsync-"+d.owner+"-"+policy, metav1.DeleteOptions{}))
		for _, m := range misdeeds {
			if m.policy == policy {
				d.eventually("the end of what refused "+m.name, func() bool { return !m.refused(m.do()) })
				d.ok(m.undo())
			}
		}
	}
	d.env = nil
	d.deployKubernetes(d.namespace)
	d.limited()
	d.onlyTheirRoles()
	d.onlyTheirPolicies()
}

// onlyTheirRoles checks that what the API server says of an account's rights is what its roles say, and what every
// service account may.
func (d *deployed) onlyTheirRoles() {
	d.Helper()
	const any = "any"
	d.serviceAccount(d.namespace, any)
	for _, namespace := range []string{"kube-system", d.namespace, "payments-" + d.owner} {
		everybody := d.rightsOf(any, namespace)
		for _, account := range []string{applyAccount, planAccount} {
			got := d.rightsOf(account, namespace)
			maps.DeleteFunc(got, func(r right, _ bool) bool { return everybody[r] })
			want := map[right]bool{}
			for _, r := range d.rights(account) {
				if r.Namespace == "" || r.Namespace == namespace {
					r.Namespace = ""
					want[r] = true
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				d.Errorf("%s in %s: %s", account, namespace, diff)
			}
		}
	}
}

// rightsOf is all that an account may in a namespace, as the API server tells it.
func (d *deployed) rightsOf(account, namespace string) map[right]bool {
	d.Helper()
	review, err := d.clientOf(account).AuthorizationV1().SelfSubjectRulesReviews().Create(d.Context(),
		&authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace}}, metav1.CreateOptions{})
	d.ok(err)
	if review.Status.Incomplete || review.Status.EvaluationError != "" {
		d.Fatalf("the review of %s is incomplete: %s", account, review.Status.EvaluationError)
	}
	all := map[right]bool{}
	for _, r := range review.Status.ResourceRules {
		rule := rbacv1.PolicyRule{Verbs: r.Verbs, APIGroups: r.APIGroups, Resources: r.Resources, ResourceNames: r.ResourceNames}
		for _, right := range spelledOut("", rule) {
			all[right] = true
		}
	}
	return all
}

// onlyTheirPolicies checks that an account's token in Vault has its own policy alone, and what that does not let it do.
func (d *deployed) onlyTheirPolicies() {
	d.Helper()
	for account, policy := range map[string]string{applyAccount: "certsync-" + d.owner, planAccount: "certsync-" + d.owner + "-plan"} {
		client, auth := d.vaultOf(account)
		if diff := cmp.Diff([]string{policy}, slices.Concat(auth.TokenPolicies, auth.IdentityPolicies)); diff != "" {
			d.Errorf("policies of %s: %s", account, diff)
		}
		data := map[string]any{"data": map[string]any{"a": "b"}}
		for what, do := range map[string]func(*api.Logical) (*api.Secret, error){
			"reads a credential": func(v *api.Logical) (*api.Secret, error) {
				return v.Read("secret/data/certsync/" + d.owner + "/users/bob@" + d.owner)
			},
			"lists the owners": func(v *api.Logical) (*api.Secret, error) { return v.List("secret/metadata/certsync") },
			"reads another owner's state": func(v *api.Logical) (*api.Secret, error) {
				return v.Read("secret/data/certsync/" + d.owner + "-2/state")
			},
			"writes another owner's ledger": func(v *api.Logical) (*api.Secret, error) {
				return v.Write("secret/data/certsync/"+d.owner+"-2/ledger/eve", data)
			},
			"writes beside its folder": func(v *api.Logical) (*api.Secret, error) {
				return v.Write("secret/data/certsync/"+d.owner+"/other", data)
			},
			"makes a token": func(v *api.Logical) (*api.Secret, error) { return v.Write("auth/token/create", nil) },
		} {
			_, err := do(client.Logical())
			if answer := (*api.ResponseError)(nil); !errors.As(err, &answer) || answer.StatusCode != http.StatusForbidden {
				d.Errorf("%s %s: %v", account, what, err)
			}
		}
		d.ok(client.Auth().Token().RevokeSelf(""))
	}
}

// vaultOf logs in to Vault as an account of the deployment.
func (d *deployed) vaultOf(account string) (*api.Client, *api.SecretAuth) {
	d.Helper()
	role := "certsync-" + d.owner + strings.TrimPrefix(account, "certsync")
	answer, err := d.vault.Logical().Write("auth/kubernetes-"+d.owner+"/login", map[string]any{
		"role": role, "jwt": d.serviceAccountToken(d.namespace, account, audience),
	})
	d.ok(err)
	client, err := d.vault.Clone()
	d.ok(err)
	client.SetToken(d.secret("the Vault token of "+account, answer.Auth.ClientToken))
	return client, answer.Auth
}
