package preflight

import (
	"context"
	"crypto/x509"
	"encoding/json"
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
)

// probe is a world as a Preflight asks it. Every question in fails is answered with an error.
type probe struct {
	*reconciletest.World
	fails   map[string]error
	lacking string // a resource that the API server does not have
	binds   func(reconcile.Binding) (string, error)
	lock    LockView
	health  StoreHealth
	mute    bool          // the token may not ask what it may do
	life    time.Duration // of the token
	methods AuthMethods
	clock   *time.Time
	deleted []reconcile.CSRRef
	issuing []reconcile.Permission
}

func (p *probe) Permissions() []reconcile.Permission { return p.issuing }

func (p *probe) Address() string { return "https://cluster" }

func (p *probe) Version(context.Context) (string, error) { return "v1.36.3", p.fails["version"] }

func (p *probe) Serves(_ context.Context, _, resource string) (bool, error) {
	return resource != p.lacking, p.fails["serves"]
}

func (p *probe) WhoAmI(context.Context) (reconcile.Identity, error) {
	return reconcile.Identity{Name: "certsync"}, p.fails["whoami"]
}

func (p *probe) Denied(_ context.Context, want []reconcile.Permission) ([]reconcile.Permission, error) {
	return slices.DeleteFunc(slices.Clone(want), func(w reconcile.Permission) bool { return !slices.Contains(p.Denies, w) }), p.fails["reviews"]
}

func (p *probe) MayBind(_ context.Context, b reconcile.Binding) (string, error) {
	if p.binds == nil {
		return "", errors.New("nobody should try to bind")
	}
	return p.binds(b)
}

func (p *probe) ClusterRoles(context.Context) (map[string]bool, error) {
	if err := p.fails["clusterroles"]; err != nil {
		return nil, err
	}
	return p.Roles, nil
}

func (p *probe) Namespaces(context.Context) (map[string]bool, string, error) {
	if err := p.fails["namespaces"]; err != nil {
		return nil, "", err
	}
	return p.Spaces, "cluster-1", nil
}

func (p *probe) FrontProxy(context.Context) (reconcile.FrontProxy, error) {
	return p.World.FrontProxy, p.fails["front proxy"]
}

func (p *probe) LookAtLock(context.Context, string) (LockView, error) {
	return p.lock, p.fails["lock"]
}

func (p *probe) Endpoint() (reconcile.Endpoint, error) { return p.World.Endpoint, p.fails["endpoint"] }

func (p *probe) Clock() (time.Time, bool) {
	if p.clock == nil {
		return time.Time{}, false
	}
	return *p.clock, true
}

func (p *probe) Health(context.Context) (StoreHealth, error) { return p.health, p.fails["health"] }

func (p *probe) Lacks(context.Context, reconcile.StoreNeeds) ([]string, bool, error) {
	return p.StoreLacks, !p.mute, p.fails["capabilities"]
}

func (p *probe) TokenLife() time.Duration { return p.life }

func (p *probe) AuthMethods(context.Context) AuthMethods { return p.methods }

func (p *probe) Keeps(context.Context) error { return p.fails["retention"] }

func (p *probe) ObserveStore(ctx context.Context) (reconcile.StoreView, error) {
	if err := p.fails["contents"]; err != nil {
		return reconcile.StoreView{}, err
	}
	return p.World.ObserveStore(ctx)
}

func (p *probe) DeleteRequest(_ context.Context, ref reconcile.CSRRef) error {
	p.deleted = append(p.deleted, ref)
	return p.fails["delete"]
}

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
			[]string{"API server failed: boom"}, unmade("needs API server", "API versions", "identity", "rights to read", "lock", "rights to write",
				"rights to lock", "rights to tell", "ClusterRoles", "namespaces", "rights to bind", "clock", "front proxy", "signer",
				"state not-checked: needs Vault contents, namespaces and lock", "users' address")...)},
		"no Vault": {func(f *Preflight, _ *probe) { f.Store, f.StoreErr = nil, boom }, []string{
			"Vault failed: boom", "Vault rights not-checked: needs Vault", "Vault contents not-checked: needs Vault",
			"state not-checked: needs Vault contents"}},
		"an old Kubernetes":       {func(_ *Preflight, p *probe) { p.lacking = "selfsubjectreviews" }, []string{"API versions failed: the API server has no selfsubjectreviews in authentication.k8s.io/v1"}},
		"no description":          {func(_ *Preflight, p *probe) { p.fails["serves"] = boom }, []string{"API versions warning: boom"}},
		"nobody knows who we are": {func(_ *Preflight, p *probe) { p.fails["whoami"] = boom }, []string{"identity failed: boom", "signer not-checked: needs identity"}},
		"rights to read": {func(_ *Preflight, p *probe) { p.Denies = []reconcile.Permission{no("list", "clusterroles", "")} },
			[]string{"rights to read failed: may not: list clusterroles.rbac.authorization.k8s.io",
				"ClusterRoles not-checked: needs the right to list clusterroles.rbac.authorization.k8s.io", "rights to bind not-checked: needs ClusterRoles"}},
		"no right to tell": {func(_ *Preflight, p *probe) {
			p.Denies = []reconcile.Permission{reconcile.EventPermission("kube-system")}
		},
			[]string{`rights to tell warning: may not: create events in namespace "kube-system": runs are not told of`}},
		"no rights at all": {func(f *Preflight, p *probe) {
			p.Denies = append(reconcile.ReadPermissions("test", "kube-system"), no("create", "rolebindings", ""), no("delete", "rolebindings", ""))
		}, []string{
			"rights to read failed: may not: list clusterrolebindings.rbac.authorization.k8s.io; list rolebindings", "lock not-checked: needs the right to get leases",
			"rights to write failed: may not: create, delete rolebindings.rbac.authorization.k8s.io", "rights to lock failed: ",
			"ClusterRoles not-checked: ", "namespaces not-checked: needs the right to list namespaces", "rights to bind not-checked: ",
			`front proxy not-checked: needs the right to get configmaps "extension-apiserver-authentication" in namespace "kube-system"`,
			"state not-checked: "}},
		"no right to have a certificate issued": {func(f *Preflight, p *probe) {
			p.issuing = []reconcile.Permission{{Verb: "create", Resource: "csrs"}}
			p.Denies = p.issuing
		}, []string{"rights to write failed: may not: create csrs", "signer not-checked: needs the right to create csrs"}},
		"rights to write": {func(_ *Preflight, p *probe) { p.Denies = []reconcile.Permission{no("patch", "rolebindings", "")} },
			[]string{"rights to write failed: may not: patch rolebindings.rbac.authorization.k8s.io"}},
		"a lock that is held": {func(_ *Preflight, p *probe) {
			p.lock = LockView{Leased: true, Taken: reconcile.WithHint(reconcile.Locked{Name: "n", Holder: "h"}, "wait")}
		},
			[]string{`lock warning: another run holds the lock n: "h"`}},
		"a lock that cannot be read": {func(_ *Preflight, p *probe) { p.fails["lock"] = boom }, []string{"lock failed: boom", "state not-checked: "}},
		"no ClusterRole":             {func(_ *Preflight, p *probe) { delete(p.Roles, "edit") }, []string{`ClusterRoles warning: there is no "edit": bindings to it`}},
		"a namespace that goes":      {func(_ *Preflight, p *probe) { p.Spaces["staging"] = false }, []string{`namespaces warning: "staging" does not exist`}},
		"no namespace for the lock":  {func(f *Preflight, _ *probe) { f.LockNamespace = "locks" }, []string{`namespaces failed: "locks", where the lock is, does not exist`}},
		"neither can be listed": {func(_ *Preflight, p *probe) { p.fails["clusterroles"], p.fails["namespaces"] = boom, boom },
			[]string{"ClusterRoles failed: boom", "namespaces failed: boom", "rights to bind not-checked: needs ClusterRoles", "state not-checked: "}},
		"no verb bind, and every rule": {func(_ *Preflight, p *probe) {
			p.Denies = []reconcile.Permission{no("bind", "clusterroles", "view")}
			p.binds = func(b reconcile.Binding) (string, error) {
				if b.Name != "certsync:test:user:certsync-preflight:view" || b.Owner != "test" {
					return b.Name, nil
				}
				return "", nil
			}
		}, nil},
		"no verb bind, and not every rule": {func(_ *Preflight, p *probe) {
			p.Denies = []reconcile.Permission{no("bind", "clusterroles", "view")}
			p.binds = func(b reconcile.Binding) (string, error) {
				if b.Kind == reconcile.RoleBinding {
					return "", nil
				}
				return "no rules", nil
			}
		}, []string{`rights to bind failed: ClusterRole "view" cluster-wide: no rules`}},
		"no verb bind, and nobody can tell": {func(_ *Preflight, p *probe) {
			p.Denies = []reconcile.Permission{no("bind", "clusterroles", "edit")}
			p.binds = func(reconcile.Binding) (string, error) { return "", boom }
		}, []string{"rights to bind warning: boom"}},
		"no reviews": {func(_ *Preflight, p *probe) { p.fails["reviews"] = boom },
			[]string{"rights to read failed: boom", "rights to write failed: boom", "rights to lock failed: boom", "rights to tell warning: boom", "rights to bind failed: boom"}},
		"a slow clock": {func(_ *Preflight, p *probe) { *p.clock = p.Now.Add(3 * time.Minute) }, []string{"clock failed: the clock here and the API server's are 3m0s apart"}},
		"no clock":     {func(_ *Preflight, p *probe) { p.clock = nil }, []string{"clock failed: the API server does not say what time it is"}},
		"a shared CA":  {func(_ *Preflight, p *probe) { p.World.FrontProxy.SharedCA = true }, []string{"front proxy failed: one CA signs for clients and for front proxies"}},
		"a shared CA, accepted": {func(f *Preflight, p *probe) { p.World.FrontProxy.SharedCA, f.AcceptSharedCA = true, true },
			[]string{"front proxy warning: one CA signs"}},
		"a shared CA and its names": {func(_ *Preflight, p *probe) {
			p.World.FrontProxy = reconcile.FrontProxy{SharedCA: true, AllowedNames: []string{"x"}}
		},
			[]string{`front proxy warning: one CA signs for clients and for front proxies, which are told by their names: ["x"]`}},
		"a shared CA and a user's name": {func(_ *Preflight, p *probe) {
			p.World.FrontProxy = reconcile.FrontProxy{SharedCA: true, AllowedNames: []string{"alice"}}
		},
			[]string{`front proxy failed: with a certificate, "alice" could be`}},
		"a signer whose CA is a front proxy's, unpublished": {func(_ *Preflight, p *probe) { p.World.FrontProxy.CAs = []byte(pki.LeafPEM(p.CA)) },
			[]string{"signer failed: the certificate that was issued works, and is of a CA for front proxies too: one CA"}},
		"the same, with names": {func(_ *Preflight, p *probe) {
			p.World.FrontProxy = reconcile.FrontProxy{CAs: []byte(pki.LeafPEM(p.CA)), AllowedNames: []string{"x"}}
		},
			[]string{"signer warning: the certificate that was issued works, and is of a CA for front proxies too, which are told by their names: [\"x\"]"}},
		"no name for the cluster": {func(_ *Preflight, p *probe) { p.World.Endpoint.Name = "" }, []string{"users' address failed: users' kubeconfigs need a name"}},
		"no certificate is tried": {func(f *Preflight, _ *probe) { f.Issue = false }, []string{"signer not-checked: whether it issues"}},
		"a signer that does not sign": {func(_ *Preflight, p *probe) {
			p.Fail = reconciletest.Failing("issue", fmt.Errorf("%w: x", reconcile.ErrNotIssued))
		},
			[]string{"signer failed: issuing a certificate: the signer did not issue"}},
		"a signer that signs something else": {func(_ *Preflight, p *probe) {
			p.Sign = func(c *x509.Certificate) { c.Subject.Organization = []string{"system:masters"} }
		},
			[]string{"signer failed: verifying the certificate of CertificateSigningRequest"}},
		"a signer that nobody trusts": {func(_ *Preflight, p *probe) {
			p.Login = func(reconcile.Identity) (reconcile.Identity, error) {
				return reconcile.Identity{}, reconcile.ErrNotTrusted
			}
		}, []string{"signer failed: the API server does not trust"}},
		"a request that cannot be deleted": {func(_ *Preflight, p *probe) { p.fails["delete"] = boom }, []string{"signer failed: boom"}},
		"no CA":                            {func(f *Preflight, _ *probe) { f.CAErr = boom }, []string{"rights to write not-checked: needs signer", "signer failed: boom"}},
		"a Vault that does not say how it is": {func(_ *Preflight, p *probe) { p.fails["health"] = boom },
			[]string{"Vault warning: https://vault, folder certsync/test of the KV v2 mount secret; boom"}},
		"a Vault that was sealed meanwhile": {func(_ *Preflight, p *probe) { p.health.Sealed = true }, append([]string{"Vault failed: https://vault: it is sealed"},
			"Vault rights not-checked: needs Vault", "Vault contents not-checked: needs Vault", "state not-checked: ")},
		"a token without rights":   {func(_ *Preflight, p *probe) { p.StoreLacks = []string{"a", "b"} }, []string{"Vault rights failed: the token lacks a; b"}},
		"a token that may not ask": {func(_ *Preflight, p *probe) { p.mute = true }, []string{"Vault rights warning: the token may not ask"}},
		"a token that ends soon": {func(f *Preflight, p *probe) { p.life, f.RunTime = time.Minute, 11*time.Minute },
			[]string{"Vault rights warning: the Vault token ends in 1m0s, and apply may take 11m0s"}},
		"a token that lives long enough": {func(f *Preflight, p *probe) { p.life, f.RunTime = 11*time.Minute, 11*time.Minute }, nil},
		"a token that may not be asked":  {func(_ *Preflight, p *probe) { p.fails["capabilities"] = boom }, []string{"Vault rights failed: boom"}},
		"a ledger that cannot be read":   {func(_ *Preflight, p *probe) { p.fails["contents"] = boom }, []string{"Vault contents failed: boom", "state not-checked: "}},
		"a mount that deletes by time":   {func(_ *Preflight, p *probe) { p.fails["retention"] = boom }, []string{"Vault contents failed: boom"}},
		"a credential that is deleted by time": {func(_ *Preflight, p *probe) { p.Users["alice"] = &reconciletest.Secret{DeleteAfter: time.Hour} },
			[]string{"Vault contents warning: Vault deletes what is written to users/alice after 1h0m0s (vault kv metadata patch", "state warning: "}},
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
				if c.Verdict != Passed {
					got = append(got, fmt.Sprintf("%s %s: %s", c.Name, c.Verdict, c.Detail))
				}
				if strings.HasPrefix(c.Detail, "boom") && c.Mend != "calm down" && c.Verdict == Broken {
					t.Errorf("%s says nothing of how to mend it", c.Name)
				}
			}
			if !slices.EqualFunc(tt.want, got, func(want, got string) bool { return strings.HasPrefix(got, want) }) {
				t.Errorf("%s", cmp.Diff(tt.want, got))
			}
			failed := slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, " failed: ") })
			if len(report.Checks) != 19 || report.OK() == failed {
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

// TestPreflightLeavesNoRequest: what was issued is deleted, whatever comes of it.
func TestPreflightLeavesNoRequest(t *testing.T) {
	for _, trusted := range []bool{true, false} {
		f, p := flight(t)
		if !trusted {
			p.Login = func(reconcile.Identity) (reconcile.Identity, error) {
				return reconcile.Identity{}, reconcile.ErrNotTrusted
			}
		}
		f.Do(t.Context())
		if len(p.deleted) != 1 || p.deleted[0].UID == "" {
			t.Errorf("trusted %t: deleted were %v", trusted, p.deleted)
		}
	}
}

// TestPreflightByCA: a CA of certsync's own is compared with the front proxy's, whether the API servers publish it or not.
func TestPreflightByCA(t *testing.T) {
	f, p := flight(t)
	ca := reconciletest.Authority{Cert: p.CA, Key: p.CAKey, Now: p.Now}
	f.CA = ca.Issuer(t)
	f.OpenIssuer = func(reconcile.Identity) reconcile.Issuer { return f.CA }
	if report := f.Do(t.Context()); !report.OK() || report.Count(Passed) != 19 {
		t.Errorf("%+v", report)
	}
	p.World.FrontProxy.CAs = []byte(pki.LeafPEM(p.CA))
	f.Issue = false
	report := f.Do(t.Context())
	if i := slices.IndexFunc(report.Checks, func(c Check) bool { return c.Name == "front proxy" }); report.Checks[i].Verdict != Broken {
		t.Errorf("%+v", report.Checks[i])
	}
}

// TestPreflightJSON: programs are told as much as people.
func TestPreflightJSON(t *testing.T) {
	text, err := json.Marshal(Report{"prod-eu", []Check{
		{"a", Passed, "well", ""}, {"b", NotChecked, "needs a", ""}, {"c", Broken, "gone", "bring it back"}}})
	const want = `{"formatVersion":"1","ok":false,"owner":"prod-eu","checks":[{"name":"a","result":"ok","detail":"well"},` +
		`{"name":"b","result":"not-checked","detail":"needs a"},{"name":"c","result":"failed","detail":"gone","mend":"bring it back"}]}`
	if err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
}
