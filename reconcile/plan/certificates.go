package plan

import "github.com/certsync/certsync/reconcile"

// certificates counts everybody's certificates before the run.
func (d *differ) certificates() map[string]reconcile.UserCertificates {
	all := map[string]reconcile.UserCertificates{}
	for name := range d.Active {
		all[name] = reconcile.UserCertificates{}
	}
	for name, entry := range d.Observed.Ledger {
		if entry.Record == nil {
			continue
		}
		h := reconcile.UserCertificates{Leaver: !d.Active[name]}
		if c := entry.Record.Current(); c != nil && entry.Record.State == reconcile.Active {
			h.Expires = c.NotAfter
		}
		for _, c := range entry.Record.Certificates {
			if c.NotAfter.After(d.Observed.At) {
				h.Live++
			}
		}
		all[name] = h
	}
	return all
}
