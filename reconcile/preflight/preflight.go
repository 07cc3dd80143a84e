package preflight

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/granted"
	"github.com/certsync/certsync/reconcile/pki"
	"github.com/certsync/certsync/reconcile/plan/index"
)

// Verdict says how a check ended.
type Verdict string

// How a check ends. A Warning does not keep apply from working.
const (
	Passed     Verdict = "ok"
	Warning    Verdict = "warning"
	Broken     Verdict = "failed"
	NotChecked Verdict = "not-checked" // the detail says why
)

// Check is one thing that apply will need.
type Check struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"result"`
	Detail  string  `json:"detail"`
	Hint    string  `json:"hint,omitempty"` // what to do about it
}

// Report is what a Preflight found.
type Report struct {
	Owner  string
	Checks []Check // in the order in which they are shown
}

// OK reports whether nothing failed. Something may not have been checked, see Complete.
func (r Report) OK() bool { return r.Count(Broken) == 0 }

// Complete reports whether all checks were made.
func (r Report) Complete() bool { return r.Count(NotChecked) == 0 }

// Count is how many checks ended so.
func (r Report) Count(v Verdict) int {
	n := 0
	for _, c := range r.Checks {
		if c.Verdict == v {
			n++
		}
	}
	return n
}

// MarshalJSON gives the form of `preflight -o json`.
func (r Report) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		FormatVersion string  `json:"formatVersion"`
		OK            bool    `json:"ok"`       // nothing failed
		Complete      bool    `json:"complete"` // all checks were made
		Owner         string  `json:"owner"`
		Checks        []Check `json:"checks"`
	}{reconcile.FormatVersion, r.OK(), r.Complete(), r.Owner, reconcile.OrEmpty(r.Checks)})
}

// ErrNoDryRun is wrapped by a write that could not be tried: a webhook does not support dry runs.
var ErrNoDryRun = errors.New("a dry run is not possible")

// ErrNotReached is wrapped by an attempt to reach people's address of which this machine got no answer.
var ErrNotReached = errors.New("not tried from here")

// ClusterProbe is what a Preflight asks of a cluster. Nothing of it changes anything.
type ClusterProbe interface {
	reconcile.AccessReviewer
	reconcile.Authenticator
	reconcile.ClusterReader
	access.Authorizer
	Address() string // of the API server, for certsync itself
	Version(ctx context.Context) (string, error)
	// Serves reports whether a group and version has a resource.
	Serves(ctx context.Context, groupVersion, resource string) (bool, error)
	WhoAmI(ctx context.Context) (reconcile.Identity, error)
	// TryBinding and TryLock have the API server go through a write, by a dry run. The error says what refuses it. It is an
	// ErrNoDryRun if that cannot be tried.
	TryBinding(ctx context.Context, b reconcile.Binding) error
	TryLock(ctx context.Context, owner string) error
	ClusterRoles(ctx context.Context) (map[string]bool, error)
	NamespaceRoles(ctx context.Context) (map[reconcile.Role]bool, error)
	// Namespaces has those that exist; uid is kube-system's.
	Namespaces(ctx context.Context) (all map[string]reconcile.Namespace, uid string, err error)
	FrontProxy(ctx context.Context) (reconcile.FrontProxy, error)
	LookAtLock(ctx context.Context, owner string) (LockView, error)
	Endpoint() (reconcile.Endpoint, error)
	// Reach dials the address that users get, as their kubectl does, and LoginAt logs in there with a certificate. The error is
	// an ErrNotReached if nothing answers here.
	Reach(ctx context.Context, e reconcile.Endpoint) error
	LoginAt(ctx context.Context, e reconcile.Endpoint, chain []byte, key reconcile.Secret) (reconcile.Identity, error)
	// MayAnything asks the authorizer what the holder of a certificate may do whom no binding names.
	MayAnything(ctx context.Context, chain []byte, key reconcile.Secret) (access.Decision, error)
	// Clock is the API server's, or false if no answer has told it.
	Clock() (time.Time, bool)
}

// LockView is the lock of an owner as somebody sees it who does not want it.
type LockView struct {
	Leased         bool  // the Lease exists
	reconcile.Mark       // that the last run left at it
	Taken          error // a Locked with a hint while a run holds it
}

// StoreProbe is what a Preflight asks of Vault. Nothing of it changes anything.
type StoreProbe interface {
	reconcile.StoreReader
	Health(ctx context.Context) (StoreHealth, error)
	// CheckRetention returns a retention.ErrLimited if Vault deletes by time what is written there, as far as the token may know.
	CheckRetention(ctx context.Context) error
	// TokenLife is how long the token lives on; 0: it does not end, or nobody may know.
	TokenLife() time.Duration
	// AuthMethods is empty where Vault shows none.
	AuthMethods(ctx context.Context) AuthMethods
	// Lacks is StoreReviewer.MissingCapabilities, and whether the token may ask that.
	Lacks(ctx context.Context, needs reconcile.StoreNeeds) (sentences []string, mayAsk bool, err error)
}

// StoreHealth is how a Vault is, and where in it an owner's folder is.
type StoreHealth struct {
	Address, Mount, Folder string
	Version                string
	Standby, Sealed        bool
}

// RequestDeleter is an Issuer that leaves a CertificateSigningRequest behind, which the cluster would delete in an hour.
type RequestDeleter interface {
	DeleteRequest(ctx context.Context, ref reconcile.CSRRef) error
}

// RequestTrier is an Issuer that can go through asking for a certificate, by a dry run.
type RequestTrier interface {
	// TryRequest returns what refuses the request. The error is an ErrNoDryRun if that cannot be tried.
	TryRequest(ctx context.Context, req reconcile.CertificateRequest) error
}

// Preflight finds out whether an apply will work, without one. All checks are made, whatever the others found; what
// cannot be checked without another says so.
type Preflight struct {
	Inventory *inventory.Inventory
	// Namespace is where certsync runs unattended, and LockNamespace where its Lease is.
	Namespace, LockNamespace string
	// AcceptSharedCA is that of Rules.
	AcceptSharedCA bool

	Cluster    ClusterProbe
	ClusterErr error // why there is no Cluster
	Store      StoreProbe
	StoreErr   error // why there is no Store

	// OpenIssuer makes the issuer that apply would have, for a run by self.
	OpenIssuer func(self reconcile.Identity) reconcile.Issuer
	CA         *pki.CAIssuer // with --issuer=ca
	CAErr      error         // why there is no CA although there should be
	// Issue has one certificate issued, under a name that nobody has, and logs in with it. It is all that writes.
	Issue bool
	RunID string // makes that name

	RunTime time.Duration // that an apply of the inventory may take
	Now     func() time.Time
}

// Do makes all checks.
func (p *Preflight) Do(ctx context.Context) Report {
	in := &inspection{Preflight: p}
	var cluster, store []Check
	var group sync.WaitGroup
	group.Go(func() { cluster = in.cluster(ctx) })
	group.Go(func() { store = in.vault(ctx) })
	group.Wait()
	return Report{p.Inventory.Owner, slices.Concat(cluster, store, []Check{in.state().of("state")}, in.users(ctx))}
}

// inspection is one Preflight under way, with what later checks need of earlier ones. A pointer is nil while that is unknown.
type inspection struct {
	*Preflight
	self       *reconcile.Identity
	denied     []reconcile.Permission
	roles      map[reconcile.Role]bool
	namespaces map[string]reconcile.Namespace
	uid        string // of the cluster
	lock       *LockView
	bindings   []reconcile.Binding
	frontProxy *reconcile.FrontProxy
	store      *reconcile.StoreView
	decision   *access.Decision
	trial      *trialled
}

type step struct {
	name  string
	check func(context.Context) Check
}

// inOrder makes checks one after the other. If the first fails, the others would fail for the same reason.
func inOrder(ctx context.Context, without error, steps []step) []Check {
	var checks []Check
	for i, s := range steps {
		switch {
		case i == 0 && without != nil:
			checks = append(checks, broken(without).of(s.name))
		case i > 0 && checks[0].Verdict == Broken:
			checks = append(checks, notChecked("needs "+steps[0].name).of(s.name))
		default:
			checks = append(checks, s.check(ctx).of(s.name))
		}
	}
	return checks
}

func (c Check) of(name string) Check {
	c.Name = name
	return c
}

func passed(detail string) Check { return Check{Verdict: Passed, Detail: detail} }

// notChecked is a check that could not be made without another, or without a right.
func notChecked(why string) Check {
	return Check{Verdict: NotChecked, Detail: why, Hint: again("")}
}

// again says what to do before a check can be made.
func again(first string) string {
	return cmp.Or(first, "fix that first") + ", then run `certsync preflight`"
}

func warning(detail, hint string) Check { return Check{Verdict: Warning, Detail: detail, Hint: hint} }

func broken(err error) Check {
	return Check{Verdict: Broken, Detail: err.Error(), Hint: reconcile.Hint(err)}
}

// needs lists whom the inventory or the ledger has, as users everything of whom is written and read. People of the ledger alone
// are to be removed.
func (in *inspection) needs() reconcile.StoreNeeds {
	var users []string
	for _, u := range in.Inventory.Users {
		users = append(users, u.Name)
	}
	if in.store != nil {
		users = slices.AppendSeq(users, maps.Keys(in.store.Ledger))
	}
	users = reconcile.SortedSet(users)
	return reconcile.StoreNeeds{Record: users, Credential: users, Delete: users, Purge: users, Read: users}
}

// wanted lists what the inventory has bound now or later: each role once for each place, without whom it is for.
func (in *inspection) wanted() []reconcile.Grant {
	var list []reconcile.Grant
	o := reconcile.Observed{At: in.Now(), ClusterView: reconcile.ClusterView{Namespaces: in.namespaces}}
	x := index.New(in.Inventory, o, reconcile.Rules{Namespace: in.Namespace, LockNamespace: in.LockNamespace})
	for g := range granted.Still(x.Inventory, o.At) {
		list = append(list, reconcile.Grant{For: reconcile.ForUser, RoleKind: g.RoleKind, Role: g.Role, Namespace: g.Namespace, Part: 1})
	}
	slices.SortFunc(list, func(a, b reconcile.Grant) int {
		return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.RoleKind, b.RoleKind), cmp.Compare(a.Namespace, b.Namespace))
	})
	return slices.Compact(list)
}
