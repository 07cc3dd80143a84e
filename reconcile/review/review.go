package review

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/plan/index"
	"github.com/certsync/certsync/reconcile/status"
)

// Review is the access review of one owner on one cluster. It holds no key and no certificate. Apart from At, the same
// inventory, cluster and Vault give the same bytes.
type Review struct {
	FormatVersion string    `json:"formatVersion"`
	Owner         string    `json:"owner"`
	Cluster       string    `json:"cluster"` // its name in users' kubeconfigs
	ClusterUID    string    `json:"clusterUID"`
	At            time.Time `json:"at"` // when cluster and Vault were read
	// Digest is "sha256:<hex>" of everything else but At. A reviewer signs it.
	Digest          string `json:"digest"`
	InventoryDigest string `json:"inventoryDigest"`
	// Applied: the inventory is the one that the last run applied.
	Applied bool            `json:"applied"`
	Runs    []reconcile.Run `json:"runs"` // that changed somebody's access, the latest first, at most reconcile.MaxRuns

	Population Population `json:"population"`
	People     []Person   `json:"people"`               // certsync's, by name
	Others     []Other    `json:"others"`               // everybody else whom bindings name, by kind and name
	MoreOthers int        `json:"moreOthers,omitempty"` // how many there are beside Others, each bound in namespaces only
	Roles      []Role     `json:"roles"`                // that give something to somebody here, by namespace and name

	Changes *Changes `json:"changes,omitempty"` // since an earlier review
	Use     *Use     `json:"use,omitempty"`     // by audit logs
}

// Person is a user of the inventory, or one whom the index, the ledger, Vault or certsync's bindings know.
type Person struct {
	Name        string          `json:"name"`
	Username    string          `json:"username"` // by which Kubernetes knows them
	Team        string          `json:"team,omitempty"`
	InInventory bool            `json:"inInventory"`
	Gone        bool            `json:"gone"` // they are to have no access: not in the inventory, or outside their term
	State       status.Standing `json:"state"`
	Detail      string          `json:"detail,omitempty"` // why, unless they are active
	Groups      []string        `json:"groups"`           // by the inventory, sorted
	Since       *time.Time      `json:"since,omitempty"`  // when the state in the ledger began
	From        *time.Time      `json:"from,omitempty"`   // when access begins or began, by the inventory
	Until       *time.Time      `json:"until,omitempty"`  // when access ends, by the inventory
	Why         *inventory.Why  `json:"why,omitempty"`    // what the inventory says of the user
	Protected   bool            `json:"protected,omitempty"`
	Epoch       int64           `json:"epoch"` // of Username
	// CertificateSince and CertificateUntil are when the current certificate was issued, and when it expires; nil: there is none.
	CertificateSince *time.Time                   `json:"certificateSince,omitempty"`
	CertificateUntil *time.Time                   `json:"certificateUntil,omitempty"`
	Certificates     []status.AcceptedCertificate `json:"certificates"` // that the API server accepts, the current one first
	// MayLiveUntil is set if the ledger record is lost or unreadable: until then a certificate may live of which nothing is known.
	MayLiveUntil *time.Time `json:"mayLiveUntil,omitempty"`
	// Power lists why their access makes them as good as cluster-admin, the worst first.
	Power  []string   `json:"power"`
	Access []Access   `json:"access"`
	Left   *Departure `json:"left,omitempty"`
	Use    *PersonUse `json:"use,omitempty"` // by audit logs
	// Unlisted is how many bindings of others serve them beside those in Access.
	Unlisted int `json:"unlisted,omitempty"`
}

// Waits reports whether the person begins later, and no certificate lives. Such a person is no leaver.
func (p Person) Waits() bool {
	return p.State == status.NotBegun && len(p.Certificates) == 0 && p.MayLiveUntil == nil
}

// Departure says how somebody lost everything that certsync gave.
type Departure struct {
	At       time.Time        `json:"at"`
	Reason   reconcile.Reason `json:"reason"`
	Run      string           `json:"run,omitempty"`
	Revision string           `json:"revision,omitempty"` // the commit
}

// Residual lists what bindings of others give to certificates of a person that should give nothing, each once.
func (p Person) Residual() []access.Given {
	var all []access.Given
	seen := map[string]bool{}
	for _, c := range p.Certificates {
		for _, g := range c.ResidualAccess {
			if id := g.Binding + " " + g.Subject; !seen[id] {
				seen[id] = true
				all = append(all, g)
			}
		}
	}
	return all
}

// Through says how a role comes to somebody.
type Through string

// The ways of a role to somebody.
const (
	Own    Through = "own"    // the inventory grants it to the user
	Group  Through = "group"  // the inventory grants it to a group of theirs
	Others Through = "others" // a binding that is not certsync's, or another owner's
)

// Access is one role that somebody has somewhere, should have, or had.
type Access struct {
	Kind      string               `json:"kind"` // ClusterRole or Role
	Role      string               `json:"role"`
	Namespace string               `json:"namespace,omitempty"` // empty: cluster-wide
	Through   Through              `json:"through"`
	Group     string               `json:"group,omitempty"` // whose grant it is, or by which group a binding of others serves
	Binding   string               `json:"binding"`         // kind, namespace and name
	Owner     string               `json:"owner,omitempty"` // another owner of certsync, by the binding's name
	Status    status.BindingStatus `json:"status"`
	// Since is a time at which the access existed already, as far as the cluster and earlier reviews tell; nil: they don't.
	Since *time.Time `json:"since,omitempty"`
	// Made is when the binding was made: that binding cannot have given the access before.
	Made     *time.Time      `json:"made,omitempty"`
	From     *time.Time      `json:"from,omitempty"`  // of the grant itself
	Until    *time.Time      `json:"until,omitempty"` // of the grant itself
	Why      *inventory.Why  `json:"why,omitempty"`   // what the inventory says of the grant itself
	Strength access.Strength `json:"strength"`
	Power    []string        `json:"power"` // why it is as good as cluster-admin, the worst first
	// UnusedSince: from then to its end, the audit log names no request that the access allowed.
	UnusedSince *time.Time `json:"unusedSince,omitempty"`
	Also        int        `json:"also,omitempty"` // further bindings that give the same role in the same place
}

// Gives reports whether the access is there now.
func (a Access) Gives() bool {
	return a.Status == status.IsBound || a.Status == status.IsUnwanted
}

// Role is one that gives something to somebody in the review.
type Role struct {
	Kind      string           `json:"kind"`                // ClusterRole or Role
	Namespace string           `json:"namespace,omitempty"` // of a Role
	Name      string           `json:"name"`
	Exists    bool             `json:"exists"`
	Strength  access.Strength  `json:"strength"` // where it is bound most widely
	Power     []string         `json:"power"`    // bound cluster-wide
	Rules     []reconcile.Rule `json:"rules"`
}

// Of reviews an inventory, a cluster and Vault as they were observed.
func Of(inv *inventory.Inventory, o reconcile.Observed, rules reconcile.Rules) Review {
	s := survey{index.New(inv, o, rules), map[reconcile.Role]reconcile.Role{}}
	r := Review{
		FormatVersion: reconcile.FormatVersion, Owner: inv.Owner, ClusterUID: o.ClusterView.UID, At: o.At,
		InventoryDigest: inv.Digest(), Runs: []reconcile.Run{}, People: []Person{},
	}
	r.Cluster = cmp.Or(inv.Cluster.Name, o.Endpoint.Name)
	if o.State != nil {
		r.Cluster = cmp.Or(inv.Cluster.Name, o.State.Endpoint.Name, o.Endpoint.Name)
		r.Applied = o.State.InventoryDigest == r.InventoryDigest
		r.Runs = reconcile.OrEmpty(slices.Clone(o.State.Runs))
		slices.Reverse(r.Runs)
	}
	for _, u := range status.Of(inv, o, rules).Users {
		r.People = append(r.People, s.person(u))
	}
	r.Others, r.MoreOthers = s.others(r.People)
	r.Roles = s.roles(r)
	r.Population = s.population(r)
	r.seal()
	return r
}

// seal computes the digest.
func (r *Review) seal() {
	signed := *r
	signed.At, signed.Digest = time.Time{}, ""
	text, err := json.Marshal(signed)
	if err != nil {
		panic(err) // strings, numbers and times only
	}
	r.Digest = digestOf(text)
}

// survey is what one call of Of works with.
type survey struct {
	*index.Index
	// rated has the role behind each that was rated, by its shown name: names that others chose are shortened.
	rated map[reconcile.Role]reconcile.Role
}

// moment is a time that may not be.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func compareAccess(a, b Access) int {
	return cmp.Or(-cmp.Compare(a.Strength, b.Strength), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Role, b.Role),
		cmp.Compare(a.Through, b.Through), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Binding, b.Binding))
}

// powers collects why a list of access makes as good as cluster-admin, the worst first, each once.
func powers(list []Access) []string {
	all := []string{}
	for _, a := range list {
		if a.Gives() {
			all = append(all, a.Power...)
		}
	}
	return access.Worst(all)
}
