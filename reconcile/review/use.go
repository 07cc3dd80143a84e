package review

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/usage"
)

// Use is what audit logs say of the people in a review, and of certificates.
type Use struct {
	From     time.Time `json:"from"` // of the first event
	To       time.Time `json:"to"`   // of the last one
	Events   int       `json:"events"`
	Requests int       `json:"requests"` // of everybody
	Skipped  int       `json:"skipped"`  // lines that could not be read
	// Unexpected are the certificates that were used and should not have been: revoked ones first, then those that nobody knows, then
	// superseded ones.
	Unexpected []CertificateUse `json:"unexpected"`
	// More is how many requests came by further certificates, which are not listed.
	More int `json:"more,omitempty"`
}

// CertificateStanding says what a certificate is to certsync.
type CertificateStanding string

// The standings of a certificate that was used and is not the current one.
const (
	IsRevoked    CertificateStanding = "revoked"
	IsUnknown    CertificateStanding = "unknown" // the ledger does not know it
	IsSuperseded CertificateStanding = "superseded"
)

// CertificateUse is the use of one certificate that is not the current one of anybody.
type CertificateUse struct {
	Standing CertificateStanding `json:"standing"`
	Username string              `json:"username"`
	SHA256   string              `json:"sha256"`
	First    time.Time           `json:"first"`
	Last     time.Time           `json:"last"`
	Requests int                 `json:"requests"`
	Denied   int                 `json:"denied"`
	Source   string              `json:"source"` // the address that the last request came from
}

// PersonUse is how much somebody used the cluster, by whatever credential.
type PersonUse struct {
	Last           *time.Time `json:"last,omitempty"`
	Requests       int        `json:"requests"`
	Denied         int        `json:"denied"`
	Impersonations int        `json:"impersonations"`
	// Elsewhere is how many requests something else than a binding allowed.
	Elsewhere int `json:"elsewhere,omitempty"`
}

// Usernames has the names that audit logs are to be asked about, each with the fingerprints of the certificates that the ledger knows.
func (r Review) Usernames() map[string][]string {
	names := map[string][]string{}
	for _, p := range r.People {
		names[p.Username] = append(names[p.Username], []string{}...)
		for _, c := range p.Certificates {
			if c.SHA256 != "" {
				names[c.Username] = append(names[c.Username], c.SHA256)
			}
		}
	}
	return names
}

// AddUse adds what audit logs say: how much people used the cluster, which of their access allowed nothing, and which certificates
// were used that should not have been. An event names one binding that allowed it. If two bindings give the same, one of them can
// look unused.
func (r *Review) AddUse(log usage.Log) {
	r.Use = &Use{From: log.From, To: log.To, Events: log.Events, Requests: log.Requests, Skipped: log.TooLong + log.Invalid, Unexpected: []CertificateUse{}, More: log.OthersRest.Requests}
	standings := map[string]CertificateStanding{}
	for i := range r.People {
		p := &r.People[i]
		for _, c := range p.Certificates {
			switch {
			case c.Status == reconcile.Current && c.Username == p.Username:
				standings[c.SHA256] = ""
			case c.Status == reconcile.Superseded && c.Username == p.Username && !p.Gone():
				standings[c.SHA256] = IsSuperseded
			default:
				standings[c.SHA256] = IsRevoked
			}
		}
		p.use(log.Users[p.Username], log.Requests > 0)
	}
	for _, u := range log.Users {
		for _, c := range u.Certificates {
			r.Use.note(c, standings)
		}
		r.Use.More += u.CertificatesRest.Requests
	}
	for _, c := range log.Others {
		if !strings.HasPrefix(c.Username, "system:") {
			r.Use.note(c, standings)
		}
	}
	order := []CertificateStanding{IsRevoked, IsUnknown, IsSuperseded}
	slices.SortFunc(r.Use.Unexpected, func(a, b CertificateUse) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.Standing), slices.Index(order, b.Standing)), cmp.Compare(a.Username, b.Username), cmp.Compare(a.SHA256, b.SHA256))
	})
	r.seal()
}

// note lists a certificate, unless it is somebody's current one.
func (u *Use) note(c usage.Certificate, standings map[string]CertificateStanding) {
	standing, known := standings[c.SHA256]
	if !known {
		standing = IsUnknown
	}
	if standing == "" || c.Requests == 0 {
		return
	}
	u.Unexpected = append(u.Unexpected, CertificateUse{standing, reconcile.Shown(c.Username), c.SHA256, c.First, c.Last, c.Requests, c.Denied, c.Source})
}

// use notes what one person did, and what of their access allowed nothing of it. covered: the log has requests at all.
func (p *Person) use(u usage.User, covered bool) {
	if !covered {
		return
	}
	p.Use = &PersonUse{Last: moment(u.Last), Requests: u.Requests, Denied: u.Denied, Impersonations: u.Impersonations, Elsewhere: u.AllowedOtherwise.Requests}
	allowed := map[string]bool{}
	for _, b := range u.Bindings {
		allowed[reconcile.Binding{Kind: b.Kind, Namespace: b.Namespace, Name: b.Name}.Object()] = true
	}
	for i := range p.Access {
		a := &p.Access[i]
		a.Unused = a.Gives() && !allowed[a.Binding] && u.BindingsRest.Requests == 0
	}
}
