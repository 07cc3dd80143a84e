package vaultstore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/auth/approle"
	"github.com/hashicorp/vault/api/auth/kubernetes"

	"github.com/certsync/certsync/reconcile"
)

// Login says how to log in to Vault. The zero value does not: the token is one that is given, as for the vault CLI.
type Login struct {
	Method       string           // "kubernetes", "approle" or "jwt"; "token", or "": one is given
	Mount        string           // of the method, without "auth/"; default: its name
	Role         string           // with kubernetes and jwt
	TokenFile    string           // with kubernetes and jwt: the JWT; default with kubernetes: that of the pod's service account
	RoleID       string           // with approle
	SecretIDFile string           // with approle, or
	SecretID     reconcile.Secret // itself
}

// podTokenFile is where Kubernetes puts the token of a pod's service account, unless the pod wants it elsewhere.
const podTokenFile = "/var/run/secrets/kubernetes.io/serviceaccount/token"

// given reports a Login that is none.
func (l Login) given() bool { return l.Method == "" || l.Method == "token" }

// complete checks a Login, and fills in its defaults.
func (l Login) complete() (Login, error) {
	switch {
	case l.given():
		return l, nil
	case l.Method != "kubernetes" && l.Method != "approle" && l.Method != "jwt":
		return l, fmt.Errorf("%q is not a way to log in to Vault (--vault-auth)", l.Method)
	}
	mount, err := cleanPath(l.Mount, l.Method)
	if err != nil {
		return l, fmt.Errorf("reading the mount %q of Vault's method %s: %w (--vault-auth-mount)", l.Mount, l.Method, err)
	}
	l.Mount = mount
	if l.Method == "kubernetes" {
		l.TokenFile = cmp.Or(l.TokenFile, podTokenFile)
	}
	return l, nil
}

// String is what errors say of a Login.
func (l Login) String() string {
	text := fmt.Sprintf("%s at auth/%s", l.Method, l.Mount)
	if l.Role != "" {
		text += fmt.Sprintf(" as role %q", l.Role)
	}
	return text
}

// prepare returns the method with what stands in the files now, since projected tokens rotate; and that secret.
func (l Login) prepare() (method api.AuthMethod, secret string, err error) {
	switch l.Method {
	case "approle":
		if secret = strings.TrimSpace(string(l.SecretID.Reveal())); secret == "" {
			secret, err = readSecret("--vault-secret-id-file", l.SecretIDFile)
		}
		if err == nil {
			method, err = approle.NewAppRoleAuth(l.RoleID, &approle.SecretID{FromString: secret}, approle.WithMountPath(l.Mount))
		}
	case "kubernetes":
		if secret, err = readSecret("--vault-token-file", l.TokenFile); err == nil {
			method, err = kubernetes.NewKubernetesAuth(l.Role, kubernetes.WithMountPath(l.Mount), kubernetes.WithServiceAccountToken(secret))
		}
	default:
		secret, err = readSecret("--vault-token-file", l.TokenFile)
		method = jwtAuth{mount: l.Mount, role: l.Role, jwt: secret}
	}
	return method, secret, err
}

// jwtAuth logs in with a JWT that anybody signed whom Vault trusts. Vault has no package for it.
type jwtAuth struct{ mount, role, jwt string }

// Login implements api.AuthMethod.
func (a jwtAuth) Login(ctx context.Context, client *api.Client) (*api.Secret, error) {
	return client.Logical().WriteWithContext(ctx, "auth/"+a.mount+"/login", map[string]any{"role": a.role, "jwt": a.jwt})
}

// hint is for somebody whom Vault does not let in: it says little of why.
func (l Login) hint() string {
	role := fmt.Sprintf("auth/%s/role/%s", l.Mount, l.Role)
	mounted := fmt.Sprintf("; check that the method is mounted at auth/%s (--vault-auth-mount)", l.Mount)
	switch l.Method {
	case "kubernetes":
		return "check that bound_service_account_names and bound_service_account_namespaces of " + role + " name the service account, " +
			"and that its audience is one of the token's; check that auth/" + l.Mount + "/config lets Vault review the token in the cluster" + mounted
	case "approle":
		return "check the role ID and the secret ID: the secret ID may be expired, used up or another role's" + mounted
	}
	return "check that bound_audiences, bound_subject and bound_claims of " + role + " match the JWT, and that it has not expired; " +
		"check that auth/" + l.Mount + "/config trusts its signer" + mounted
}

// limited is for a role whose tokens end after a number of requests. Nobody knows how many a run will make.
func (l Login) limited(address string) error {
	err := fmt.Errorf("logging in to Vault at %s with %s: its tokens allow a limited number of requests", address, l)
	return reconcile.WithHint(err, "set token_num_uses=0 on the role")
}

// logIn gets a new token. When the answer gets lost, so does a token, which then lives for its time.
func (s *Store) logIn(ctx context.Context) (*api.SecretAuth, error) {
	login := s.session.login
	method, secret, err := login.prepare()
	var auth *api.SecretAuth
	if err == nil {
		auth, err = s.present(ctx, method)
		redact(err, secret)
	}
	switch r := (*refusal)(nil); {
	case err == nil && auth.MFARequirement != nil:
		err = reconcile.WithHint(errors.New("it asks for a second factor"), "use a role that needs no second factor")
	case isSealed(err) && s.uninitialized(ctx):
		err = errUninitialized
	case errors.As(err, &r) && r.status == http.StatusBadRequest && len(r.errs) > 0:
		err = reconcile.WithHint(err, login.hint())
	}
	if err != nil {
		return nil, loginFailure{fmt.Errorf("logging in to Vault at %s with %s: %w", s.address, login, err)}
	}
	return auth, nil
}

// present asks Vault for a token. It waits for no slot: the requests that have them may be waiting for this token.
func (s *Store) present(ctx context.Context, method api.AuthMethod) (auth *api.SecretAuth, err error) {
	guest := s.session.client("")
	err = s.send(ctx, s.session.login.hint(), func(ctx context.Context) error {
		answer, err := method.Login(ctx, guest)
		switch {
		case errors.As(err, new(*json.SyntaxError)):
			return errMalformed // some page
		case err != nil:
			return err
		case answer == nil || answer.Auth == nil || answer.Auth.ClientToken == "" && answer.Auth.MFARequirement == nil:
			return errMalformed
		}
		auth = answer.Auth
		return nil
	})
	return auth, err
}

// redact takes a secret out of Vault's reasons, should one of them repeat it.
func redact(err error, secret string) {
	var r *refusal
	if errors.As(err, &r) {
		for i := range r.errs {
			r.errs[i] = strings.ReplaceAll(r.errs[i], secret, "[redacted]")
		}
	}
}
