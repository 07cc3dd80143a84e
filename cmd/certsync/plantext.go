package main

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/certsync/certsync/reconcile"
)

// planText is a plan made to be read: the counts, then who, what and why.
func planText(plan reconcile.Plan, c palette) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s\n", c.bold("Plan for "+plan.Owner+":"), counts(plan))
	held := plan.Held()
	section(&b, c, plan, "People", func(s reconcile.Step) (string, bool) { return s.User, s.Held == "" && s.User != "" })
	section(&b, c, plan, "Groups", func(s reconcile.Step) (string, bool) { return s.Group, s.Held == "" && s.User == "" })
	if len(held) > 0 {
		fmt.Fprintf(&b, "\n%s\n", c.bold(c.red("Held: apply refuses until these are settled")))
		for _, s := range held {
			fmt.Fprintf(&b, "  %s %s  %s\n      %s\n", c.red("!"), clean(cmp.Or(s.User, s.Group)), what(plan, s), clean(s.Held))
		}
	}
	if len(plan.Notes) > 0 {
		fmt.Fprintf(&b, "\n%s\n", c.bold("Notes"))
		for _, n := range plan.Notes {
			fmt.Fprintf(&b, "  %s %s\n", c.yellow("*"), noteText(n))
		}
	}
	if plan.Changes() {
		fmt.Fprintf(&b, "\nDigest: %s\n", plan.Digest())
	}
	return b.Bytes()
}

// counts is the summary in one line.
func counts(plan reconcile.Plan) string {
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

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// section prints the steps that pick picks, under the name that it returns for them.
func section(b *bytes.Buffer, c palette, plan reconcile.Plan, title string, pick func(reconcile.Step) (string, bool)) {
	steps := map[string][]reconcile.Step{}
	var names []string
	for _, s := range plan.Steps {
		name, ok := pick(s)
		if !ok {
			continue
		}
		if steps[name] == nil {
			names = append(names, name)
		}
		steps[name] = append(steps[name], s)
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	fmt.Fprintf(b, "\n%s\n", c.bold(title))
	for _, name := range names {
		fmt.Fprintf(b, "  %s\n", clean(name))
		for _, s := range steps[name] {
			fmt.Fprintf(b, "    %s %s\n", sign(c, s), what(plan, s))
		}
	}
}

// sign says at a glance whether a step gives, changes or takes.
func sign(c palette, s reconcile.Step) string {
	switch s.Action {
	case reconcile.Issue, reconcile.Bind:
		return c.green("+")
	case reconcile.Unbind, reconcile.Remove, reconcile.Purge:
		return c.red("-")
	}
	return c.yellow("~")
}

// what is a step in a line: what it does, to what, and why.
func what(plan reconcile.Plan, s reconcile.Step) string {
	text := fmt.Sprintf("%-7s", s.Action)
	if g, ok := plan.Grant(s); ok {
		text += " " + clean(g.String())
		if g.Part > 1 {
			text += fmt.Sprintf(", part %d", g.Part)
		}
	}
	if d := s.Detail; d != nil {
		if s.Action == reconcile.Issue || s.Action == reconcile.Reissue || s.Action == reconcile.Renew {
			text += fmt.Sprintf(" certificate for %s", d.Expiration)
			if len(d.Groups) > 0 {
				text += " in " + strings.Join(d.Groups, ", ")
			}
		}
		text += list(" + ", d.Add) + list(" - ", d.Remove)
		if len(d.Versions) > 0 {
			text += fmt.Sprintf(" versions %v", d.Versions)
		}
	}
	reasons := make([]string, len(s.Reasons))
	for i, r := range s.Reasons {
		reasons[i] = string(r)
	}
	return text + " (" + strings.Join(reasons, ", ") + ")"
}

// listed is how many names a line shows; -o json has them all.
const listed = 5

func list(before string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	text := clean(strings.Join(names[:min(len(names), listed)], ", "))
	if more := len(names) - listed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return before + text
}

func noteText(n reconcile.Note) string {
	text := string(n.Kind) + ": "
	if who := cmp.Or(n.User, n.Group); who != "" {
		text += clean(who) + ": "
	}
	if n.Object != "" {
		text += clean(n.Object) + " "
	}
	return text + clean(n.Message)
}
