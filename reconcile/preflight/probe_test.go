package preflight

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// probe is a world as a Preflight asks it. Every question in fails is answered with an error.
type probe struct {
	*reconciletest.World
	fails   map[string]error
	lacking string // a resource that the API server does not have
	binds   func(reconcile.Binding) error
	tried   []string // bindings, by dry runs
	needed  reconcile.StoreNeeds
	holder  access.Decision
	dialled string // people's address
	// takenFor is the name by which the server at people's address knows everybody; "": their own.
	takenFor string
	lock     LockView
	health   StoreHealth
	mute     bool          // the token may not read its own capabilities
	life     time.Duration // of the token
	methods  AuthMethods
	clock    *time.Time
	deleted  []reconcile.CSRRef
	issuing  []reconcile.Permission
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

func (p *probe) TryBinding(_ context.Context, b reconcile.Binding) error {
	p.Mu.Lock()
	defer p.Mu.Unlock()
	p.tried = append(p.tried, b.Object())
	if p.binds == nil {
		return nil
	}
	return p.binds(b)
}

func (p *probe) TryLock(context.Context, string) error { return p.fails["try lock"] }

func (p *probe) TryRequest(_ context.Context, req reconcile.CertificateRequest) error {
	if req.Username != "certsync-preflight-7#2" {
		return fmt.Errorf("a request for %q", req.Username)
	}
	return p.fails["try request"]
}

func (p *probe) Anybody(ctx context.Context) (access.Decision, error) {
	d, err := p.World.Anybody(ctx)
	return d, errors.Join(err, p.fails["anybody"])
}

func (p *probe) MayAnything(context.Context, []byte, reconcile.Secret) (access.Decision, error) {
	return p.holder, p.fails["holder"]
}

func (p *probe) ObserveCluster(ctx context.Context, owner string) (reconcile.ClusterView, error) {
	if err := p.fails["observe"]; err != nil {
		return reconcile.ClusterView{}, err
	}
	return p.World.ObserveCluster(ctx, owner)
}

func (p *probe) Reach(_ context.Context, e reconcile.Endpoint) error {
	p.dialled = e.Server
	return p.fails["reach"]
}

func (p *probe) LoginAt(ctx context.Context, e reconcile.Endpoint, chain []byte, _ reconcile.Secret) (reconcile.Identity, error) {
	if e.Server != p.dialled {
		return reconcile.Identity{}, fmt.Errorf("a login at %q", e.Server)
	}
	leaf, err := reconcile.ParseLeaf(chain)
	if err != nil {
		return reconcile.Identity{}, err
	}
	who := reconcile.Identity{Name: leaf.Subject.CommonName}
	if p.takenFor != "" {
		who.Name = p.takenFor
	}
	return who, p.fails["login"]
}

func (p *probe) ClusterRoles(context.Context) (map[string]bool, error) {
	if err := p.fails["clusterroles"]; err != nil {
		return nil, err
	}
	return p.Roles, nil
}

func (p *probe) NamespaceRoles(context.Context) (map[reconcile.Role]bool, error) {
	all := map[reconcile.Role]bool{}
	for role := range p.RoleRules {
		all[role] = role.Namespace != ""
	}
	return all, p.fails["roles"]
}

func (p *probe) Namespaces(context.Context) (map[string]reconcile.Namespace, string, error) {
	if err := p.fails["namespaces"]; err != nil {
		return nil, "", err
	}
	all := map[string]reconcile.Namespace{}
	for name, open := range p.Spaces {
		all[name] = reconcile.Namespace{Labels: p.Labels[name], Open: open}
	}
	return all, "cluster-1", nil
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

func (p *probe) Lacks(_ context.Context, needs reconcile.StoreNeeds) ([]string, bool, error) {
	p.needed = needs
	return p.StoreLacks, !p.mute, p.fails["capabilities"]
}

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

func (p *probe) TokenLife() time.Duration { return p.life }

func (p *probe) AuthMethods(context.Context) AuthMethods { return p.methods }

func (p *probe) CheckRetention(context.Context) error { return p.fails["retention"] }
