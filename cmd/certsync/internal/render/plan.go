package render

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/reconcile"
)

// Plan shows a plan on a terminal. It begins with a summary in one line. Then come the changes of users and groups, the
// refused and held steps with their reasons, the notes, and the digest for apply --expect.
func Plan(plan reconcile.Plan, c terminal.Palette) []byte {
	var b bytes.Buffer
	title := "Plan for " + plan.Owner + ":"
	if plan.RemovalsOnly {
		title = "Plan for " + plan.Owner + ", removals only:"
	}
	b.WriteString(strings.Replace(terminal.Wrap("", title+" "+summaryLine(plan)), title, c.Bold(title), 1))
	writePlan(&b, c, plan)
	if plan.Changes() {
		fmt.Fprintf(&b, "\nDigest: %s\n", plan.Digest())
	}
	if next := nextText(plan, terminal.TextName, terminal.Clean); next != "" {
		b.WriteString("\n" + terminal.Wrap("", next))
	}
	return b.Bytes()
}

// writePlan writes the changes, the refused and held steps, and the notes.
func writePlan(b *bytes.Buffer, c terminal.Palette, plan reconcile.Plan) {
	all := entries(plan, terminal.TextName)
	for in, title := range []string{"Users", "Groups", "Cluster"} {
		writeEntries(b, c, title, slices.DeleteFunc(slices.Clone(all), func(e entry) bool { return e.section != section(in) }))
	}
	writeRefused(b, c, plan)
	writeHeld(b, c, "Held by a guard: apply refuses the plan; --hold applies the rest", plan.HeldByGuard(), plan)
	writeHeld(b, c, "Held: apply skips these and applies the rest", plan.Skipped(), plan)
	writeHeld(b, c, "Held by the policy", plan.HeldByPolicy(), plan)
	if len(plan.Notes) > 0 {
		fmt.Fprintf(b, "\n%s\n", c.Bold("Notes"))
		for _, n := range groupNotes(plan) {
			b.WriteString(n.onTerminal())
		}
	}
}

// summaryLine counts a plan's steps by action, and the users without any.
func summaryLine(plan reconcile.Plan) string {
	sum := plan.Summary()
	var parts []string
	for _, a := range reconcile.Actions {
		if n := sum[string(a)]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d to %s", n, a))
		}
	}
	if len(parts) == 0 && plan.Changes() {
		parts = append(parts, "nothing to do except to record "+plan.Records())
	} else if len(parts) == 0 {
		parts = append(parts, "nothing to do")
	}
	text := strings.Join(parts, ", ")
	if sum["held"] > 0 {
		text += fmt.Sprintf(" (%d of them held)", sum["held"])
	}
	return fmt.Sprintf("%s; %s unchanged", text, terminal.Plural(plan.Unchanged, "user"))
}

func writeEntries(b *bytes.Buffer, c terminal.Palette, title string, entries []entry) {
	if len(entries) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", c.Bold(title))
	for _, e := range entries {
		b.WriteString(e.text(c))
	}
}

// writeRefused shows why apply refuses the whole plan, and which flags lift that.
func writeRefused(b *bytes.Buffer, c terminal.Palette, plan reconcile.Plan) {
	if len(plan.Forbidden) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", c.Bold(c.Red("Refused: apply writes nothing")))
	for _, why := range plan.Forbidden {
		b.WriteString(terminal.Wrap("  ! ", terminal.Clean(why)))
	}
}

// writeHeld shows held steps, and each reason once for all steps that have it.
func writeHeld(b *bytes.Buffer, c terminal.Palette, title string, held []reconcile.Step, plan reconcile.Plan) {
	if len(held) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", c.Bold(c.Red(title)))
	for _, same := range terminal.GroupBy(held, func(s reconcile.Step) string { return s.Held }) {
		for _, s := range same {
			text := fmt.Sprintf("%s: %s %s (%s)", terminal.TextName(cmp.Or(s.User, s.Group, s.Object())), s.Action, objectText(plan, s, terminal.TextName), joinReasons(s.Reasons))
			b.WriteString(terminal.WithSign("  ", "!", c.Red("!"), text))
			if s.Group != "" && s.Detail != nil {
				b.WriteString(memberLines(c, s.Detail.Add, s.Detail.Remove))
			}
			b.WriteString(terminal.WhyLine(s.Why, memberMargin))
			b.WriteString(change{powerful: plan.Powerful(s)}.warning(c))
		}
		b.WriteString(terminal.Wrap("    ", terminal.Clean(same[0].Held)))
	}
}
