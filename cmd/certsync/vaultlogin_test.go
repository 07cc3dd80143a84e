package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/cmd/certsync/internal/vaultlogin"
)

// TestLoginFlags: what does nothing is refused, and so is what lacks something, in every command that talks to Vault.
func TestLoginFlags(t *testing.T) {
	const without = " requires --vault-auth="
	for name, tc := range map[string]struct {
		args     []string
		secretID string
		want     string // "" if nothing is wrong with it
	}{
		"none":                          {nil, "", ""},
		"the token, by name":            {[]string{"--vault-auth=token"}, "", ""},
		"a method that there is not":    {[]string{"--vault-auth=ldap"}, "", `--vault-auth must be one of "token","kubernetes","approle","jwt" but got "ldap"`},
		"a mount for nothing":           {[]string{"--vault-auth-mount=k8s"}, "", "--vault-auth-mount" + without + "kubernetes, approle or jwt"},
		"a role for nothing":            {[]string{"--vault-role=ci"}, "", "--vault-role" + without + "kubernetes or jwt"},
		"a JWT for nothing":             {[]string{"--vault-token-file=jwt"}, "", "--vault-token-file" + without + "kubernetes or jwt"},
		"a role ID for nothing":         {[]string{"--vault-role-id=r"}, "", "--vault-role-id" + without + "approle"},
		"a secret ID for nothing":       {[]string{"--vault-secret-id-file=s"}, "", "--vault-secret-id-file" + without + "approle"},
		"a variable for nothing":        {nil, "hush", "CERTSYNC_VAULT_SECRET_ID" + without + "approle"},
		"kubernetes":                    {[]string{"--vault-auth=kubernetes", "--vault-role=ci"}, "", ""},
		"kubernetes, elsewhere":         {[]string{"--vault-auth=kubernetes", "--vault-role=ci", "--vault-auth-mount=k8s", "--vault-token-file=jwt"}, "", ""},
		"kubernetes without a role":     {[]string{"--vault-auth=kubernetes"}, "", "--vault-auth=kubernetes requires a role: set --vault-role NAME"},
		"kubernetes with a role ID":     {[]string{"--vault-auth=kubernetes", "--vault-role=ci", "--vault-role-id=r"}, "", "--vault-role-id" + without + "approle"},
		"jwt":                           {[]string{"--vault-auth=jwt", "--vault-role=ci", "--vault-token-file=jwt"}, "", ""},
		"jwt without a role":            {[]string{"--vault-auth=jwt", "--vault-token-file=jwt"}, "", "--vault-auth=jwt requires a role: set --vault-role NAME"},
		"jwt without a file":            {[]string{"--vault-auth=jwt", "--vault-role=ci"}, "", "--vault-auth=jwt requires a JWT: set --vault-token-file FILE"},
		"approle, with a file":          {[]string{"--vault-auth=approle", "--vault-role-id=r", "--vault-secret-id-file=s"}, "", ""},
		"approle, with a variable":      {[]string{"--vault-auth=approle", "--vault-role-id=r"}, "hush", ""},
		"approle, with both":            {[]string{"--vault-auth=approle", "--vault-role-id=r", "--vault-secret-id-file=s"}, "hush", "--vault-secret-id-file cannot be used while CERTSYNC_VAULT_SECRET_ID is set: unset one of them"},
		"approle, with neither":         {[]string{"--vault-auth=approle", "--vault-role-id=r"}, "", "--vault-auth=approle requires a secret ID: set --vault-secret-id-file FILE, or CERTSYNC_VAULT_SECRET_ID in the environment"},
		"approle without a role ID":     {[]string{"--vault-auth=approle", "--vault-secret-id-file=s"}, "", "--vault-auth=approle requires a role ID: set --vault-role-id ID"},
		"approle with a role":           {[]string{"--vault-auth=approle", "--vault-role-id=r", "--vault-secret-id-file=s", "--vault-role=ci"}, "", "--vault-role" + without + "kubernetes or jwt"},
		"a secret ID on a command line": {[]string{"--vault-auth=approle", "--vault-role-id=r", "--vault-secret-id=hush"}, "", `unknown flag --vault-secret-id, did you mean "--vault-secret-id-file"?`},
	} {
		for command, flags := range commands(t) {
			if !slices.Contains(flags, "vault-auth") {
				continue
			}
			t.Run(command+" "+name, func(t *testing.T) {
				if tc.secretID != "" {
					t.Setenv(vaultlogin.SecretIDVariable, tc.secretID)
				}
				args, fails := []string{command, "--file=/none/users.yaml"}, "/none/users.yaml"
				if !slices.Contains(flags, "file") { // a user's command, which begins by asking Vault
					args, fails = []string{command, "--owner=prod-eu", "--user=alice"}, "Vault"
					t.Setenv("VAULT_ADDR", "http://127.0.0.1:1")
					t.Setenv("VAULT_MAX_RETRIES", "0")
				}
				r := within(t, t.Context(), append(args, tc.args...)...)
				if tc.want == "" {
					if r.code != exitError || !strings.Contains(r.stderr, fails) {
						t.Errorf("exit %d, %s", r.code, r.stderr)
					}
					return
				}
				got, _, _ := strings.Cut(r.stderr, "\n")
				if diff := cmp.Diff("certsync: "+tc.want, got); diff != "" || r.code != exitUsage {
					t.Errorf("exit %d, %s", r.code, diff)
				}
			})
		}
	}
}

// loginVault is a Vault that somebody can log in to, and that tells what became of the token.
type loginVault struct {
	mu      sync.Mutex
	logins  int
	revoked int
	after   []string // what came after the revocation
}

func (v *loginVault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.revoked > 0 {
		// A request that the run gave up may arrive late. Then nobody waits for its answer.
		v.mu.Unlock()
		waits := stays(r)
		v.mu.Lock()
		if !waits {
			return
		}
		v.after = append(v.after, r.Method+" "+r.URL.Path)
	}
	switch path := strings.TrimPrefix(r.URL.Path, "/v1/"); {
	case path == "auth/kubernetes/login" && r.Header.Get("X-Vault-Token") == "":
		v.logins++
		answer(w, http.StatusOK, `{"auth":{"client_token":"token","accessor":"accessor","lease_duration":3600,"renewable":true}}`)
	case path == "auth/token/revoke-self" && r.Header.Get("X-Vault-Token") == "token":
		v.revoked++
		answer(w, http.StatusNoContent, "")
	default:
		answerAsVault(w, r)
	}
}

// stays is true if the client of r is still there after five seconds.
func stays(r *http.Request) bool {
	select {
	case <-r.Context().Done():
		return false
	case <-time.After(5 * time.Second):
		return true
	}
}

// TestTokenIsRevoked: however a run ends, the token that certsync got by logging in does not outlive it.
func TestTokenIsRevoked(t *testing.T) {
	apply := []string{"apply", "--yes"}
	for name, tc := range map[string]struct {
		args []string
		// answers stands in for the cluster where it does not return false.
		answers func(w http.ResponseWriter, r *http.Request, interrupt func()) bool
		code    int
	}{
		"plan":                    {args: []string{"plan"}, code: exitOK},
		"plan that finds changes": {args: []string{"plan", "--detailed-exitcode"}, code: exitChanges},
		"plan that fails":         {args: []string{"plan"}, answers: forbids("clusterroles"), code: exitError},
		"plan for nobody there":   {args: []string{"plan", "--retry=nobody"}, code: exitUsage},
		"plan, interrupted":       {args: []string{"plan"}, answers: interruptsAt(rbacPath + "clusterroles"), code: exitInterrupted},
		"status":                  {args: []string{"status"}, code: exitOK},
		"status that fails":       {args: []string{"status"}, answers: forbids("namespaces"), code: exitError},
		"preflight":               {args: []string{"preflight"}, code: exitOK},
		"preflight that fails":    {args: []string{"preflight", "--issue"}, code: exitError},
		"preflight, interrupted":  {args: []string{"preflight"}, answers: interruptsAt(rbacPath + "clusterroles"), code: exitInterrupted},
		"apply that fails":        {args: apply, code: exitError},
		"apply without consent":   {args: []string{"apply"}, code: exitRefused},
		"apply of another plan":   {args: []string{"apply", "--expect=sha256:" + strings.Repeat("0", 64)}, code: exitRefused},
		"apply without a mount":   {args: append(apply, "--vault-mount=kv"), code: exitError},
		"apply, too late":         {args: apply, answers: locked, code: exitLocked},
		"apply, interrupted":      {args: apply, answers: interruptsAt(csrPath), code: exitInterrupted},
	} {
		t.Run(name, func(t *testing.T) {
			vault := &loginVault{}
			server := httptest.NewServer(vault)
			t.Cleanup(server.Close)
			ctx, interrupt := context.WithCancel(t.Context())
			cluster, ca := newClusterThat(t, func(w http.ResponseWriter, r *http.Request) {
				if tc.answers == nil || !tc.answers(w, r, interrupt) {
					answerAsCluster(w, r)
				}
			})
			dir := t.TempDir()
			copyFolder(t, "testdata/apply-failing", dir, map[string]string{"$CLUSTER": cluster, "$CA": ca})
			jwt := filepath.Join(dir, "jwt")
			if err := os.WriteFile(jwt, []byte("jwt\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			for name, value := range map[string]string{
				"KUBECONFIG": filepath.Join(dir, "kubeconfig"), "VAULT_ADDR": server.URL, "VAULT_TOKEN": "somebody's",
				"CERTSYNC_FILE": filepath.Join(dir, "users.yaml"), "CERTSYNC_VAULT_AUTH": "kubernetes",
				"CERTSYNC_VAULT_ROLE": "certsync", "CERTSYNC_VAULT_TOKEN_FILE": jwt,
			} {
				t.Setenv(name, value)
			}
			r := within(t, ctx, tc.args...)
			if r.code != tc.code {
				t.Errorf("exit %d, want %d: %s", r.code, tc.code, r.stderr)
			}
			server.Close() // it waits for all requests
			if vault.logins != 1 || vault.revoked != 1 || len(vault.after) > 0 {
				t.Errorf("%d logins, %d revocations, and then %q\n%s", vault.logins, vault.revoked, vault.after, r.stderr)
			}
		})
	}
}

func forbids(resource string) func(http.ResponseWriter, *http.Request, func()) bool {
	return func(w http.ResponseWriter, r *http.Request, _ func()) bool {
		if !strings.HasSuffix(r.URL.Path, "/"+resource) {
			return false
		}
		answer(w, http.StatusForbidden, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"forbidden here"}`)
		return true
	}
}

func interruptsAt(path string) func(http.ResponseWriter, *http.Request, func()) bool {
	return func(_ http.ResponseWriter, r *http.Request, interrupt func()) bool {
		if r.URL.Path == path {
			interrupt()
		}
		return false
	}
}

// locked has the lock held by another run.
func locked(w http.ResponseWriter, r *http.Request, _ func()) bool {
	if r.Method != http.MethodGet || r.URL.Path != leasesPath+"/certsync-prod-eu" {
		return false
	}
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000000Z07:00")
	answer(w, http.StatusOK, fmt.Sprintf(`{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"certsync-prod-eu","uid":"u","resourceVersion":"1"},`+
		`"spec":{"holderIdentity":"another run","leaseDurationSeconds":60,"acquireTime":%q,"renewTime":%q}}`, now, now))
	return true
}

// TestTokenThatStays: a token that cannot be revoked is said, and changes nothing else.
func TestTokenThatStays(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/revoke-self") {
			answer(w, http.StatusForbidden, `{"errors":["permission denied"]}`)
			return
		}
		(&loginVault{}).ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	cluster, ca := newCluster(t)
	dir := t.TempDir()
	copyFolder(t, "testdata/apply-failing", dir, map[string]string{"$CLUSTER": cluster, "$CA": ca})
	for name, value := range map[string]string{"KUBECONFIG": filepath.Join(dir, "kubeconfig"), "VAULT_ADDR": server.URL} {
		t.Setenv(name, value)
	}
	r := within(t, t.Context(), "plan", "-f", filepath.Join(dir, "users.yaml"), "--vault-auth=kubernetes", "--vault-role=certsync", "--vault-token-file="+filepath.Join(dir, "code"))
	want := "certsync: revoking the Vault token that certsync got by logging in: Vault answered 403 Forbidden: permission denied\n" +
		`hint: the token's policies must allow "update" on auth/token/revoke-self, as the policy "default" does` + "\n"
	if diff := cmp.Diff(want, r.stderr); diff != "" || r.code != exitOK {
		t.Errorf("exit %d, %s", r.code, diff)
	}
}
