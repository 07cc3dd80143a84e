package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/reconcile"
)

// noteGroup holds notes that differ only in the user or group, and in their end.
type noteGroup struct {
	notes   []reconcile.Note
	removed bool // all users are removed by the plan, which names them
}

// groupNotes groups a plan's notes, and sorts them by kind: existing access first, then as the plan has them.
func groupNotes(plan reconcile.Plan) []noteGroup {
	sorted := slices.Clone(plan.Notes)
	order := map[reconcile.NoteKind]int{reconcile.ExistingAccess: -1}
	for i, n := range sorted {
		if _, seen := order[n.Kind]; !seen {
			order[n.Kind] = i
		}
	}
	slices.SortStableFunc(sorted, func(a, b reconcile.Note) int { return order[a.Kind] - order[b.Kind] })
	users := mentionedBy(stepsToRun(plan)).removed
	removed := func(n reconcile.Note) bool { return n.Kind == reconcile.LiveCertificate && users[n.User] }
	var groups []noteGroup
	for _, same := range terminal.GroupBy(sorted, func(n reconcile.Note) string {
		general := cmp.Or(n.User, n.Group) == "" // never in one group with notes about users
		return fmt.Sprintf("%q %t %t %q %q %q", n.Kind, general, removed(n), n.Object, n.Message, beginningPower(n)+terminal.WhyText(n.Why, terminal.Clean))
	}) {
		groups = append(groups, noteGroup{same, removed(same[0]) && len(same) > 1})
	}
	return groups
}

// kind is the kind of all notes in the group.
func (g noteGroup) kind() reconcile.NoteKind { return g.notes[0].Kind }

// names lists the users and groups of the notes. If all notes have the same end, it returns that as until.
// Otherwise each name has its own end behind it.
func (g noteGroup) names(quote terminal.Quoter) (names []string, until string) {
	until = untilText(g.notes[0])
	for _, n := range g.notes {
		if untilText(n) != until {
			until = ""
		}
	}
	for _, n := range g.notes {
		name := cmp.Or(n.User, n.Group)
		if name == "" {
			continue
		}
		name = quote(name)
		if u := untilText(n); u != until {
			name += " (" + u + ")"
		}
		names = append(names, name)
	}
	return names, until
}

// latestUntil is the latest end of all notes.
func (g noteGroup) latestUntil() string {
	latest := ""
	for _, n := range g.notes {
		latest = max(latest, untilText(n)) // texts of one form, and in UTC
	}
	return latest
}

// untilText is the time of a note: an end, or a beginning.
func untilText(n reconcile.Note) string {
	at := n.Until
	if n.Kind == reconcile.Begins {
		at = n.From
	}
	if at == nil {
		return ""
	}
	return reconcile.TimeText(*at)
}

// message is the object and the message that all notes have.
func (g noteGroup) message() string {
	return strings.TrimPrefix(g.notes[0].Object+" "+g.notes[0].Message, " ")
}

// text shows the notes for a terminal. It names every user with existing access, and at most maxListed of other kinds.
func (g noteGroup) text() string {
	names, until := g.names(terminal.TextName)
	switch {
	case g.removed:
		names, until = []string{fmt.Sprintf("the %d removed users", len(g.notes))}, g.latestUntil()
	case g.kind() != reconcile.ExistingAccess && len(names) > terminal.MaxListed:
		names = append(names[:terminal.MaxListed:terminal.MaxListed], fmt.Sprintf("and %d more (-o json)", len(names)-terminal.MaxListed))
	}
	text := string(g.kind()) + ": "
	if len(names) > 0 {
		text += strings.Join(names, ", ") + ": "
	}
	text += terminal.Clean(g.message())
	if until != "" && !strings.Contains(text, until) {
		text += " (" + until + ")"
	}
	if why := terminal.WhyText(g.notes[0].Why, terminal.Clean); why != "" {
		text += "; why: " + why
	}
	if power := beginningPower(g.notes[0]); power != "" {
		text += "; as good as cluster-admin: " + power
	}
	return text
}

// onTerminal shows the notes as an item of a list. A line for the inventory is not wrapped, so that the user can copy it.
func (g noteGroup) onTerminal() string {
	const line = "revokedBefore: "
	text, value, found := strings.Cut(g.text(), line)
	if !found {
		return terminal.Wrap("  * ", text)
	}
	return terminal.Wrap("  * ", text) + memberMargin + line + value + "\n"
}

// markdown shows the notes in a comment, without their kind.
func (g noteGroup) markdown() string {
	names, until := g.names(code)
	text := ""
	if len(names) > 0 {
		text = firstOf(names, asQuoted) + ": "
	}
	if object := g.notes[0].Object; object != "" {
		text += code(object) + " "
	}
	text += prose(g.notes[0].Message)
	if until != "" && !strings.Contains(g.notes[0].Message, until) {
		text += " (" + until + ")"
	}
	if why := terminal.WhyText(g.notes[0].Why, longCode); why != "" {
		text += "; why: " + why
	}
	return text
}
