package revocation

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
)

// Extend adds to a plan what concerns revoked certificates: the step that keeps the admission policy in step, and the notes on
// residual access. It counts what the plan itself is about to revoke. The plan is sorted afterwards.
func Extend(p *reconcile.Plan, o reconcile.Observed, r reconcile.Rules) {
	certificates := slices.DeleteFunc(certificates(p.State.Names, o), isRenamed(*p))
	entries, left := Entries(certificates)
	if left > 0 {
		p.Notes = append(p.Notes, reconcile.Note{Kind: reconcile.RevocationsFull, Message: fmt.Sprintf(
			"%d revoked certificates are in no list: it has room for %d (move some users to an inventory with another owner)", left, MaxEntries)})
	}
	p.Notes = append(p.Notes, residualNotes(certificates, lookup(p.Owner, o, certificates))...)
	has := reconcile.RevocationPolicy{}
	if o.Revocations != nil {
		has = *o.Revocations
	}
	entries = keep(entries, has.Entries, inUse(p.State.Names, o), o.At)
	inForce, recorded := o.Revocations != nil && has.Problem == "", o.State != nil && o.State.Admission
	was := recorded || r.Denying
	p.State.Admission = inForce || was && len(entries) > 0
	p.RecordState = p.RecordState || p.State.Admission != recorded && (o.State != nil || inForce)
	for _, s := range policySteps(*p, o, has, entries, was) {
		s.Reason = s.Reasons[0]
		s.Hold(r.Policy.Forbids(reconcile.Remove), reconcile.ByPolicy) // to deny more is to take away
		p.Steps = append(p.Steps, s)
	}
	p.Sort()
}

// isRenamed reports whether a certificate has the old name of a user whose new name does not have everything yet. Its user works with it
// until then, and the next run lists it. One of an earlier epoch was revoked before.
func isRenamed(p reconcile.Plan) func(Certificate) bool {
	waits := map[string]bool{}
	for _, s := range p.Steps {
		if s.Leave != nil && s.Leave.Successor != "" {
			waits[reconcile.Username(s.User, p.State.Names[s.User].Epoch)] = true
		}
	}
	return func(c Certificate) bool { return waits[c.Username] }
}

// inUse reports whether a certificate is in a ledger record, and not revoked.
func inUse(names map[string]reconcile.Name, o reconcile.Observed) func(reconcile.RevokedCertificate) bool {
	return func(e reconcile.RevokedCertificate) bool {
		user, _ := reconcile.Person(e.Username)
		rec := o.Ledger[user].Record
		return rec != nil && slices.ContainsFunc(rec.Certificates, func(c reconcile.CertificateEntry) bool {
			why, _ := revoked(names[user], rec, c)
			return c.SHA256 == e.SHA256 && why == ""
		})
	}
}

// policySteps are the steps on the admission policy:
//
//	policy                        | list         | step
//	there                         | has changed  | update, first of all: revoked
//	there                         | only shrinks | purge, last of all: certificates-expired
//	was in force once, and is not | not empty    | update, held: apply the manifests
//
// Certificates that are exchanged in a batch come into the list with their batch: until then their users work with them.
func policySteps(p reconcile.Plan, o reconcile.Observed, has reconcile.RevocationPolicy, entries []reconcile.RevokedCertificate, was bool) []reconcile.Step {
	s := reconcile.Step{Action: reconcile.Update, Reasons: []reconcile.Reason{reconcile.CertificateRevoked}, Stage: reconcile.StageRevoke,
		Kind: reconcile.AdmissionPolicy, Name: reconcile.RevocationPolicyName(p.Owner)}
	var steps []reconcile.Step
	if problem := cmp.Or(has.Problem, "it does not exist"); was && len(entries) > 0 && (o.Revocations == nil || has.Problem != "") {
		lost := s
		lost.Hold(fmt.Sprintf("it was in force, and is not any more: %s (apply the manifests of certsync manifests --revocation again)", problem), reconcile.ByConflict)
		lost.Revocations = &reconcile.RevocationWrite{}
		steps = append(steps, lost)
	}
	if has.UID == "" {
		return steps
	}
	batches, last := batchesOf(p)
	before := has.Entries
	for batch := range last + 1 {
		now := slices.DeleteFunc(slices.Clone(entries), func(e reconcile.RevokedCertificate) bool {
			user, _ := reconcile.Person(e.Username)
			return batches[user] > batch && !slices.Contains(has.Entries, e)
		})
		add, expired, remove := compare(before, now, o)
		anew := has.Changed && batch == 0
		if !anew && len(add)+len(expired)+len(remove) == 0 {
			continue
		}
		step := s
		step.Batch, step.Revocations, step.Detail = batch, &reconcile.RevocationWrite{Policy: has, Entries: now}, &reconcile.Detail{Add: add, Remove: remove}
		if !anew && len(add)+len(remove) == 0 {
			step.Action, step.Reasons, step.Stage, step.Detail = reconcile.Purge, []reconcile.Reason{reconcile.CertificatesExpired}, reconcile.StageCleanup, nil
		}
		if before = now; step.Action == reconcile.Update || last == 0 {
			steps = append(steps, step)
		}
	}
	return steps
}

// batchesOf has the batch of each user whose certificate is exchanged in one, and the number of the last.
func batchesOf(p reconcile.Plan) (of map[string]int, last int) {
	of = map[string]int{}
	for _, s := range p.Steps {
		if s.Issues() && s.Batch > 0 {
			of[s.User], last = s.Batch, max(last, s.Batch)
		}
	}
	return of, last
}

// compare lists what comes into the list and what goes out of it: certificates that have ended, and others.
func compare(has, wanted []reconcile.RevokedCertificate, o reconcile.Observed) (add, expired, remove []string) {
	stays := map[string]bool{}
	for _, e := range wanted {
		stays[key(e)] = true
	}
	had := map[string]bool{}
	for _, e := range has {
		switch had[key(e)] = true; {
		case stays[key(e)]:
		case e.Until.After(o.At):
			remove = append(remove, entryText(e))
		default:
			expired = append(expired, entryText(e))
		}
	}
	for _, e := range wanted {
		if !had[key(e)] {
			add = append(add, entryText(e))
		}
	}
	return add, expired, remove
}

// entryText is an entry as a plan names it.
func entryText(e reconcile.RevokedCertificate) string { return e.Username + " sha256:" + e.SHA256 }

// maxBindings is how many bindings a note on residual access names.
const maxBindings = 5

// residualNotes say, in one note for each name, what bindings of others give to revoked certificates. Only `status --user` and
// `revocations` have the rules. The notes are made one by one: what bindings give to a thousand certificates may take gigabytes.
func residualNotes(certificates []Certificate, l *access.Lookup) []reconcile.Note {
	byName := map[string][]Certificate{}
	for _, c := range certificates {
		if len(l.Served(c.Username, c.Groups)) > 0 {
			byName[c.Username] = append(byName[c.Username], c)
		}
	}
	messages := map[string]string{} // by the subjects that bindings serve
	var all []reconcile.Note
	for _, username := range slices.Sorted(maps.Keys(byName)) {
		of := byName[username]
		var groups []string
		n := reconcile.Note{User: of[0].User, Kind: reconcile.ResidualAccess}
		for i, c := range of {
			groups = append(groups, c.Groups...)
			if n.Until == nil || c.NotAfter.After(*n.Until) {
				n.Until = &of[i].NotAfter
			}
		}
		subjects := l.Served(username, groups)
		key := fmt.Sprintf("%q", subjects)
		message, known := messages[key]
		if !known {
			message = residualText(l.Of(subjects))
			messages[key] = message
		}
		n.Message = message
		all = append(all, n)
	}
	return all
}

// residualText is the message of a note on what revoked certificates still get.
func residualText(given []access.Given) string {
	var names []string
	for _, g := range given {
		names = append(names, fmt.Sprintf("%s (%s)", g.Binding, g.Role))
	}
	names = reconcile.SortedSet(names)
	more := ""
	if len(names) > maxBindings {
		more = fmt.Sprintf(", and %d more", len(names)-maxBindings)
		names = names[:maxBindings]
	}
	return fmt.Sprintf("revoked certificates still get access from bindings that are not this owner's: %s%s (certsync revocations lists the rules)",
		strings.Join(names, ", "), more)
}
