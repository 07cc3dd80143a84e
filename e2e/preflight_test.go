package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/e2e/harness"
)

// preflightCheck is one check of `preflight -o json`.
type preflightCheck struct{ Name, Result, Detail, Hint string }

// preflight makes all checks and returns them by name.
func (f *fixture) preflight(code int, args ...string) map[string]preflightCheck {
	f.Helper()
	r := f.must(code, append([]string{"preflight", "-o", "json"}, args...)...)
	var report struct {
		FormatVersion string
		OK            bool
		Checks        []preflightCheck
	}
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
		f.Fatal(err)
	}
	if report.FormatVersion != "1" || report.OK != (code == 0) {
		f.Errorf("formatVersion %q, ok %t", report.FormatVersion, report.OK)
	}
	all := map[string]preflightCheck{}
	for _, c := range report.Checks {
		all[c.Name] = c
	}
	return all
}

// notWell lists the checks that did not end well, as "name: result".
func notWell(checks map[string]preflightCheck) []string {
	bad := []string{}
	for name, c := range checks {
		if c.Result != "ok" {
			bad = append(bad, name+": "+c.Result)
		}
	}
	return sorted(bad)
}

// onLoopback is what preflight says of the address of these servers.
const onLoopback = "users' address: warning"

// TestPreflight: with the rights of the examples all is well, before the first apply and after it. Without --issue nothing is
// written, and --issue leaves nothing behind.
func TestPreflight(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.namespace("staging")
	f.namespace("payments")
	f.write("cluster: CLUSTER\n" + team)
	admin := f.kubeconfig
	f.exampleRights("apply")
	kube, vault := f.size(shared.KubeAuditLog), f.size(shared.VaultAuditLog)
	// The servers are on loopback, and a certificate is to be tried.
	if diff := cmp.Diff([]string{"signer: not-checked", onLoopback, "users' login: not-checked"}, notWell(f.preflight(0))); diff != "" {
		t.Error(diff)
	}
	requests := 0
	for _, line := range f.log(shared.KubeAuditLog, kube) {
		var r kubeRequest
		if json.Unmarshal([]byte(line), &r) != nil || r.User.Username != "apply-"+f.owner {
			continue
		}
		requests++
		if dry := strings.HasSuffix(r.RequestURI, "?dryRun=All"); !slices.Contains([]string{"get", "list"}, r.Verb) && !r.isReview() && !dry {
			t.Errorf("preflight sent %s %s", r.Verb, r.RequestURI)
		}
	}
	if requests < 20 {
		t.Errorf("the audit log shows %d requests", requests)
	}
	for _, r := range f.vaultRequests(vault) {
		if op := r.Request.Operation; op != "read" && op != "list" {
			t.Errorf("preflight sent %s %s", op, r.Request.Path)
		}
	}
	checks := f.preflight(0, "--issue")
	if bad := notWell(checks); !slices.Equal(bad, []string{onLoopback}) || !strings.Contains(checks["signer"].Detail, "it is valid for 10m of the 10m requested") {
		t.Errorf("with --issue: %q %+v", bad, checks["signer"])
	}
	f.must(0, "apply", "--yes")
	if checks := f.preflight(0); !strings.Contains(checks["state"].Detail, "of this cluster, generation 1") ||
		checks["lock"].Detail != "Lease kube-system/certsync-"+f.owner+" is free; generation 1" {
		t.Errorf("after an apply: %+v, %+v", checks["state"], checks["lock"])
	}
	f.kubeconfig = admin
	if left := f.kubectl("get", "csr", "-o", "jsonpath={.items[*].spec.username}"); strings.Count(left, "apply-"+f.owner) != 3 {
		t.Errorf("3 users were issued a certificate, and left are requests by %s", left)
	}
}

// TestPreflightOfWhatIsBroken: each check says what is wrong and how to repair it, and the others are made all the same.
func TestPreflightOfWhatIsBroken(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.write(strings.ReplaceAll("users: [{name: alice@OWNER, clusterRoles: [view, no-such-OWNER], namespaces: {nowhere-OWNER: [edit]}}]", "OWNER", f.owner))
	admin, env := f.kubeconfig, f.env
	as := func(kubeconfig string, more ...string) {
		f.kubeconfig, f.env = kubeconfig, append(slices.Clone(env), more...)
	}
	says := func(checks map[string]preflightCheck, name, result, detail, hint string) {
		t.Helper()
		if c := checks[name]; c.Result != result || !strings.Contains(c.Detail, detail) || !strings.Contains(c.Hint, hint) {
			t.Errorf("%s: %+v, want %s with %q, hint %q", name, c, result, detail, hint)
		}
	}
	nobody, err := shared.UserKubeconfig("nobody-"+f.owner, nil)
	if err != nil {
		t.Fatal(err)
	}

	as(nobody, "VAULT_TOKEN="+f.token(`path "secret/data/certsync/OWNER/state" { capabilities = ["read"] }`))
	checks := f.preflight(1, "--issue")
	says(checks, "API server", "ok", "Kubernetes v1.", "")
	says(checks, "identity", "ok", "nobody-"+f.owner, "")
	says(checks, "rights to read", "failed", "list clusterroles.rbac.authorization.k8s.io; ", `grant it to "nobody-`)
	says(checks, "rights to read", "failed", `get configmaps "extension-apiserver-authentication" in namespace "kube-system"`, "")
	says(checks, "rights to write", "failed", "get, create, patch, delete clusterrolebindings.rbac.authorization.k8s.io; ", "RBAC")
	says(checks, "rights to write", "failed", "approve signers.certificates.k8s.io", "RBAC")
	says(checks, "rights to bind", "not-checked", "needs ClusterRoles and namespaces", "")
	says(checks, "front proxy", "not-checked", "needs the right to get configmaps", "")
	says(checks, "signer", "not-checked", "needs the right to create certificatesigningrequests", "")
	says(checks, "Vault", "ok", "1.21", "")
	says(checks, "Vault rights", "failed", `"list" on secret/metadata/certsync/`+f.owner+`/ledger/`, "policy")
	says(checks, "Vault contents", "failed", "403", `"list" on`)
	says(checks, "state", "not-checked", "needs Vault contents", "")

	as(admin)
	checks = f.preflight(1, "--vault-mount=nowhere")
	says(checks, "Vault", "failed", `mount "nowhere"`, "vault secrets enable")
	says(checks, "Vault rights", "not-checked", "needs Vault", "")
	says(checks, "ClusterRoles", "warning", `there is no "no-such-`+f.owner, "correct its name in the inventory")
	says(checks, "namespaces", "warning", `"nowhere-`+f.owner, "")
	says(checks, "rights to bind", "ok", "a dry run of each binding succeeded (1)", "")

	f.otherCluster("https://"+closedPort, "")
	checks = f.preflight(1)
	says(checks, "API server", "failed", "connection refused", "check that --kubeconfig and --context name the right API server")
	says(checks, "identity", "not-checked", "needs API server", "")
	says(checks, "Vault rights", "ok", "", "")
	f.otherCluster(shared.KubeURL, "not-a-token")
	says(f.preflight(1), "API server", "failed", "does not accept this identity", "kubectl auth whoami")

	r := f.must(1, "preflight")
	if !strings.Contains(r.stdout, "\n  failed       API server\n      asking for ") || strings.Contains(r.stdout, "\x1b") {
		t.Error(r.stdout)
	}
}

// TestPreflightTriesToBind: who holds every rule of a role needs no verb bind, and a dry run tells.
func TestPreflightTriesToBind(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	staging := f.namespace("staging")
	who := "viewer-" + f.owner
	f.kubectl("create", "clusterrole", who, "--verb=get,list,create,patch,delete",
		"--resource=clusterrolebindings.rbac.authorization.k8s.io,rolebindings.rbac.authorization.k8s.io,clusterroles.rbac.authorization.k8s.io,namespaces")
	f.kubectl("create", "clusterrolebinding", who, "--clusterrole="+who, "--user="+who)
	f.kubectl("create", "clusterrolebinding", who+"-view", "--clusterrole=view", "--user="+who)
	f.kubectl("create", "rolebinding", who+"-edit", "-n", staging, "--clusterrole=edit", "--user="+who)
	var err error
	if f.kubeconfig, err = shared.UserKubeconfig(who, nil); err != nil {
		t.Fatal(err)
	}
	f.write("users: [{name: alice@OWNER, clusterRoles: [view], namespaces: {staging-OWNER: [edit]}}]")
	if c := f.preflight(1)["rights to bind"]; c.Result != "ok" || !strings.Contains(c.Detail, "a dry run of each binding succeeded (2)") {
		t.Errorf("%+v", c)
	}
	f.write("users: [{name: alice@OWNER, clusterRoles: [view, edit]}]")
	c := f.preflight(1)["rights to bind"]
	if c.Result != "failed" || !strings.HasPrefix(c.Detail, `ClusterRole "edit" cluster-wide: `) || !strings.Contains(c.Hint, "verb bind") {
		t.Errorf("%+v", c)
	}
	if left := f.kubectl("get", "clusterrolebindings,rolebindings", "-A", "-l", "certsync.dev/owner="+f.owner, "-o", "name"); left != "" {
		t.Errorf("a dry run left %s", left)
	}
}

// TestSharedCA: where one CA signs for clients and for front proxies of any name, a user's certificate makes its holder
// whoever they like. apply refuses to give out any, unless somebody takes that.
func TestSharedCA(t *testing.T) {
	t.Parallel()
	servers := ownServers(t, harness.Options{SharedCA: true})
	f := newFixture(t, servers)
	f.write("cluster: CLUSTER\nusers: [{name: alice@OWNER}]")
	for _, flags := range [][]string{nil, {"--hold"}} {
		r := f.must(3, append([]string{"apply", "--yes"}, flags...)...)
		if !strings.Contains(r.stderr, "Every user with a certificate can impersonate anybody with a request header") || !strings.Contains(r.stderr, "--accept-shared-ca") {
			t.Errorf("apply %q: %s", flags, r.stderr)
		}
	}
	f.nothingStored()
	checks := f.preflight(1, "--issue")
	if diff := cmp.Diff([]string{"front proxy: failed", "signer: failed", onLoopback}, notWell(checks)); diff != "" ||
		!strings.Contains(checks["signer"].Detail, "and its CA signs for front proxies too: one CA signs") {
		t.Errorf("%s%+v", diff, checks)
	}
	if diff := cmp.Diff([]string{"front proxy: warning", "signer: warning", onLoopback}, notWell(f.preflight(0, "--issue", "--accept-shared-ca"))); diff != "" {
		t.Error(diff)
	}
	if left := f.kubectl("get", "csr", "-o", "name"); left != "" {
		t.Errorf("left over: %s", left)
	}

	f.must(0, "apply", "--yes", "--accept-shared-ca")
	secrets := servers.KubeURL + "/api/v1/namespaces/kube-system/secrets"
	if status := f.getAs("alice@"+f.owner, secrets, nil); status != http.StatusForbidden {
		t.Errorf("alice as herself: %d", status)
	}
	if status := f.getAs("alice@"+f.owner, secrets, http.Header{"X-Remote-User": {"anybody"}, "X-Remote-Group": {"system:masters"}}); status != http.StatusOK {
		t.Errorf("alice as an administrator: %d", status)
	}

	// The API servers publish the union of what all of them were told, so what is added there stays.
	f.kubectl("patch", "configmap", "extension-apiserver-authentication", "-n", "kube-system", "--type=merge",
		"-p", `{"data":{"requestheader-allowed-names":"[\"bob@`+f.owner+`\"]"}}`)
	f.write("users: [{name: bob@OWNER, clusterRoles: [view]}, {name: carol@OWNER}]")
	if r := f.must(1, "apply", "--yes", "--accept-shared-ca"); !strings.Contains(r.stdout, `issue bob@`+f.owner+`: held: a certificate for "bob@`) {
		t.Errorf("a user with a front proxy's name: %s", r.stdout)
	}
	if f.kv("users/bob@"+f.owner) != nil || f.kv("users/carol@"+f.owner) == nil {
		t.Error("carol should have a credential and bob none")
	}

	check(t, servers.SealVault(t.Context()))
	sealed := f.preflight(1, "--accept-shared-ca")
	if c := sealed["Vault"]; c.Result != "failed" || !strings.Contains(c.Detail, "sealed") || c.Hint != "unseal it with `vault operator unseal`" {
		t.Errorf("a sealed Vault: %+v", c)
	}
	if c := sealed["rights to write"]; c.Result != "ok" {
		t.Errorf("beside a sealed Vault: %+v", c)
	}
	check(t, servers.UnsealVault(t.Context()))
}

// getAs sends a GET with a user's certificate out of Vault, and headers, and returns the status.
func (f *fixture) getAs(user, url string, headers http.Header) int {
	f.Helper()
	credential := f.kv("users/" + user)
	pair, err := tls.X509KeyPair([]byte(credential["tls.crt"].(string)), []byte(credential["tls.key"].(string)))
	if err != nil {
		f.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(f.servers.CACert)
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots},
	}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(f.Context(), http.MethodGet, url, nil)
	if err != nil {
		f.Fatal(err)
	}
	if headers != nil {
		request.Header = headers
	}
	answer, err := client.Do(request)
	if err != nil {
		f.Fatal(err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode
}
