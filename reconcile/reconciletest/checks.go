package reconciletest

import (
	"slices"
	"strings"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/inventory/userkey"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/pki"
)

// Skips: apply carries out all of a plan but what a guard or a conflict holds. A guard refuses the plan.
func (w *World) Skips(inv *inventory.Inventory, p reconcile.Plan) {
	w.T.Helper()
	o, err := w.Apply(inv)
	if guarded := len(p.HeldByGuard()) > 0; guarded != IsRefused(err) || guarded && len(w.Writes()) > 0 {
		w.T.Errorf("%v, wrote %q", err, w.Writes())
		return
	}
	held := slices.DeleteFunc(Lines(w.Plan(inv)), func(s string) bool { return !strings.HasSuffix(s, " held") })
	if len(o.Ended(reconcile.Held)) == 0 || o.Failed() == 0 || len(held) != len(p.Held()) {
		w.T.Errorf("%q, still held: %q", Results(o), held)
	}
}

// Refused is why apply refuses, or nil.
func (w *World) Refused(text string) []string {
	w.T.Helper()
	before := len(w.Bindings)
	_, err := w.Apply(Parse(w.T, text))
	if err == nil {
		return nil
	}
	r, ok := err.(reconcile.Refused)
	if !ok {
		w.T.Fatal(err)
	}
	if len(w.Writes()) > 0 || len(w.Bindings) != before {
		w.T.Errorf("a refused apply wrote %q", w.Writes())
	}
	return r.Violations
}

// Conflicts applies, and returns why steps were held. The run itself is not refused.
func (w *World) Conflicts(text string) []string {
	w.T.Helper()
	o, err := w.Apply(Parse(w.T, text))
	if err != nil {
		w.T.Fatal(err)
	}
	var why []string
	for _, e := range o.Ended(reconcile.Held) {
		why = append(why, e.Error)
	}
	slices.Sort(why)
	return why
}

// Holding applies with --hold and returns the events that were not done, as "action who: result", and the calls.
func (w *World) Holding(text string) []string {
	w.T.Helper()
	w.Hold = true
	o, err := w.Apply(Parse(w.T, text))
	if err != nil {
		w.T.Fatal(err)
	}
	return slices.DeleteFunc(Results(o), func(r string) bool { return strings.HasSuffix(r, ": done") })
}

// Subjects lists whom a binding serves.
func (w *World) Subjects(object string) []string {
	return reconcile.SubjectNames(w.Bindings[object].Subjects)
}

// MustPolicy applies under a policy, which holds steps and fails none.
func (w *World) MustPolicy(text string) {
	w.T.Helper()
	if o, err := w.Apply(Parse(w.T, text)); err != nil || o.Failed() > 0 {
		w.T.Errorf("%v, %q", err, Results(o))
	}
}

// Served lists the bindings that name somebody.
func (w *World) Served(user string) []string {
	var objects []string
	for object, b := range w.Bindings {
		if slices.Contains(b.Subjects, reconcile.UserSubject(user)) {
			objects = append(objects, object)
		}
	}
	slices.Sort(objects)
	return objects
}

// Accounted checks that the ledger knows every live certificate for a key that certsync does not have, whatever came of
// the run that asked for it.
func (w *World) Accounted() {
	w.T.Helper()
	w.AccountedSince(0)
}

// AccountedSince checks those that were issued after the first so many.
func (w *World) AccountedSince(n int) {
	w.T.Helper()
	ownKeys.Lock()
	own := map[string]bool{}
	for _, k := range ownKeys.keys {
		own[userkey.Fingerprint(k.Public)] = true
	}
	ownKeys.Unlock()
	for _, cert := range w.Issued[n:] {
		print := userkey.Fingerprint(cert.PublicKey)
		if !own[print] || !cert.NotAfter.After(w.Now) {
			continue
		}
		known := false
		user, _ := reconcile.Person(cert.Subject.CommonName)
		if entry := w.Ledger[user]; entry != nil && entry.Versions[entry.Current].Record != nil {
			for _, c := range entry.Versions[entry.Current].Record.Certificates {
				requested := c.Certificate == "" && c.PublicKeySHA256 == print && !c.NotAfter.Before(cert.NotAfter) &&
					slices.Equal(c.Groups, reconcile.SortedSet(cert.Subject.Organization))
				known = known || requested || c.Certificate == pki.LeafPEM(cert)
			}
		}
		if !known {
			w.T.Errorf("the ledger does not know a certificate of %s, for their own key", cert.Subject.CommonName)
		}
	}
}

// Entries lists what the ledger says of somebody's certificates: "current", or "requested?" for one that may be there.
func (w *World) Entries(user string) []string {
	out := []string{}
	if entry := w.Ledger[user]; entry != nil {
		for _, c := range entry.Versions[entry.Current].Record.Certificates {
			text := string(c.Status)
			if c.Certificate == "" {
				text += "?"
			}
			out = append(out, text)
		}
	}
	return out
}

func (w *World) Observed() reconcile.Observed {
	w.T.Helper()
	o, err := reconcile.Observe(w.T.Context(), "test", w, w, func() time.Time { return w.Now })
	if err != nil {
		w.T.Fatal(err)
	}
	return o
}

// BindingWrites lists the calls that wrote bindings.
func (w *World) BindingWrites() []string {
	return slices.DeleteFunc(w.Writes(), func(c string) bool { return !strings.Contains(c, "Binding ") })
}
