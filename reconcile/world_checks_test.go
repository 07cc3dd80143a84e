package reconcile

import (
	"slices"
	"strings"
	"time"

	"github.com/certsync/certsync/inventory"
)

// skips: apply carries out all of a plan but what a guard or a conflict holds. A guard refuses the plan.
func (w *world) skips(inv *inventory.Inventory, p Plan) {
	w.t.Helper()
	o, err := w.apply(inv)
	if guarded := len(p.HeldByGuard()) > 0; guarded != isRefused(err) || guarded && len(w.writes()) > 0 {
		w.t.Errorf("%v, wrote %q", err, w.writes())
		return
	}
	held := slices.DeleteFunc(lines(w.plan(inv)), func(s string) bool { return !strings.HasSuffix(s, " held") })
	if len(o.ended(Held)) == 0 || o.Failed() == 0 || len(held) != len(p.Held()) {
		w.t.Errorf("%q, still held: %q", results(o), held)
	}
}

// refused is why apply refuses, or nil.
func (w *world) refused(text string) []string {
	w.t.Helper()
	before := len(w.bindings)
	_, err := w.apply(parse(w.t, text))
	if err == nil {
		return nil
	}
	r, ok := err.(Refused)
	if !ok {
		w.t.Fatal(err)
	}
	if len(w.writes()) > 0 || len(w.bindings) != before {
		w.t.Errorf("a refused apply wrote %q", w.writes())
	}
	return r.Violations
}

// conflicts applies, and returns why steps were held. The run itself is not refused.
func (w *world) conflicts(text string) []string {
	w.t.Helper()
	o, err := w.apply(parse(w.t, text))
	if err != nil {
		w.t.Fatal(err)
	}
	var why []string
	for _, e := range o.ended(Held) {
		why = append(why, e.Error)
	}
	slices.Sort(why)
	return why
}

// hold applies with --hold and returns the events that were not done, as "action who: result", and the calls.
func (w *world) holding(text string) []string {
	w.t.Helper()
	w.hold = true
	o, err := w.apply(parse(w.t, text))
	if err != nil {
		w.t.Fatal(err)
	}
	return slices.DeleteFunc(results(o), func(r string) bool { return strings.HasSuffix(r, ": done") })
}

// subjects lists whom a binding serves.
func (w *world) subjects(object string) []string { return names(w.bindings[object].Subjects) }

// mustPolicy applies under a policy, which holds steps and fails none.
func (w *world) mustPolicy(text string) {
	w.t.Helper()
	if o, err := w.apply(parse(w.t, text)); err != nil || o.Failed() > 0 {
		w.t.Errorf("%v, %q", err, results(o))
	}
}

// served lists the bindings that name somebody.
func (w *world) served(user string) []string {
	var objects []string
	for object, b := range w.bindings {
		if slices.Contains(b.Subjects, UserSubject(user)) {
			objects = append(objects, object)
		}
	}
	slices.Sort(objects)
	return objects
}

// accounted checks that the ledger knows every live certificate for a key that certsync does not have, whatever came of
// the run that asked for it.
func (w *world) accounted() {
	w.t.Helper()
	w.accountedSince(0)
}

// accountedSince checks those that were issued after the first so many.
func (w *world) accountedSince(n int) {
	w.t.Helper()
	ownKeys.Lock()
	own := map[string]bool{}
	for _, k := range ownKeys.keys {
		own[inventory.Fingerprint(k.public)] = true
	}
	ownKeys.Unlock()
	for _, cert := range w.issued[n:] {
		print := inventory.Fingerprint(cert.PublicKey)
		if !own[print] || !cert.NotAfter.After(w.now) {
			continue
		}
		known := false
		if entry := w.ledger[cert.Subject.CommonName]; entry != nil && entry.versions[entry.current].record != nil {
			for _, c := range entry.versions[entry.current].record.Certificates {
				requested := c.Certificate == "" && c.PublicKeySHA256 == print && !c.NotAfter.Before(cert.NotAfter) &&
					slices.Equal(c.Groups, sortedSet(cert.Subject.Organization))
				known = known || requested || c.Certificate == leafPEM(cert)
			}
		}
		if !known {
			w.t.Errorf("the ledger does not know a certificate of %s, for their own key", cert.Subject.CommonName)
		}
	}
}

// entries lists what the ledger says of somebody's certificates: "current", or "requested?" for one that may be there.
func (w *world) entries(user string) []string {
	out := []string{}
	if entry := w.ledger[user]; entry != nil {
		for _, c := range entry.versions[entry.current].record.Certificates {
			text := string(c.Status)
			if c.Certificate == "" {
				text += "?"
			}
			out = append(out, text)
		}
	}
	return out
}

func (w *world) observed() Observed {
	w.t.Helper()
	o, err := Observe(w.t.Context(), "test", w, w, func() time.Time { return w.now })
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

// bindingWrites lists the calls that wrote bindings.
func (w *world) bindingWrites() []string {
	return slices.DeleteFunc(w.writes(), func(c string) bool { return !strings.Contains(c, "Binding ") })
}
