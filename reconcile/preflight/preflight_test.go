package preflight

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/pki"
	"github.com/certsync/certsync/reconcile/reconciletest"
	"github.com/certsync/certsync/reconcile/rights"
)

const flown = "users: [{name: alice, clusterRoles: [view, edit], namespaces: {staging: [view]}}]"

// flight is a Preflight of a world in which all is well.
func flight(t *testing.T) (*Preflight, *probe) {
	w := reconciletest.NewWorld(t)
	w.Spaces["kube-system"] = true
	now := w.Now.Add(-time.Second)
	p := &probe{World: w, fails: map[string]error{}, clock: &now, health: StoreHealth{Address: "https://vault", Mount: "secret", Folder: "certsync/test", Version: "1.21.4"}}
	return &Preflight{
		Inventory: reconciletest.Parse(t, flown), LockNamespace: "kube-system", Cluster: p, Store: p,
		OpenIssuer: func(reconcile.Identity) reconcile.Issuer { return p }, RunID: "7", Now: func() time.Time { return w.Now }, Issue: true,
	}, p
}

// TestPreflight: each thing that can be wrong is told by its own check, and by those that cannot be made without it.
func TestPreflight(t *testing.T) {
	boom := reconcile.WithHint(errors.New("boom"), "calm down")
	no := func(verb, resource, name string) reconcile.Permission {
		return reconcile.Permission{Verb: verb, Group: reconcile.RBACGroup, Resource: resource, Name: name}
	}
	tests := map[string]struct {
		change func(f *Preflight, p *probe)
		want   []string // the checks that are not ok, each with all or the beginning of its detail
	}{
		"all is well": {},
		"no kubeconfig": {func(f *Preflight, _ *probe) { f.Cluster, f.ClusterErr = nil, boom }, append(
			[]string{"API server failed: boom"}, unmade("needs API server", "API versions", "identity", "rights to read", "open access", "lock", "rights to write",
				"rights to lock", "rights for Events", "ClusterRoles", "namespaces", "rights to bind", "clock", "front proxy", "signer", "authorizer",
				"state not-checked: needs Vault contents, namespaces and lock", "users' address", "users' login not-checked: needs users' address")...)},
		"no Vault": {func(f *Preflight, _ *probe) { f.Store, f.StoreErr = nil, boom }, []string{
			"Vault failed: boom", "Vault contents not-checked: needs Vault", "Vault rights not-checked: needs Vault",
			"state not-checked: needs Vault contents"}},
		"an old Kubernetes":       {func(_ *Preflight, p *probe) { p.lacking = "selfsubjectreviews" }, []string{"API versions failed: the API server has no selfsubjectreviews in authentication.k8s.io/v1"}},
		"no description":          {func(_ *Preflight, p *probe) { p.fails["serves"] = boom }, []string{"API versions not-checked: boom"}},
		"nobody knows who we are": {func(_ *Preflight, p *probe) { p.fails["whoami"] = boom }, []string{"identity failed: boom", "signer not-checked: needs identity", "users' login not-checked: needs signer"}},
		"rights to read": {func(_ *Preflight, p *probe) { p.Denies = []reconcile.Permission{no("list", "clusterroles", "")} },
			[]string{"rights to read failed: may not: list clusterroles.rbac.authorization.k8s.io",
				"open access not-checked: needs the right to list clusterroles", "ClusterRoles not-checked: needs the right to list clusterroles.rbac.authorization.k8s.io", "rights to bind not-checked: needs ClusterRoles", "state not-checked: needs open access"}},
		"no right to tell": {func(_ *Preflight, p *probe) {
			p.Denies = []reconcile.Permission{rights.Event("kube-system")}
		},
			[]string{`rights for Events warning: may not: create events in namespace "kube-system": certsync writes no Events`}},
		"no rights at all": {func(f *Preflight, p *probe) {
			p.Denies = append(rights.Read("test", "kube-system"), no("create", "rolebindings", ""), no("delete", "rolebindings", ""))
		}, []string{
			"rights to read failed: may not: list clusterrolebindings.rbac.authorization.k8s.io; list rolebindings", "open access not-checked: ", "lock not-checked: needs the right to get leases",
			"rights to write failed: may not: create, delete rolebindings.rbac.authorization.k8s.io", "rights to lock failed: ",
			"ClusterRoles not-checked: ", "namespaces not-checked: needs the right to list namespaces", "rights to bind not-checked: ",
			`front proxy not-checked: needs the right to get configmaps "extension-apiserver-authentication" in namespace "kube-system"`,
			"state not-checked: "}},
		"no right to have a certificate issued": {func(f *Preflight, p *probe) {
			p.issuing = []reconcile.Permission{{Verb: "create", Resource: "csrs"}}
			p.Denies = p.issuing
		}, []string{"rights to write failed: may not: create csrs", "signer not-checked: needs the right to create csrs", "users' login not-checked: needs signer"}},
		"rights to write": {func(_ *Preflight, p *probe) { p.Denies = []reconcile.Permission{no("patch", "rolebindings", "")} },
			[]string{"rights to write failed: may not: patch rolebindings.rbac.authorization.k8s.io"}},
		"a lock that is held": {func(_ *Preflight, p *probe) {
			p.lock = LockView{Leased: true, Taken: reconcile.WithHint(reconcile.Locked{Name: "n", Holder: "h"}, "wait")}
		},
			[]string{`lock warning: another run holds the lock n: "h"`}},
		"a lock that cannot be read": {func(_ *Preflight, p *probe) { p.fails["lock"] = boom }, []string{"lock failed: boom", "state not-checked: "}},
		"no ClusterRole":             {func(_ *Preflight, p *probe) { delete(p.Roles, "edit") }, []string{`ClusterRoles warning: there is no "edit": bindings to a missing role`}},
		"a role that begins later, and one that has ended": {func(f *Preflight, _ *probe) {
			f.Inventory = reconciletest.Parse(t, "users: [{name: alice, clusterRoles: [{name: later, from: 2099-01-01}, {name: over, until: 2001-01-01}]}, {name: bob, from: 2099-01-01, clusterRoles: [bobs]}]")
		}, []string{`ClusterRoles warning: there is no "bobs", no "later": bindings`}},
		"a namespace that goes":     {func(_ *Preflight, p *probe) { p.Spaces["staging"] = false }, []string{`namespaces warning: "staging" does not exist`}},
		"no namespace for the lock": {func(f *Preflight, _ *probe) { f.LockNamespace = "locks" }, []string{`namespaces failed: "locks", where the lock is, does not exist`}},
		"neither can be listed": {func(_ *Preflight, p *probe) { p.fails["clusterroles"], p.fails["namespaces"] = boom, boom },
			[]string{"ClusterRoles failed: boom", "namespaces failed: boom", "rights to bind not-checked: needs ClusterRoles", "state not-checked: "}},
		"a binding that is refused": {func(_ *Preflight, p *probe) {
			p.binds = func(b reconcile.Binding) error {
				if b.Kind == reconcile.RoleBinding {
					return nil
				}
				return boom
			}
		}, []string{`rights to bind failed: ClusterRole "edit" cluster-wide: boom; ClusterRole "view" cluster-wide: boom`}},
		"a webhook without dry runs": {func(_ *Preflight, p *probe) {
			p.binds = func(reconcile.Binding) error { return fmt.Errorf("%w: webhook x", ErrNoDryRun) }
		}, []string{`rights to bind not-checked: ClusterRole "edit" cluster-wide: a dry run is not possible: webhook x; `}},
		"no right to bind at all": {func(_ *Preflight, p *probe) { p.Denies = []reconcile.Permission{no("create", "rolebindings", "")} },
			[]string{"rights to write failed: may not: create rolebindings", "rights to bind not-checked: needs the right to create rolebindings"}},
		"a webhook that guards the Lease's namespace": {func(_ *Preflight, p *probe) { p.fails["try lock"] = boom }, []string{"rights to lock failed: boom"}},
		"a webhook without dry runs of Leases": {func(_ *Preflight, p *probe) { p.fails["try lock"] = ErrNoDryRun },
			[]string{"rights to lock not-checked: a dry run is not possible"}},
		"a list that is cut short": {func(_ *Preflight, p *probe) { p.fails["observe"] = boom }, []string{"open access failed: boom", "state not-checked: needs open access"}},
		"a strong role for everybody": {func(_ *Preflight, p *probe) {
			p.Plant(reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Name: "open", RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: "cluster-admin"},
				Subjects: []reconcile.Subject{{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: "system:authenticated"}}})
		}, []string{"open access warning: ClusterRoleBinding open is as good as cluster-admin (by its name"}},
		"a role for everybody where certsync runs": {func(f *Preflight, p *probe) {
			f.Namespace = "certsync"
			p.Plant(reconcile.Binding{Kind: reconcile.RoleBinding, Namespace: "certsync", Name: "open", RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: "edit"},
				Subjects: []reconcile.Subject{{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: "system:authenticated"}}})
		}, []string{"open access warning: RoleBinding certsync/open is as good as cluster-admin"}},
		"bindings of this owner, and no state": {func(_ *Preflight, p *probe) {
			p.Plant(reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Name: "certsync:test:user:alice:view", RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: "view"}})
		}, []string{"state failed: the cluster has 1 ClusterRoleBindings of owner test, and Vault has no state"}},
		"AlwaysAllow": {func(_ *Preflight, p *probe) { p.Everybody.Everything = true }, []string{"signer not-checked: needs authorizer",
			"authorizer failed: bindings have no effect in this cluster", "users' login not-checked: needs signer"}},
		"AlwaysAllow, as the certificate tells": {func(_ *Preflight, p *probe) { p.Everybody.Unasked, p.holder.Everything = "no", true },
			[]string{"signer failed: bindings have no effect in this cluster", "authorizer failed: bindings have no effect in this cluster"}},
		"an authorizer that only the certificate asks": {func(_ *Preflight, p *probe) { p.Everybody.Unasked = "no" }, nil},
		"an authorizer that nobody may ask": {func(_ *Preflight, p *probe) { p.Everybody.Unasked, p.holder.Unasked = "no", "no" },
			[]string{"authorizer not-checked: certsync did not check that bindings limit what a certificate may do (certsync preflight --issue checks it with a certificate): no"}},
		"an authorizer that does not answer":     {func(_ *Preflight, p *probe) { p.fails["anybody"] = boom }, nil},
		"neither does it answer the certificate": {func(_ *Preflight, p *probe) { p.fails["anybody"], p.fails["holder"] = boom, boom }, []string{"signer failed: boom", "authorizer failed: boom"}},
		"an authorizer that gives Secrets away":  {func(_ *Preflight, p *probe) { p.Everybody.Secrets, p.holder.Secrets = true, true }, []string{"authorizer warning: every user with a certificate may read the Secrets"}},
		"an address that is not reached from here": {func(_ *Preflight, p *probe) { p.fails["reach"] = fmt.Errorf("%w: refused", ErrNotReached) },
			[]string{`users' address not-checked: https://k8s.example.com:6443 (certsync's own), as cluster "test"; not tried from here: refused`, "users' login not-checked: not tried from here"}},
		"an address with another CA": {func(_ *Preflight, p *probe) { p.fails["reach"] = boom }, []string{`users' address failed: https://k8s.example.com:6443 (certsync's own), as cluster "test": boom`}},
		"a balancer that ends TLS":   {func(_ *Preflight, p *probe) { p.fails["login"] = boom }, []string{"users' login failed: boom"}},
		"a balancer that logs in itself": {func(_ *Preflight, p *probe) { p.takenFor = "balancer" },
			[]string{`users' login failed: the server at https://k8s.example.com:6443 takes the new certificate for "balancer"`}},
		"an address that goes down": {func(_ *Preflight, p *probe) { p.fails["login"] = ErrNotReached }, []string{"users' login not-checked: not tried from here"}},
		"a tunnel": {func(_ *Preflight, p *probe) { p.World.Endpoint.Server = "https://localhost:6443" },
			[]string{`users' address warning: https://localhost:6443 (certsync's own), as cluster "test"; an API server answers there; an address that only this machine can reach`}},
		"a tunnel that the inventory states": {func(f *Preflight, _ *probe) {
			f.Inventory = reconciletest.Parse(t, "cluster: {server: 'https://host.docker.internal'}\n"+flown)
		}, []string{`users' address warning: https://host.docker.internal (from the inventory), as cluster "test"; an API server answers there; an address`}},
		"no reviews": {func(_ *Preflight, p *probe) { p.fails["reviews"] = boom },
			[]string{"rights to read failed: boom", "rights to write failed: boom", "rights to lock failed: boom", "rights for Events warning: boom"}},
		"a slow clock": {func(_ *Preflight, p *probe) { *p.clock = p.Now.Add(3 * time.Minute) }, []string{"clock failed: the clocks of this machine and of the API server differ by 3m"}},
		"no clock":     {func(_ *Preflight, p *probe) { p.clock = nil }, []string{"clock failed: the API server has not said within 10s what time it is"}},
		"a shared CA":  {func(_ *Preflight, p *probe) { p.World.FrontProxy.SharedCA = true }, []string{"front proxy failed: one CA signs for clients and for front proxies"}},
		"a shared CA, accepted": {func(f *Preflight, p *probe) { p.World.FrontProxy.SharedCA, f.AcceptSharedCA = true, true },
			[]string{"front proxy warning: one CA signs"}},
		"a shared CA and its names": {func(_ *Preflight, p *probe) {
			p.World.FrontProxy = reconcile.FrontProxy{SharedCA: true, AllowedNames: []string{"x"}}
		},
			[]string{`front proxy warning: one CA signs for clients and for front proxies; front proxies are accepted by name: ["x"]`}},
		"a shared CA and a user's name": {func(_ *Preflight, p *probe) {
			p.World.FrontProxy = reconcile.FrontProxy{SharedCA: true, AllowedNames: []string{"alice"}}
		},
			[]string{`front proxy failed: a certificate for "alice" could impersonate anybody`}},
		"a signer whose CA is a front proxy's, unpublished": {func(_ *Preflight, p *probe) { p.World.FrontProxy.CAs = []byte(pki.LeafPEM(p.CA)) },
			[]string{"signer failed: the certificate works, and its CA signs for front proxies too: one CA"}},
		"the same, with names": {func(_ *Preflight, p *probe) {
			p.World.FrontProxy = reconcile.FrontProxy{CAs: []byte(pki.LeafPEM(p.CA)), AllowedNames: []string{"x"}}
		},
			[]string{"signer warning: the certificate works, and its CA signs for front proxies too; front proxies are accepted by name: [\"x\"]"}},
		"no name for the cluster": {func(_ *Preflight, p *probe) { p.World.Endpoint.Name = "" }, []string{"users' address failed: users' kubeconfigs need a name", "users' login not-checked: needs users' address"}},
		"no certificate is tried": {func(f *Preflight, _ *probe) { f.Issue = false },
			[]string{"signer not-checked: a dry run of a request succeeded; whether it issues", "users' login not-checked: whether the server at that address"}},
		"a request that is refused": {func(f *Preflight, p *probe) { f.Issue, p.fails["try request"] = false, boom },
			[]string{"signer failed: issuing a certificate: boom", "users' login not-checked: "}},
		"a request that takes no dry run": {func(f *Preflight, p *probe) { f.Issue, p.fails["try request"] = false, ErrNoDryRun },
			[]string{"signer not-checked: issuing a certificate: a dry run is not possible", "users' login not-checked: "}},
		"a signer that does not sign": {func(_ *Preflight, p *probe) {
			p.Fail = reconciletest.Failing("issue", fmt.Errorf("%w: x", reconcile.ErrNotIssued))
		},
			[]string{"signer failed: issuing a certificate: the signer did not issue", "users' login not-checked: needs signer"}},
		"a signer that signs something else": {func(_ *Preflight, p *probe) {
			p.Sign = func(c *x509.Certificate) { c.Subject.Organization = []string{"system:masters"} }
		},
			[]string{"signer failed: verifying the certificate of CertificateSigningRequest", "users' login not-checked: needs signer"}},
		"a signer that nobody trusts": {func(_ *Preflight, p *probe) {
			p.Login = func(reconcile.Identity) (reconcile.Identity, error) {
				return reconcile.Identity{}, reconcile.ErrNotTrusted
			}
		}, []string{"signer failed: the API server does not trust", "users' login not-checked: needs signer"}},
		"a request that cannot be deleted": {func(_ *Preflight, p *probe) { p.fails["delete"] = boom }, []string{"signer failed: boom"}},
		"no CA":                            {func(f *Preflight, _ *probe) { f.CAErr = boom }, []string{"rights to write not-checked: needs signer", "signer failed: boom", "users' login not-checked: needs signer"}},
		"a Vault that does not say how it is": {func(_ *Preflight, p *probe) { p.fails["health"] = boom },
			[]string{"Vault not-checked: https://vault, folder certsync/test of the KV v2 mount secret; boom"}},
		"a Vault that was sealed meanwhile": {func(_ *Preflight, p *probe) { p.health.Sealed = true }, append([]string{"Vault failed: https://vault: it is sealed"},
			"Vault contents not-checked: needs Vault", "Vault rights not-checked: needs Vault", "state not-checked: ")},
		"a token without rights":   {func(_ *Preflight, p *probe) { p.StoreLacks = []string{"a", "b"} }, []string{"Vault rights failed: the token lacks a; b"}},
		"a token that may not ask": {func(_ *Preflight, p *probe) { p.mute = true }, []string{"Vault rights not-checked: the token may not read its own"}},
		"a token that ends soon": {func(f *Preflight, p *probe) { p.life, f.RunTime = time.Minute, 11*time.Minute },
			[]string{"Vault rights warning: the Vault token expires in 1m, and apply may take 11m"}},
		"a token that lives long enough": {func(f *Preflight, p *probe) { p.life, f.RunTime = 11*time.Minute, 11*time.Minute }, nil},
		"a token that may not be asked":  {func(_ *Preflight, p *probe) { p.fails["capabilities"] = boom }, []string{"Vault rights failed: boom"}},
		"a ledger that cannot be read":   {func(_ *Preflight, p *probe) { p.fails["contents"] = boom }, []string{"Vault contents failed: boom", "state not-checked: "}},
		"a mount that deletes by time":   {func(_ *Preflight, p *probe) { p.fails["retention"] = boom }, []string{"Vault contents failed: boom"}},
		"a credential that is deleted by time": {func(_ *Preflight, p *probe) { p.Users["alice"] = &reconciletest.Secret{DeleteAfter: time.Hour} },
			[]string{"Vault contents warning: Vault deletes what certsync writes to users/alice after 1h (run ", "state warning: "}},
		"a ledger without a state": {func(_ *Preflight, p *probe) { p.Users["alice"] = &reconciletest.Secret{Current: 1} },
			[]string{"state warning: Vault has no state, and 1 entries in ledger/ and users/: the state may be lost"}},
		"a state of another cluster": {func(_ *Preflight, p *probe) { p.State = &reconcile.State{ClusterUID: "other"} },
			[]string{"state failed: owner test belongs to another cluster"}},
		"a state from a backup": {func(_ *Preflight, p *probe) {
			p.State, p.lock = &reconcile.State{ClusterUID: "cluster-1", Generation: 2}, LockView{Leased: true, Mark: reconcile.Mark{Generation: 3}}
		}, []string{"state failed: Vault's state is of generation 2, and the last run wrote 3"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, p := flight(t)
			if tt.change != nil {
				tt.change(f, p)
			}
			report := f.Do(t.Context())
			var got []string
			for _, c := range report.Checks {
				if c.Verdict == NotChecked && !strings.Contains(c.Hint, "certsync preflight") {
					t.Errorf("%s does not say how it would be checked: %q", c.Name, c.Hint)
				}
				if c.Verdict != Passed {
					got = append(got, fmt.Sprintf("%s %s: %s", c.Name, c.Verdict, c.Detail))
				}
				if strings.HasPrefix(c.Detail, "boom") && !strings.HasPrefix(c.Hint, "calm down") && c.Verdict == Broken {
					t.Errorf("%s has no hint", c.Name)
				}
			}
			if !slices.EqualFunc(tt.want, got, func(want, got string) bool { return strings.HasPrefix(got, want) }) {
				t.Errorf("%s", cmp.Diff(tt.want, got))
			}
			failed := slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, " failed: ") })
			if len(report.Checks) != 22 || report.OK() == failed {
				t.Errorf("%d checks, ok %t", len(report.Checks), report.OK())
			}
			for _, c := range p.Writes() {
				if !strings.HasPrefix(c, "issue certsync-preflight-7#2 ") && !strings.HasPrefix(c, "login") {
					t.Errorf("preflight wrote: %s", c)
				}
			}
		})
	}
}

// unmade are checks that were not made, for one reason; what has a colon is whole already.
func unmade(why string, names ...string) []string {
	var all []string
	for _, name := range names {
		if !strings.Contains(name, ":") {
			name += " not-checked: " + why
		}
		all = append(all, name)
	}
	return all
}

// TestHints: the hint fits what refuses. A Lease is applied, and no right helps where admission denies a binding.
func TestHints(t *testing.T) {
	f, p := flight(t)
	p.Denies = []reconcile.Permission{
		{Verb: "create", Group: "coordination.k8s.io", Resource: "leases", Namespace: "kube-system"}, rights.Bind(reconcile.ClusterRole, "view"),
	}
	p.binds = func(reconcile.Binding) error {
		return reconcile.WithHint(errors.New("denied"), "have the policy allow it")
	}
	hints := map[string]string{}
	for _, c := range f.Do(t.Context()).Checks {
		if c.Verdict != Passed {
			hints[c.Name] = c.Hint
		}
	}
	want := map[string]string{"rights to lock": rights.LeaseHint, "rights to bind": "have the policy allow it"}
	if diff := cmp.Diff(want, hints); diff != "" {
		t.Error(diff)
	}
}
