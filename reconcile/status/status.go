package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/plan"
	"github.com/certsync/certsync/reconcile/plan/index"
)

// Report is who has access, from where and until when. It holds no key and no certificate.
type Report struct {
	FormatVersion string    `json:"formatVersion"`
	Owner         string    `json:"owner"`
	ClusterUID    string    `json:"clusterUID"`
	At            time.Time `json:"at"`
	Users         []User    `json:"users"` // by name
	// Everybody notes the bindings of others that make everybody as good as cluster-admin, see plan.Everybody.
	Everybody []reconcile.Note `json:"everybody,omitempty"`
}

// Standing says how a user stands now, whatever the next run would do about it.
type Standing string

// The standings. In the inventory: HasAccess, NoCredential, StandsDenied, NotBegun, HasLapsed. Gone from it, or outside their term:
// IsLeaving as long as something is left to take, then HasLeft. InConflict is everybody for whom certsync does nothing
// until somebody has looked.
const (
	HasAccess    Standing = "active"        // a good credential stands in Vault
	NoCredential Standing = "no-credential" // none, or none that can be used: the next run makes it
	StandsDenied Standing = "denied"        // somebody denied the CertificateSigningRequest
	NotBegun     Standing = "not-begun"     // their `from` lies ahead, and nothing is left to take
	HasLapsed    Standing = "lapsed"        // their `until` has passed, and nothing is left to take
	IsLeaving    Standing = "leaving"       // something that certsync gave still stands; Detail says what
	HasLeft      Standing = "left"          // nothing is left but certificates, which nobody can take
	InConflict   Standing = "conflict"      // Detail says what stands in the way
)

// User is one user, of the inventory or known from the ledger, a credential or a binding.
type User struct {
	Name        string     `json:"name"`
	Username    string     `json:"username"` // by which Kubernetes knows them: the name, or in a later epoch another one
	InInventory bool       `json:"inInventory"`
	State       Standing   `json:"state"`
	Detail      string     `json:"detail,omitempty"`    // why, unless they are active
	Since       *time.Time `json:"since,omitempty"`     // when the state of the ledger began
	From        *time.Time `json:"from,omitempty"`      // when access begins or began, by the inventory
	Until       *time.Time `json:"until,omitempty"`     // when access ends, by the inventory
	Groups      []string   `json:"groups"`              // by the inventory, sorted
	Protected   bool       `json:"protected,omitempty"` // by the inventory, or by the state as long as no run has ended it
	// Why is what the inventory says of the user; nil: nothing.
	Why *inventory.Why `json:"why,omitempty"`
	// CertificatesUntil is when the last live certificate expires; nil: none lives.
	CertificatesUntil *time.Time `json:"certificatesUntil,omitempty"`
	Grants            []Grant    `json:"grants"`
	// Power lists why what they have now makes them as good as cluster-admin, by bindings of others too, the worst first.
	Power        []string              `json:"power,omitempty"`
	Certificates []AcceptedCertificate `json:"certificates"` // the current one first, then by expiry
}

// BindingStatus says whether a grant is true in the cluster.
type BindingStatus string

// The values of BindingStatus. A grant that is bound may still wait for its role or grant nothing: plan notes that.
const (
	IsBound    BindingStatus = "bound"
	IsMissing  BindingStatus = "missing"   // the inventory grants it, and no binding serves the user
	HasEnded   BindingStatus = "ended"     // its `until` or the user's has passed, and it is unbound
	IsAhead    BindingStatus = "not-begun" // its `from` or the user's lies ahead, and it is unbound
	IsUnwanted BindingStatus = "unwanted"  // a binding of certsync's serves the user, and should not
)

// Grant is one role that a user has, should have or had, by the inventory or by a binding of certsync's.
type Grant struct {
	Kind      string         `json:"kind"` // ClusterRole or Role
	Role      string         `json:"role"`
	Namespace string         `json:"namespace,omitempty"` // empty: cluster-wide
	Group     string         `json:"group,omitempty"`     // whose grant it is; empty: the user's own
	From      *time.Time     `json:"from,omitempty"`      // of the grant itself
	Until     *time.Time     `json:"until,omitempty"`     // of the grant itself
	Why       *inventory.Why `json:"why,omitempty"`       // what the inventory says of the grant itself; nil: nothing
	Binding   BindingStatus  `json:"binding"`
	Object    string         `json:"object"` // the binding that serves the user, or that would
}

// AcceptedCertificate is a certificate that the API server still accepts, or of a key that is the user's own one that was
// asked for and may be there: that has neither Serial nor SHA256, and NotAfter is the latest end that it can have.
type AcceptedCertificate struct {
	Status   reconcile.CertificateStatus `json:"status"`
	Serial   string                      `json:"serial"` // hex
	SHA256   string                      `json:"sha256"` // hex, of the DER; the API server's credential-id
	NotAfter time.Time                   `json:"notAfter"`
	Groups   []string                    `json:"groups"` // O, sorted

	// PublicKeySHA256 is the fingerprint of a key that is the user's own, hex, of the SubjectPublicKeyInfo.
	PublicKeySHA256 string `json:"publicKeySHA256,omitempty"`

	// Username is the certificate's CN.
	Username string `json:"username"`
	// ResidualAccess is what bindings of others give to a certificate that is not the current one. It is absent for that one.
	ResidualAccess []access.Given `json:"residualAccess,omitempty"`
}

// Of reports on every user of the inventory, and on everybody else whom the ledger, a credential or a binding of this
// owner's knows. Of the rules, only certsync's own namespaces matter. The same inputs give the same report.
func Of(inv *inventory.Inventory, o reconcile.Observed, r reconcile.Rules) Report {
	x, steps, stays := plan.Credentials(inv, o, r)
	d := survey{x, stays, access.NewLookup(x.Others, x.Observed.Rules), map[string][]access.Given{}}
	names := d.Known()
	for _, u := range inv.Users {
		names = append(names, u.Name)
	}
	serves := d.servedByOurs()
	report := Report{FormatVersion: reconcile.FormatVersion, Owner: inv.Owner, ClusterUID: o.ClusterView.UID, At: o.At, Users: []User{}, Everybody: plan.Everybody(x)}
	for _, name := range reconcile.SortedSet(names) {
		u := User{Name: name, Username: d.Username(name), InInventory: d.Users[name].Name != "", Groups: reconcile.OrEmpty(reconcile.SortedSet(d.Users[name].Groups)),
			From: moment(d.Users[name].From), Until: moment(d.Users[name].Until), Why: d.Users[name].Why.Given(), Protected: d.Protects(name), Grants: d.grantStatuses(name, serves[name]), Certificates: []AcceptedCertificate{}}
		d.stand(&u, steps[name])
		if rec := o.Ledger[name].Record; rec != nil {
			u.certificates(rec, d)
		}
		u.Power = d.power(u)
		report.Users = append(report.Users, u)
	}
	return report
}

// survey is what one call of Of works with.
type survey struct {
	*index.Index
	stays  map[string]bool // users who hold a good credential
	lookup *access.Lookup
	// residuals has what was computed already, by the subjects: many certificates have the same groups.
	residuals map[string][]access.Given
}

// power says why a user is as good as cluster-admin, by the bindings that serve them under their present name and by the groups of
// their certificate.
func (d survey) power(u User) []string {
	var all []string
	for _, g := range u.Grants {
		if g.Binding == IsBound || g.Binding == IsUnwanted {
			role := reconcile.Role{Name: g.Role}
			if g.Kind == reconcile.NamespaceRole.String() {
				role.Namespace = g.Namespace
			}
			all = append(all, d.RolePower(role, g.Namespace)...)
		}
	}
	subjects := []reconcile.Subject{reconcile.UserSubject(u.Username)}
	if rec := d.Observed.Ledger[u.Name].Record; rec != nil && rec.Current() != nil {
		for _, g := range rec.Current().Groups {
			subjects = append(subjects, reconcile.Subject{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: g})
		}
	}
	for _, s := range subjects {
		for _, b := range d.Others(s) {
			all = append(all, d.RolePower(b.Role(), b.Namespace)...)
		}
	}
	return access.Worst(all)
}

// moment is a time that may not be.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// stand says how a user stands: by what the ledger says, and by the step that their credential needs.
func (d survey) stand(u *User, s reconcile.Step) {
	rec := d.Observed.Ledger[u.Name].Record
	if rec != nil {
		u.Since, u.Detail = moment(rec.Since), rec.Reason
	}
	bound := u.Problems()[IsUnwanted]
	conflict := s.Held != "" && (s.Issue != nil || s.Reason == reconcile.LedgerUnreadable || s.Reason == reconcile.ForeignCredential)
	switch {
	case d.Active[u.Name] && rec != nil && rec.State == reconcile.Denied:
		u.State = StandsDenied
	case conflict && (bound == 0 || d.Active[u.Name]):
		u.State, u.Detail = InConflict, s.Held
	case !d.Active[u.Name] && (s.Action == reconcile.Remove || bound > 0):
		u.State = IsLeaving
		switch {
		case d.Lapsed[u.Name]:
			u.Detail = string(reconcile.UntilPassed)
		case d.Ahead[u.Name]:
			u.Detail = string(reconcile.FromAhead)
		default:
			u.Detail = string(reconcile.NotInInventory)
		}
		u.rename(d.Inventory)
		u.Detail += d.standing(u.Name, bound, s)
	case d.Ahead[u.Name]:
		u.State, u.Detail = NotBegun, string(reconcile.FromAhead)
	case d.Lapsed[u.Name]:
		u.State, u.Detail = HasLapsed, string(reconcile.UntilPassed)
	case !d.Active[u.Name]:
		u.State = HasLeft
		u.rename(d.Inventory)
	case d.stays[u.Name]:
		u.State, u.Detail = HasAccess, ""
	default:
		u.State, u.Detail = NoCredential, string(s.Reason)
	}
}

// standing says what of a leaver's access stands, and what holds its removal.
func (d survey) standing(user string, bindings int, s reconcile.Step) string {
	var what []string
	if d.Observed.Credentials[user].CurrentVersion > 0 {
		what = append(what, "the credential")
	}
	if bindings > 0 {
		what = append(what, fmt.Sprintf("a place in %d of certsync's bindings", bindings))
	}
	text := ""
	if len(what) > 0 {
		text = ": there is still " + strings.Join(what, ", and ")
	}
	if s.Held != "" {
		text += " (" + s.Held + ")"
	}
	return text
}

// rename says which name somebody has now who is gone from the inventory under this one.
func (u *User) rename(inv *inventory.Inventory) {
	for _, now := range inv.Users {
		if slices.Contains(now.Previously, u.Name) {
			u.Detail = "is " + now.Name + " now"
		}
	}
}

// Problems counts the grants that are not as they should be.
func (u User) Problems() map[BindingStatus]int {
	n := map[BindingStatus]int{}
	for _, g := range u.Grants {
		if g.Binding != IsBound && g.Binding != HasEnded && g.Binding != IsAhead {
			n[g.Binding]++
		}
	}
	return n
}

// Only returns the report on those users alone. A name that is not in it is an UnknownName.
func (r Report) Only(names []string) (Report, error) {
	for _, name := range names {
		if !slices.ContainsFunc(r.Users, func(u User) bool { return u.Name == name }) {
			return r, reconcile.UnknownName{Flag: "--user", Name: name}
		}
	}
	r.Users = slices.DeleteFunc(slices.Clone(r.Users), func(u User) bool { return !slices.Contains(names, u.Name) })
	return r, nil
}

// String is how a grant reads in a sentence.
func (g Grant) String() string {
	where := "cluster-wide"
	if g.Namespace != "" {
		where = fmt.Sprintf("in namespace %q", g.Namespace)
	}
	return fmt.Sprintf("%s %q %s", g.Kind, g.Role, where)
}
