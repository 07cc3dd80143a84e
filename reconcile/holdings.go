package reconcile

// holdings counts everybody's certificates before the run.
func (d *differ) holdings() map[string]holding {
	all := map[string]holding{}
	for name := range d.active {
		all[name] = holding{}
	}
	for name, entry := range d.o.Ledger {
		if entry.Record == nil {
			continue
		}
		h := holding{leaver: !d.active[name]}
		if c := entry.Record.current(); c != nil && entry.Record.State == Active {
			h.expires = c.NotAfter
		}
		for _, c := range entry.Record.Certificates {
			if c.NotAfter.After(d.o.At) {
				h.live++
			}
		}
		all[name] = h
	}
	return all
}
