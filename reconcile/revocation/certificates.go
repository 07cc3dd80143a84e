package revocation

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
)

// Certificate is a certificate that the API server still accepts, and that should give nothing.
type Certificate struct {
	User     string `json:"user"`
	Username string `json:"username"` // its CN
	Serial   string `json:"serial"`   // hex; empty for a certificate that was requested and may not exist
	SHA256   string `json:"sha256"`   // hex, of the DER; the API server's credential-id
	// Reason is revoked, or why its user lost the access: not-in-inventory, until-passed or renamed.
	Reason   reconcile.Reason `json:"reason"`
	Since    *time.Time       `json:"since,omitempty"` // when it was revoked; nil: the next run does it
	NotAfter time.Time        `json:"notAfter"`        // for a requested certificate, the latest end that it can have
	Groups   []string         `json:"groups"`          // O, sorted
	// Denied: the admission policy that is in force denies its writes.
	Denied bool `json:"denied"`
	// ResidualAccess is what bindings of others give to it.
	ResidualAccess []access.Given `json:"residualAccess"`
}

// certificates lists the revoked certificates that live, by user and end, without ResidualAccess. names is the owner's index, which
// alone decides what is revoked: a ledger record can only say which certificates of its user there are.
func certificates(names map[string]reconcile.Name, o reconcile.Observed) []Certificate {
	denied := map[reconcile.RevokedCertificate]bool{}
	if p := o.Revocations; p != nil && p.Problem == "" {
		for _, e := range p.Entries {
			denied[e] = true
		}
	}
	all := []Certificate{}
	for user, entry := range o.Ledger {
		rec := entry.Record
		if rec == nil {
			continue
		}
		for _, c := range rec.Certificates {
			reason, since := revoked(names[user], rec, c)
			if reason == "" || !c.NotAfter.After(o.At) {
				continue
			}
			cert := Certificate{
				User: user, Username: reconcile.Username(user, c.Epoch), Serial: c.Serial, SHA256: c.SHA256, Reason: reason, Since: since,
				NotAfter: c.NotAfter, Groups: reconcile.OrEmpty(c.Groups),
			}
			cert.Denied = denied[cert.entry()]
			all = append(all, cert)
		}
	}
	slices.SortFunc(all, func(a, b Certificate) int {
		return cmp.Or(cmp.Compare(a.User, b.User), a.NotAfter.Compare(b.NotAfter), cmp.Compare(a.SHA256, b.SHA256))
	})
	return all
}

// lookup finds what bindings of others give. Most runs have no revoked certificate, and need no index of the bindings.
func lookup(owner string, o reconcile.Observed, certificates []Certificate) *access.Lookup {
	var serves map[reconcile.Subject][]*reconcile.Binding
	if len(certificates) > 0 {
		serves = access.Others(owner, o.Bindings)
	}
	return access.NewLookup(func(s reconcile.Subject) []*reconcile.Binding { return serves[s] }, o.Rules)
}

// addResidual adds what bindings of others give to each certificate. Certificates that the same subjects serve share a list.
func addResidual(certificates []Certificate, l *access.Lookup) {
	known := map[string][]access.Given{}
	for i, c := range certificates {
		subjects := l.Served(c.Username, c.Groups)
		key := fmt.Sprintf("%q", subjects)
		if known[key] == nil {
			known[key] = l.Of(subjects)
		}
		certificates[i].ResidualAccess = known[key]
	}
}

// revoked returns why a certificate should give nothing, and since when, or "".
//
//	the index           | the record        | reason
//	left, or ended      | removed, removing | the record's
//	left                | any other         | not-in-inventory
//	ended               | any other         | until-passed
//	in a later epoch    | any               | revoked
//	without the name    | removed, removing | the record's
//	any other           | any               | none
func revoked(n reconcile.Name, rec *reconcile.Record, c reconcile.CertificateEntry) (reconcile.Reason, *time.Time) {
	gone := rec.State == reconcile.Removed || rec.State == reconcile.Removing
	since := rec.Since.UTC()
	switch {
	case gone && (n.Left || n.Ended || n == reconcile.Name{}):
		return reconcile.Reason(rec.Reason), &since
	case n.Left:
		return reconcile.NotInInventory, nil
	case n.Ended:
		return reconcile.UntilPassed, nil
	case c.Epoch < n.Epoch:
		since = n.Since.UTC()
		return reconcile.CertificateRevoked, &since
	}
	return "", nil
}

// entry is the certificate in a list of revoked certificates.
func (c Certificate) entry() reconcile.RevokedCertificate {
	return reconcile.RevokedCertificate{Username: c.Username, SHA256: c.SHA256, Until: c.NotAfter.UTC().Truncate(time.Second)}
}
