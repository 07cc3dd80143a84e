package status

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
)

// certificates adds those of the record that live.
func (u *User) certificates(rec *reconcile.Record, d survey) {
	now := d.Observed.At
	for _, c := range rec.Certificates {
		if !c.NotAfter.After(now) {
			continue
		}
		accepted := AcceptedCertificate{c.Status, reconcile.Shown(c.Serial), c.SHA256, c.NotAfter, shownGroups(c.Groups), c.PublicKeySHA256, reconcile.Username(u.Name, c.Epoch), nil}
		if c.Status != reconcile.Current || accepted.Username != u.Username {
			accepted.ResidualAccess = d.residual(accepted.Username, c.Groups)
		}
		u.Certificates = append(u.Certificates, accepted)
	}
	slices.SortFunc(u.Certificates, func(a, b AcceptedCertificate) int {
		if isCurrent := a.Status == reconcile.Current; isCurrent != (b.Status == reconcile.Current) {
			if isCurrent {
				return -1
			}
			return 1
		}
		return cmp.Or(a.NotAfter.Compare(b.NotAfter), cmp.Compare(a.SHA256, b.SHA256))
	})
	if until, live := rec.LiveUntil(now); live {
		u.CertificatesUntil = &until
	}
}

// maxGroups is how many groups of a certificate are listed. Whoever may write a record can put thousands there.
const maxGroups = 100

func shownGroups(groups []string) []string {
	shown := []string{}
	for i, g := range groups {
		if i == maxGroups {
			return append(shown, fmt.Sprintf("and %d more", len(groups)-i))
		}
		shown = append(shown, reconcile.Shown(g))
	}
	return shown
}

// Current is the certificate whose key stands in Vault, or is the user's own; nil: none lives.
func (u User) Current() *AcceptedCertificate {
	i := slices.IndexFunc(u.Certificates, func(c AcceptedCertificate) bool { return c.Status == reconcile.Current })
	if i < 0 {
		return nil
	}
	return &u.Certificates[i]
}

// residual is what bindings of others give to a certificate.
func (d survey) residual(username string, groups []string) []access.Given {
	subjects := d.lookup.Served(username, groups)
	key := fmt.Sprintf("%q", subjects)
	given, known := d.residuals[key]
	if !known {
		given = d.lookup.Of(subjects)
		d.residuals[key] = given
	}
	return given
}
