package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certsync/certsync/reconcile"
)

// noteGroup are notes that say the same of several people, or one that says it of one.
type noteGroup struct {
	notes   []reconcile.Note
	removed bool // they are about people whom the plan removes, and whose names stand there
}

// groupNotes puts a plan's notes of one kind groupBy, existing access first, and into one where all that differs is whom
// it is about, and until when.
func groupNotes(plan reconcile.Plan) []noteGroup {
	sorted := slices.Clone(plan.Notes)
	order := map[reconcile.NoteKind]int{reconcile.ExistingAccess: -1}
	for i, n := range sorted {
		if _, seen := order[n.Kind]; !seen {
			order[n.Kind] = i
		}
	}
	slices.SortStableFunc(sorted, func(a, b reconcile.Note) int { return order[a.Kind] - order[b.Kind] })
	goes := mentionedBy(stepsToRun(plan)).removed
	removed := func(n reconcile.Note) bool { return n.Kind == reconcile.LiveCertificate && goes[n.User] }
	var folded []noteGroup
	for _, same := range groupBy(sorted, func(n reconcile.Note) string {
		nobody := cmp.Or(n.User, n.Group) == "" // a note on nobody is not one on everybody
		return fmt.Sprintf("%q %t %t %q %q", n.Kind, nobody, removed(n), n.Object, n.Message)
	}) {
		folded = append(folded, noteGroup{same, removed(same[0]) && len(same) > 1})
	}
	return folded
}

// kind is what all of them are.
func (f noteGroup) kind() reconcile.NoteKind { return f.notes[0].Kind }

// who lists whom notes are about, each with until when if that differs, which else is until.
func (f noteGroup) who(quote quoter) (names []string, until string) {
	until = untilOf(f.notes[0])
	for _, n := range f.notes {
		if untilOf(n) != until {
			until = ""
		}
	}
	for _, n := range f.notes {
		who := cmp.Or(n.User, n.Group)
		if who == "" {
			continue
		}
		who = quote(who)
		if u := untilOf(n); u != until {
			who += " (" + u + ")"
		}
		names = append(names, who)
	}
	return names, until
}

// last is the latest until of all.
func (f noteGroup) last() string {
	last := ""
	for _, n := range f.notes {
		last = max(last, untilOf(n)) // of one form, and in UTC
	}
	return last
}

func untilOf(n reconcile.Note) string {
	if n.Until == nil {
		return ""
	}
	return n.Until.UTC().Format(time.RFC3339)
}

// said is what notes say, of whom and to when apart.
func (f noteGroup) message() string {
	return strings.TrimPrefix(f.notes[0].Object+" "+f.notes[0].Message, " ")
}

// noteText is a note, or those that say the same of several people. Of existing access nothing is left out.
func noteText(f noteGroup) string {
	names, until := f.who(textName)
	switch {
	case f.removed:
		names, until = []string{fmt.Sprintf("the %d who are removed", len(f.notes))}, f.last()
	case f.kind() != reconcile.ExistingAccess && len(names) > maxListed:
		names = append(names[:maxListed:maxListed], fmt.Sprintf("and %d more (-o json)", len(names)-maxListed))
	}
	text := string(f.kind()) + ": "
	if len(names) > 0 {
		text += strings.Join(names, ", ") + ": "
	}
	text += Clean(f.message())
	if until != "" && !strings.Contains(text, until) {
		text += " (" + until + ")"
	}
	return text
}

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339) }
