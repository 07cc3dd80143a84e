package render

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/reconcile"
)

// Result shows how apply ended: the number of steps that were done, and each step that was not. Steps with the same cause
// stand together, with the cause once.
func Result(o reconcile.Outcome, c terminal.Palette) []byte {
	var b bytes.Buffer
	switch {
	case len(o.Events) == 0 && !o.Plan.Changes():
		return Plan(o.Plan, c)
	case len(o.Events) == 0:
		fmt.Fprintf(&b, "\n%s recorded %s; there was nothing else to do.\n", c.Bold("Applied to "+o.Plan.Owner+":"), o.Plan.Records())
		writeRevoked(&b, o.Plan)
		return b.Bytes()
	}
	fmt.Fprintf(&b, "\n%s %s done", c.Bold("Applied to "+o.Plan.Owner+":"), terminal.Plural(len(o.Events)-o.Failed()-o.HeldByPolicy(), "step"))
	if o.Failed() > 0 {
		fmt.Fprintf(&b, ", %s", c.Red(fmt.Sprintf("%d not done", o.Failed())))
	}
	if n := o.HeldByPolicy(); n > 0 {
		fmt.Fprintf(&b, ", %d held by the policy", n)
	}
	b.WriteString(".\n")
	explained := slices.DeleteFunc(slices.Clone(o.Events), func(e reconcile.Event) bool { return e.Result == reconcile.Done && e.Note == "" })
	for _, same := range terminal.GroupBy(explained, cause) {
		if len(same) == 1 {
			fmt.Fprintf(&b, "  %s: %s\n", eventText(same[0]), terminal.Clean(cause(same[0])))
		} else {
			for _, e := range same {
				fmt.Fprintf(&b, "  %s\n", eventText(e))
			}
			fmt.Fprintf(&b, "    %s\n", terminal.Clean(cause(same[0])))
		}
		if hint := same[0].Hint; hint != "" {
			fmt.Fprintf(&b, "    hint: %s\n", terminal.Clean(hint))
		}
	}
	writeRevoked(&b, o.Plan)
	return b.Bytes()
}

// writeRevoked repeats, below a run without Vault, the notes about revoked users. The plan above may be long, and the next
// run depends on these notes.
func writeRevoked(b *bytes.Buffer, plan reconcile.Plan) {
	if !plan.RemovalsOnly {
		return
	}
	for _, g := range groupNotes(plan) {
		if g.kind() == reconcile.RevokedAtLock {
			b.WriteString(g.onTerminal())
		}
	}
}

// cause is the error of a step that was not done, or the note of one that was.
func cause(e reconcile.Event) string { return cmp.Or(e.Error, e.Note) }

// eventText says which step an event is about, and how the step ended.
func eventText(e reconcile.Event) string {
	text := string(e.Action)
	if who := cmp.Or(e.User, e.Group); who != "" {
		text += " " + terminal.QuoteName(who)
	}
	if e.Object != "" {
		text += " " + terminal.Clean(e.Object)
	}
	return text + ": " + string(e.Result)
}

// eventLine shows a whole event in one line.
func eventLine(e reconcile.Event) string {
	text := eventText(e)
	if cause(e) != "" {
		text += ": " + terminal.Clean(cause(e))
	}
	if e.Hint != "" {
		text += " (" + terminal.Clean(e.Hint) + ")"
	}
	return text
}

// UnderCluster is text about one of several clusters, below the cluster's name. Without a name it is the text alone.
func UnderCluster(name string, text []byte, c terminal.Palette) []byte {
	if name == "" {
		return text
	}
	return append([]byte("\n"+c.Bold("Cluster "+terminal.Clean(name)+":")+"\n"), bytes.TrimLeft(text, "\n")...)
}
