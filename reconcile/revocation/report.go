package revocation

import (
	"fmt"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/refusal"
)

// Report is what `certsync revocations` prints. It holds no key and no certificate.
type Report struct {
	FormatVersion string        `json:"formatVersion"`
	Owner         string        `json:"owner"`
	ClusterUID    string        `json:"clusterUID"`
	At            time.Time     `json:"at"`
	Tiers         Tiers         `json:"tiers"`
	Certificates  []Certificate `json:"certificates"` // by user and end

	// Entries is the list for the API server: the certificates, and what the admission policy denies already.
	Entries []reconcile.RevokedCertificate `json:"-"`
	Left    int                            `json:"notListed"` // how many certificates do not fit into the list
}

// Tiers says which tiers of revocation are in force.
type Tiers struct {
	Epoch     Tier `json:"epoch"`     // always InForce
	Admission Tier `json:"admission"` // InForce, NotDeployed, or NotInForce
	// AdmissionProblem says why the admission tier is NotInForce.
	AdmissionProblem string `json:"admissionProblem,omitempty"`
	Authorization    Tier   `json:"authorization"` // always Unknown: no client can read the API server's configuration
}

// Tier is how far a tier of revocation is in force.
type Tier string

// The values of Tier.
const (
	InForce     Tier = "in-force"
	NotInForce  Tier = "not-in-force"
	NotDeployed Tier = "not-deployed"
	Unknown     Tier = "unknown"
)

// Of reports on the revoked certificates of an owner as they were observed. It refuses a state that is not the latest: a list made
// of it would leave out certificates that were revoked since.
func Of(owner string, o reconcile.Observed) (Report, error) {
	if why := refusal.Misplaced(owner, o, reconcile.Rules{}); why != "" {
		return Report{}, reconcile.WithHint(fmt.Errorf("nobody knows which certificates are revoked: %s", why), "run `certsync plan`, and follow what it says")
	}
	r := Report{FormatVersion: reconcile.FormatVersion, Owner: owner, ClusterUID: o.ClusterView.UID, At: o.At,
		Tiers: Tiers{Epoch: InForce, Admission: NotDeployed, Authorization: Unknown}}
	var names map[string]reconcile.Name
	if o.State != nil {
		names = o.State.Names
	}
	r.Certificates = certificates(names, o)
	addResidual(r.Certificates, lookup(owner, o, r.Certificates))
	r.Entries, r.Left = Entries(r.Certificates)
	if p := o.Revocations; p != nil {
		r.Tiers.Admission, r.Tiers.AdmissionProblem = InForce, p.Problem
		if p.Problem != "" {
			r.Tiers.Admission = NotInForce
		}
		r.Entries = keep(r.Entries, p.Entries, inUse(names, o), o.At)
	}
	return r, nil
}
