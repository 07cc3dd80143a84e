package render

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/certsync/certsync/reconcile"
)

// What must be seen is bounded too: whoever can make a thousand bindings must not push the rest out of the comment.
const (
	maxItems       = 25
	maxItemsLength = 5000 // of each kind, in characters
)

// seeFirst is what a reviewer must see: what apply refuses or holds, what the names have already, what makes as good as
// cluster-admin, whose certificate is for another key, and who loses what. The worst issued first, and each kind has room of its own.
func attention(plan reconcile.Plan) string {
	var refused []string
	for _, why := range plan.Forbidden() {
		refused = append(refused, "**Refused**, apply writes nothing: "+prose(why))
	}
	var b strings.Builder
	for _, kind := range [][]string{refused, heldItems(plan, plan.HeldByGuard(), "**Held by a guard**, apply refuses the plan; `--hold` does the rest: "),
		heldItems(plan, plan.Skipped(), "**Held**, apply does the rest: "), accessItems(plan), powerItems(plan), keyItems(plan), removedItems(plan), lossItems(plan)} {
		b.WriteString(boundedList(kind))
	}
	if b.Len() == 0 {
		return ""
	}
	return "\n#### Look at this first\n\n" + b.String()
}

// bounded is a list of as many items as a kind has room for.
func boundedList(items []string) string {
	var b strings.Builder
	room := maxItemsLength
	for i, item := range items {
		if room -= length(item); i == maxItems || i > 0 && room < 0 {
			fmt.Fprintf(&b, "- **and %s more** of these, which `certsync plan` shows\n", withCommas(len(items)-i))
			break
		}
		b.WriteString("- " + item + "\n")
	}
	return b.String()
}

// heldFirst has steps that a guard or a conflict holds, each item with that beginning. The reason stands once for all that
// have the same.
func heldItems(plan reconcile.Plan, held []reconcile.Step, beginning string) []string {
	var items []string
	for _, same := range groupBy(held, func(s reconcile.Step) string { return s.Held }) {
		var steps []string
		for _, s := range same[:min(len(same), 3)] {
			text := stepSubject(s) + " " + stepMarkdown(plan, s)
			if plan.Powerful(s) != "" {
				text += ", as good as cluster-admin"
			}
			steps = append(steps, text)
		}
		text := strings.Join(steps, "; ")
		if more := len(same) - len(steps); more > 0 {
			text += fmt.Sprintf("; and %s more", pluralWithCommas(more, "step"))
		}
		items = append(items, beginning+text+": "+prose(same[0].Held))
	}
	return items
}

// whose is whom a step is for.
func stepSubject(s reconcile.Step) string {
	if s.Group != "" {
		return "group " + code(s.Group)
	}
	return code(s.User)
}

// stepMarkdown is a step by itself.
func stepMarkdown(plan reconcile.Plan, s reconcile.Step) string {
	c := change{action: s.Action, objects: []string{objectText(plan, s, code)}}
	if s.Detail != nil && s.Group != "" {
		c.add, c.remove = s.Detail.Add, s.Detail.Remove
	}
	return fmt.Sprintf("%s (%s)", c.markdown(code), joinReasons(s.Reasons))
}

// accessFirst has the bindings of others. What makes as good as cluster-admin issued first, then what is given cluster-wide:
// whoever may make bindings in one namespace alone does not push it out.
func accessItems(plan reconcile.Plan) []string {
	var powerful, wide, limited []string
	for _, f := range groupNotes(plan) {
		if f.kind() != reconcile.ExistingAccess {
			continue
		}
		items := &limited
		if len(f.notes[0].Power) > 0 {
			items = &powerful
		} else if strings.HasPrefix(f.notes[0].Object, string(reconcile.ClusterRoleBinding)+" ") {
			items = &wide
		}
		*items = append(*items, "**Existing access**: "+noteMarkdown(f))
	}
	return slices.Concat(powerful, wide, limited)
}

// noteMarkdown is a note, or those that say the same of several people, without its kind.
func noteMarkdown(f noteGroup) string {
	names, until := f.who(code)
	text := ""
	if len(names) > 0 {
		text = firstNames(names, func(s string) string { return s }) + ": "
	}
	if object := f.notes[0].Object; object != "" {
		text += code(object) + " "
	}
	text += prose(f.notes[0].Message)
	if until != "" && !strings.Contains(f.notes[0].Message, until) {
		text += " (" + until + ")"
	}
	return text
}

// powerFirst has who becomes as good as cluster-admin, and how. The strongest roles come first, so that many that are usual
// do not push out one that is not.
func powerItems(plan reconcile.Plan) []string {
	var items []string
	severity := map[string]int{}
	each(plan, func(who string, c change) {
		if c.powerful == "" {
			return
		}
		if c.unlistedAdds > 0 {
			who += fmt.Sprintf(", for %s", pluralWithCommas(c.unlistedAdds, "member"))
		}
		item := fmt.Sprintf("**As good as cluster-admin**: %s: %s (%s)", who, c.markdown(code), c.powerful)
		items, severity[item] = append(items, item), reconcile.Severity(c.powerful)
	})
	slices.SortStableFunc(items, func(a, b string) int { return cmp.Compare(severity[a], severity[b]) })
	return items
}

// keysFirst has whose certificate is for another key than before: whoever has that key becomes them. The strongest come first.
func keyItems(plan reconcile.Plan) []string {
	exchanged := slices.DeleteFunc(stepsToRun(plan), func(s reconcile.Step) bool { return !slices.Contains(s.Reasons, reconcile.RequestChanged) })
	slices.SortFunc(exchanged, func(a, b reconcile.Step) int {
		return cmp.Or(cmp.Compare(severityOf(a), severityOf(b)), cmp.Compare(a.User, b.User))
	})
	text := func(s reconcile.Step) string {
		if len(s.Power) > 0 {
			return stepMarkdown(plan, s) + ", as good as cluster-admin: " + s.Power[0]
		}
		return stepMarkdown(plan, s)
	}
	var items []string
	for _, same := range groupBy(exchanged, text) {
		var names []string
		for _, s := range same {
			names = append(names, s.User)
		}
		items = append(items, fmt.Sprintf("**Another key**: %s: %s", boundedNames(names), text(same[0])))
	}
	return items
}

// severityOf orders steps by what makes as good as cluster-admin in them, the worst first.
func severityOf(s reconcile.Step) int {
	if len(s.Power) == 0 {
		return math.MaxInt
	}
	return reconcile.Severity(s.Power[0])
}

// removedFirst has who is removed.
func removedItems(plan reconcile.Plan) []string {
	var items []string
	for _, e := range entries(plan, code) {
		for _, c := range e.changes {
			if c.action == reconcile.Remove {
				items = append(items, fmt.Sprintf("**Removed**: %s: %s (%s)", boundedNames(e.names), c.markdown(code), c.reasonText()))
			}
		}
	}
	return items
}

// takenFirst has what is taken from those who stay, or from whom certsync never served.
func lossItems(plan reconcile.Plan) []string {
	var items []string
	each(plan, func(who string, c change) {
		if c.action == reconcile.Unbind || len(c.remove) > 0 {
			items = append(items, fmt.Sprintf("**Taken away**: %s: %s (%s)", who, c.markdown(code), c.reasonText()))
		}
	})
	return items
}

// each calls do for every change and those whom it is for.
func each(plan reconcile.Plan, do func(who string, c change)) {
	for _, e := range entries(plan, code) {
		who := boundedNames(e.names)
		if e.group {
			who = "group " + who
		}
		for _, c := range e.changes {
			do(who, c)
		}
	}
}

// several lists as many names as half of what a kind has room for, and counts the rest.
func boundedNames(names []string) string {
	var first []string
	room := maxItemsLength / 2
	for _, n := range names {
		n = code(n)
		if room -= length(n) + 2; room < 0 && len(first) > 0 {
			return strings.Join(first, ", ") + " and " + withCommas(len(names)-len(first)) + " more"
		}
		first = append(first, n)
	}
	return strings.Join(first, ", ")
}

// allDetails is what is there to look up: notes, certificates that live on, what the policy holds, and each step.
func allDetails(plan reconcile.Plan) []details {
	notes, live, policy, steps := details{title: "Notes"}, details{title: "Certificates that live on"}, details{title: "Held by the policy"}, details{title: "Each step"}
	for _, f := range groupNotes(plan) {
		switch f.kind() {
		case reconcile.ExistingAccess:
		case reconcile.LiveCertificate, reconcile.UnknownCertificate:
			for _, n := range f.notes { // each, with its time
				live.items = append(live.items, noteMarkdown(noteGroup{notes: []reconcile.Note{n}}))
			}
		default:
			notes.items = append(notes.items, "**"+string(f.kind())+"**: "+noteMarkdown(f))
		}
	}
	for _, s := range plan.HeldByPolicy() {
		policy.items = append(policy.items, stepSubject(s)+" "+stepMarkdown(plan, s))
	}
	for _, s := range plan.Steps {
		steps.items = append(steps.items, stepInFull(plan, s))
	}
	return []details{notes, live, policy, steps}
}

// stepInFull is a step with the object that it writes, and where its kubeconfig leads.
func stepInFull(plan reconcile.Plan, s reconcile.Step) string {
	text := stepSubject(s) + " " + stepMarkdown(plan, s)
	if s.Object != "" {
		text += ", writes " + code(s.Object)
	}
	if s.Detail != nil && s.Detail.Kubeconfig != nil {
		text += ", kubeconfig for " + code(cmp.Or(s.Detail.Kubeconfig.Cluster, "?")) + " at " + code(s.Detail.Kubeconfig.Server)
	}
	if s.Held != "" {
		text += ", held"
	}
	return text
}
