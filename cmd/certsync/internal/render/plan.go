package render

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/certsync/certsync/reconcile"
)

// Plan is a plan made to be read: the counts, then who, what and why.
func Plan(plan reconcile.Plan, c Palette) []byte {
	var b bytes.Buffer
	title := "Plan for " + plan.Owner + ":"
	b.WriteString(strings.Replace(wrap("", title+" "+summaryLine(plan)), title, c.bold(title), 1))
	all := entries(plan, textName)
	people := slices.IndexFunc(all, func(e entry) bool { return e.group })
	if people < 0 {
		people = len(all)
	}
	section(&b, c, "People", all[:people])
	section(&b, c, "Groups", all[people:])
	refusedText(&b, c, plan)
	heldText(&b, c, "Held by a guard: apply refuses the plan; --hold does the rest", plan.HeldByGuard(), plan)
	heldText(&b, c, "Held: apply skips these and does the rest", plan.Skipped(), plan)
	heldText(&b, c, "Held by the policy", plan.HeldByPolicy(), plan)
	if len(plan.Notes) > 0 {
		fmt.Fprintf(&b, "\n%s\n", c.bold("Notes"))
		for _, n := range groupNotes(plan) {
			b.WriteString(wrap("  * ", noteText(n)))
		}
	}
	if plan.Changes() {
		fmt.Fprintf(&b, "\nDigest: %s\n", plan.Digest())
	}
	return b.Bytes()
}

// counts is the summary in one line.
func summaryLine(plan reconcile.Plan) string {
	sum := plan.Summary()
	var parts []string
	for _, a := range actions {
		if n := sum[string(a)]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d to %s", n, a))
		}
	}
	if len(parts) == 0 && plan.Changes() {
		parts = append(parts, "nothing to do but to record the inventory")
	} else if len(parts) == 0 {
		parts = append(parts, "nothing to do")
	}
	text := strings.Join(parts, ", ")
	if sum["held"] > 0 {
		text += fmt.Sprintf(" (%d of them held)", sum["held"])
	}
	return fmt.Sprintf("%s; %s unchanged", text, plural(plan.Unchanged, "user"))
}

var actions = []reconcile.Action{reconcile.Issue, reconcile.Renew, reconcile.Reissue, reconcile.Bind, reconcile.Update,
	reconcile.Unbind, reconcile.Remove, reconcile.Purge}

// section prints the entries of people, or of groups.
func section(b *bytes.Buffer, c Palette, title string, entries []entry) {
	if len(entries) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", c.bold(title))
	for _, e := range entries {
		b.WriteString(entryText(c, e))
	}
}

// refusedText prints what forbids the whole plan, and how to lift it.
func refusedText(b *bytes.Buffer, c Palette, plan reconcile.Plan) {
	if len(plan.Forbidden()) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", c.bold(c.red("Refused: apply writes nothing")))
	for _, why := range plan.Forbidden() {
		b.WriteString(wrap("  ! ", Clean(why)))
	}
}

// heldText prints the steps that are kept from running, with the reason once for all that have the same.
func heldText(b *bytes.Buffer, c Palette, title string, held []reconcile.Step, plan reconcile.Plan) {
	if len(held) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", c.bold(c.red(title)))
	for _, same := range groupBy(held, func(s reconcile.Step) string { return s.Held }) {
		for _, s := range same {
			b.WriteString(withSign("  ", "!", c.red("!"), fmt.Sprintf("%s: %s %s (%s)", textName(cmp.Or(s.User, s.Group)), s.Action, objectText(plan, s, textName), joinReasons(s.Reasons))))
			if s.Group != "" && s.Detail != nil {
				b.WriteString(members("+", c.green("+"), s.Detail.Add) + members("-", c.red("-"), s.Detail.Remove))
			}
			b.WriteString(change{powerful: plan.Powerful(s)}.warning(c))
		}
		b.WriteString(wrap("    ", Clean(same[0].Held)))
	}
}
