package review

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/revocation"
	"github.com/certsync/certsync/reconcile/usage"
)

// Use is what audit logs say of the people in a review, and of certificates.
type Use struct {
	From   time.Time `json:"from"` // of the first event
	To     time.Time `json:"to"`   // of the last one
	Events int       `json:"events"`
	// Requests of everybody. If there are none, the audit policy leaves out the ends of requests, and nothing can be told.
	Requests int `json:"requests"`
	Skipped  int `json:"skipped"` // lines that could not be read
	// Unexpected are certificates that were used and are nobody's current one: revoked ones first, then those that the ledger does not
	// know, those that it no longer keeps, and superseded ones.
	Unexpected []CertificateUse `json:"unexpected"`
	// More is how many requests came by further certificates, which are not listed.
	More int `json:"more,omitempty"`
}

// CertificateStanding says what a certificate is to certsync.
type CertificateStanding string

// The standings of a certificate that was used and is not the current one.
const (
	IsRevoked CertificateStanding = "revoked" // it was used after its revocation
	IsUnknown CertificateStanding = "unknown" // the ledger does not know it, and it was used when only others could be valid
	// IsNotKept: the ledger does not have it, and it may be an earlier one of the person's: those that have expired are not kept.
	IsNotKept    CertificateStanding = "not-kept"
	IsSuperseded CertificateStanding = "superseded" // it was used after there was a newer one, and still is accepted
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

// names lists the names in Kubernetes of a person: the present one, and those of certificates that live.
func (p Person) names() []string {
	all := []string{p.Username}
	for _, c := range p.Certificates {
		all = append(all, c.Username)
	}
	return reconcile.SortedSet(all)
}

// Usernames has the names that audit logs are to be asked about, each with the fingerprints of the certificates that the ledger knows.
func (r Review) Usernames() map[string][]string {
	names := map[string][]string{}
	for _, p := range r.People {
		for _, name := range p.names() {
			names[name] = []string{}
		}
		for _, c := range p.Certificates {
			if c.SHA256 != "" {
				names[c.Username] = append(names[c.Username], c.SHA256)
			}
		}
	}
	return names
}

// AddUse adds what audit logs say: how much people used the cluster, which of their access allowed nothing, and which certificates
// were used that are nobody's current one. revoked are the revoked certificates that live. An event names one binding that allowed it.
// If two bindings give the same, one of them can look unused.
func (r *Review) AddUse(log usage.Log, revoked []revocation.Certificate) {
	r.Use = &Use{From: log.From, To: log.To, Events: log.Events, Requests: log.Requests, Skipped: log.TooLong + log.Invalid, Unexpected: []CertificateUse{}, More: log.OthersRest.Requests}
	since := map[string]*time.Time{}
	for _, c := range revoked {
		since[c.SHA256] = c.Since
	}
	for i := range r.People {
		p := &r.People[i]
		p.use(log)
		for _, name := range p.names() {
			u := log.Users[name]
			for _, c := range u.Certificates {
				r.Use.note(c, p.standing(c, since))
			}
			r.Use.More += u.CertificatesRest.Requests
		}
	}
	for _, c := range log.Others {
		if !strings.HasPrefix(c.Username, "system:") {
			r.Use.note(c, IsUnknown)
		}
	}
	order := []CertificateStanding{IsRevoked, IsUnknown, IsNotKept, IsSuperseded}
	slices.SortFunc(r.Use.Unexpected, func(a, b CertificateUse) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.Standing), slices.Index(order, b.Standing)), cmp.Compare(a.Username, b.Username), cmp.Compare(a.SHA256, b.SHA256))
	})
	r.seal()
}

// standing says what a certificate with one of a person's names is, or "" if its use was as it should be.
func (p Person) standing(used usage.Certificate, revokedAt map[string]*time.Time) CertificateStanding {
	current := p.CertificateSince
	if p.Gone {
		current = nil
	}
	for _, c := range p.Certificates {
		if c.SHA256 != used.SHA256 {
			continue
		}
		since, revoked := revokedAt[c.SHA256]
		switch {
		case revoked && since != nil && !used.Last.After(*since):
			return ""
		case revoked:
			return IsRevoked
		case c.Status == reconcile.Superseded && current != nil && used.Last.After(*current):
			return IsSuperseded
		}
		return ""
	}
	switch {
	case p.Left != nil && used.Last.After(p.Left.At):
		return IsUnknown
	case current != nil && p.CertificateUntil != nil && used.Last.After(current.Add(p.CertificateUntil.Sub(*current))):
		return IsUnknown // an earlier certificate can have lived as long again, beside the current one
	}
	return IsNotKept
}

// note lists a certificate, unless it is used as it should be.
func (u *Use) note(c usage.Certificate, standing CertificateStanding) {
	if standing != "" && c.Requests > 0 {
		u.Unexpected = append(u.Unexpected, CertificateUse{standing, reconcile.Shown(c.Username), c.SHA256, c.First, c.Last, c.Requests, c.Denied, c.Source})
	}
}

// use notes what one person did by all of their names, and what of their access allowed nothing of it. It cannot tell of access that
// several bindings give, nor where the log has too many bindings.
func (p *Person) use(log usage.Log) {
	if log.Requests == 0 {
		return
	}
	p.Use = &PersonUse{}
	allowed, more := map[string]bool{}, false
	for _, name := range p.names() {
		u := log.Users[name]
		p.Use.Requests, p.Use.Denied = p.Use.Requests+u.Requests, p.Use.Denied+u.Denied
		p.Use.Impersonations, p.Use.Elsewhere = p.Use.Impersonations+u.Impersonations, p.Use.Elsewhere+u.AllowedOtherwise.Requests
		if !u.Last.IsZero() && (p.Use.Last == nil || u.Last.After(*p.Use.Last)) {
			p.Use.Last = &u.Last
		}
		for _, b := range u.Bindings {
			allowed[reconcile.Shown(reconcile.Binding{Kind: b.Kind, Namespace: b.Namespace, Name: b.Name}.Object())] = true
		}
		more = more || !u.BindingsRest.First.IsZero()
	}
	for i := range p.Access {
		a := &p.Access[i]
		since := log.From
		if a.Made != nil && a.Made.After(since) {
			since = *a.Made
		}
		if a.Gives() && !more && a.Also == 0 && !allowed[a.Binding] && since.Before(log.To) {
			a.UnusedSince = &since
		}
	}
}
