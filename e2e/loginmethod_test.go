package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"slices"
	"time"
)

// method is a way to log in to the real Vault.
type method struct {
	mount   string
	env     []string // with what certsync logs in
	wrong   []string // with what it must not
	refusal string   // what it then says
}

// methods set them up for a fixture, with tokens of these policies; more is for the roles.
var methods = map[string]func(f *fixture, policies []string, more map[string]any) method{
	"kubernetes": withKubernetes,
	"jwt":        withJWT,
	"approle":    withAppRole,
}

// withKubernetes logs in as a service account of the real cluster, with the token that a projected volume would give it.
func withKubernetes(f *fixture, policies []string, more map[string]any) method {
	f.Helper()
	const account, role = "certsync", "certsync"
	namespace := f.namespace("jobs")
	f.serviceAccount(namespace, account)
	mount := f.enableAuth("kubernetes")
	f.kubernetesRole(mount, role, namespace, account, policies, more)
	env := []string{"CERTSYNC_VAULT_AUTH=kubernetes", "CERTSYNC_VAULT_AUTH_MOUNT=" + mount, "CERTSYNC_VAULT_ROLE=" + role}
	token := func(audiences ...string) string {
		return "CERTSYNC_VAULT_TOKEN_FILE=" + f.secretFile(f.serviceAccountToken(namespace, account, audiences...))
	}
	return method{
		mount: mount, env: append(env, token(audience)), wrong: append(slices.Clone(env), token()),
		refusal: "with kubernetes at auth/" + mount + ` as role "certsync": Vault answered 403 Forbidden: invalid audience (aud) claim`,
	}
}

// withJWT logs in with a JWT of the test's own.
func withJWT(f *fixture, policies []string, more map[string]any) method {
	f.Helper()
	mount, key := f.newJWTMount()
	f.authRole(mount, "ci", map[string]any{
		"role_type": "jwt", "user_claim": "sub", "bound_subject": "pipeline", "bound_audiences": audience, "token_policies": policies,
	}, more)
	env := []string{"CERTSYNC_VAULT_AUTH=jwt", "CERTSYNC_VAULT_AUTH_MOUNT=" + mount, "CERTSYNC_VAULT_ROLE=ci"}
	token := func(subject string) string {
		return "CERTSYNC_VAULT_TOKEN_FILE=" + f.secretFile(f.newJWT(key, subject))
	}
	return method{
		mount: mount, env: append(env, token("pipeline")), wrong: append(slices.Clone(env), token("somebody")),
		refusal: "with jwt at auth/" + mount + ` as role "ci": Vault answered 400 Bad Request: error validating token: `,
	}
}

// newJWTMount mounts the jwt method for this fixture alone, which trusts whatever the key signs.
func (f *fixture) newJWTMount() (mount string, key *ecdsa.PrivateKey) {
	f.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		f.Fatal(err)
	}
	mount = f.enableAuth("jwt")
	f.vaultPut("auth/"+mount+"/config", map[string]any{
		"jwt_validation_pubkeys": []string{string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))},
	})
	return mount, key
}

// newJWT is one that lives for an hour.
func (f *fixture) newJWT(key *ecdsa.PrivateKey, subject string) string {
	f.Helper()
	return f.secret("a JWT", f.sign(key, map[string]any{
		"sub": subject, "aud": audience, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}))
}

// sign makes a JWT by ES256.
func (f *fixture) sign(key *ecdsa.PrivateKey, claims map[string]any) string {
	f.Helper()
	encoded := func(part any) string {
		text, err := json.Marshal(part)
		if err != nil {
			f.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	signed := encoded(map[string]string{"alg": "ES256", "typ": "JWT"}) + "." + encoded(claims)
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		f.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// withAppRole logs in with a secret ID in the environment.
func withAppRole(f *fixture, policies []string, more map[string]any) method {
	f.Helper()
	mount := f.enableAuth("approle")
	f.authRole(mount, "robot", map[string]any{"token_policies": policies}, more)
	role, err := f.vault.Logical().ReadWithContext(f.Context(), "auth/"+mount+"/role/robot/role-id")
	if err != nil {
		f.Fatal(err)
	}
	id := f.vaultPut("auth/"+mount+"/role/robot/secret-id", map[string]any{}).Data["secret_id"].(string)
	env := []string{"CERTSYNC_VAULT_AUTH=approle", "CERTSYNC_VAULT_AUTH_MOUNT=" + mount, "CERTSYNC_VAULT_ROLE_ID=" + role.Data["role_id"].(string)}
	return method{
		mount: mount, env: append(env, "CERTSYNC_VAULT_SECRET_ID="+f.secret("a secret ID", id)),
		wrong:   append(slices.Clone(env), "CERTSYNC_VAULT_SECRET_ID_FILE="+f.secretFile(f.secret("a wrong secret ID", "7e6a0d8f-0000-4000-8000-000000000000"))),
		refusal: "with approle at auth/" + mount + ": Vault answered 400 Bad Request: invalid role or secret ID",
	}
}
