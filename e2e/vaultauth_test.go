package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// audience is what projected tokens are made for, and what roles of Vault's kubernetes method ask of them.
const audience = "vault"

// tokenLife is that of service accounts' tokens in tests: longer than any of them.
const tokenLife = 24 * time.Hour

// enableAuth mounts an auth method of Vault's for this fixture alone, and returns the mount, for --vault-auth-mount.
// What logs in there is told from the other tests' by that path. The kubernetes method is ready for roles.
func (f *fixture) enableAuth(method string) (mount string) {
	f.Helper()
	mount = method + "-" + f.owner
	if err := f.vault.Sys().EnableAuthWithOptionsWithContext(f.Context(), mount, &api.EnableAuthOptions{Type: method}); err != nil {
		f.Fatal(err)
	}
	if method == "kubernetes" {
		f.vaultPut("auth/"+mount+"/config", map[string]any{
			"kubernetes_host":      f.servers.KubeURL,
			"kubernetes_ca_cert":   string(f.servers.CACert),
			"token_reviewer_jwt":   f.reviewer(),
			"disable_local_ca_jwt": true,
		})
	}
	return mount
}

// reviewer makes a service account that may ask whose a token is, and returns a token of it.
func (f *fixture) reviewer() string {
	f.Helper()
	const namespace = "default"
	name := "vault-" + f.owner
	f.serviceAccount(namespace, name)
	_, err := f.client().RbacV1().ClusterRoleBindings().Create(f.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "system:auth-delegator"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}},
	}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		f.Fatal(err)
	}
	return f.serviceAccountToken(namespace, name)
}

// kubernetesRole makes a role at a mount of the kubernetes method, for one service account, whose tokens have these
// policies of Vault's. more overrides.
func (f *fixture) kubernetesRole(mount, role, namespace, account string, policies []string, more map[string]any) {
	f.Helper()
	f.authRole(mount, role, map[string]any{
		"bound_service_account_names":      account,
		"bound_service_account_namespaces": namespace,
		"audience":                         audience,
		"token_policies":                   policies,
	}, more)
}

// authRole makes a role at a mount of an auth method; later settings win.
func (f *fixture) authRole(mount, role string, settings ...map[string]any) {
	f.Helper()
	all := map[string]any{}
	for _, some := range settings {
		for name, value := range some {
			all[name] = value
		}
	}
	f.vaultPut("auth/"+mount+"/role/"+role, all)
}

// policy makes a policy of Vault's of this fixture's own, and returns its name. OWNER in rules stands for the owner.
func (f *fixture) policy(name, rules string) string {
	f.Helper()
	name += "-" + f.owner
	rules = strings.ReplaceAll(rules, "OWNER", f.owner)
	if err := f.vault.Sys().PutPolicyWithContext(f.Context(), name, rules); err != nil {
		f.Fatal(err)
	}
	return name
}

// vaultPut writes to Vault as root, anywhere.
func (f *fixture) vaultPut(path string, body map[string]any) *api.Secret {
	f.Helper()
	secret, err := f.vault.Logical().WriteWithContext(f.Context(), path, body)
	if err != nil {
		f.Fatal(err)
	}
	return secret
}

// serviceAccount makes a service account, unless it is there.
func (f *fixture) serviceAccount(namespace, name string) {
	f.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
	_, err := f.client().CoreV1().ServiceAccounts(namespace).Create(f.Context(), account, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		f.Fatal(err)
	}
}

// serviceAccountToken is what a projected volume would give a pod of that service account: a token for these audiences
// alone, or for the API server.
func (f *fixture) serviceAccountToken(namespace, name string, audiences ...string) string {
	f.Helper()
	seconds := int64(tokenLife / time.Second)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: audiences, ExpirationSeconds: &seconds}}
	answer, err := f.client().CoreV1().ServiceAccounts(namespace).CreateToken(f.Context(), name, request, metav1.CreateOptions{})
	if err != nil {
		f.Fatal(err)
	}
	return f.secret("the token of service account "+name, answer.Status.Token)
}

// secret has a text looked for in all that certsync prints and writes.
func (f *fixture) secret(whose, text string) string {
	f.secrets.add(whose, text)
	return text
}

// secretFile writes a secret to a file that certsync may read, outside of the folder that is looked through.
func (f *fixture) secretFile(text string) (path string) {
	f.Helper()
	path = filepath.Join(f.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		f.Fatal(err)
	}
	return path
}

// accessors are those of all tokens that live and were got by logging in at a mount.
func (f *fixture) accessors(mount string) []string {
	f.Helper()
	list, err := f.vault.Logical().ListWithContext(f.Context(), "auth/token/accessors")
	if err != nil {
		f.Fatal(err)
	}
	living := []string{}
	for _, key := range list.Data["keys"].([]any) {
		token, err := f.vault.Auth().Token().LookupAccessorWithContext(f.Context(), key.(string))
		if err != nil {
			continue // another test's, which ended since
		}
		if path, _ := token.Data["path"].(string); strings.HasPrefix(path, "auth/"+mount+"/") {
			living = append(living, key.(string))
		}
	}
	return living
}

// noTokens checks that no token lives that was got by logging in at a mount.
func (f *fixture) noTokens(mount string) {
	f.Helper()
	if living := f.accessors(mount); len(living) > 0 {
		f.Errorf("%d tokens of auth/%s live on", len(living), mount)
	}
}
