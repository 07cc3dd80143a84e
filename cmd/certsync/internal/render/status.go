package render

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/certsync/certsync/reconcile/status"
)

// states has the text and the colour of each state, in the order in which Status counts them.
var states = []struct {
	state  status.Standing
	text   string
	colour func(Palette, string) string
}{
	{status.HasAccess, "active", Palette.green},
	{status.NoCredential, "no credential yet", Palette.yellow},
	{status.StandsDenied, "denied", Palette.red},
	{status.InConflict, "conflict", Palette.red},
	{status.HasLapsed, "lapsed", Palette.plain},
	{status.IsLeaving, "leaving", Palette.yellow},
	{status.HasLeft, "left", Palette.plain},
}

// stateText shows a state, padded to width.
func stateText(c Palette, state status.Standing, width int) string {
	for _, s := range states {
		if s.state == state {
			return s.colour(c, s.text) + strings.Repeat(" ", max(0, width-len(s.text)))
		}
	}
	return string(state)
}

// Status shows a report as a table with one line for each user. Users who have left or are leaving have a table of their
// own.
func Status(r status.Report, c Palette) []byte {
	var b bytes.Buffer
	var parts []string
	for _, s := range states {
		n := 0
		for _, u := range r.Users {
			if u.State == s.state {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s.text))
		}
	}
	if len(parts) == 0 {
		parts = append(parts, "nobody")
	}
	title := "Users of " + r.Owner + ":"
	b.WriteString(strings.Replace(wrap("", title+" "+strings.Join(parts, ", ")), title, c.bold(title), 1))
	gone := func(u status.User) bool {
		return u.State == status.HasLapsed || u.State == status.IsLeaving || u.State == status.HasLeft
	}
	table := newStatusTable(r.Users)
	table.write(&b, c, "IN THE INVENTORY", slices.DeleteFunc(slices.Clone(r.Users), gone))
	table.write(&b, c, "GONE OR GOING", slices.DeleteFunc(slices.Clone(r.Users), func(u status.User) bool { return !gone(u) }))
	b.WriteString(everybodyText(r, c))
	if len(r.Users) > 0 {
		b.WriteString("\nTimes are UTC. certsync status --user NAME tells all about one user.\n")
	}
	return b.Bytes()
}

// everybodyText warns of what others give to everybody: each user has it too, and so has each leaver.
func everybodyText(r status.Report, c Palette) string {
	if len(r.Everybody) == 0 {
		return ""
	}
	text := "\n" + c.yellow("Everybody who reaches the API server is as good as cluster-admin:") + "\n"
	for _, n := range r.Everybody {
		text += wrap("  * ", Clean(n.Object+" "+n.Message))
	}
	return text
}

const (
	untilFormat    = "2006-01-02 15:04"
	minAccessWidth = 16 // of the last column
	columnGap      = 2
)

// statusTable holds the widths of the columns. A name that is longer than its column has a line of its own.
type statusTable struct{ name, state int }

func newStatusTable(users []status.User) statusTable {
	t := statusTable{name: len("IN THE INVENTORY"), state: len("STATE")}
	for _, u := range users {
		t.state = max(t.state, len(stateText(false, u.State, 0)))
	}
	room := lineWidth - t.state - len(untilFormat) - minAccessWidth - 3*columnGap
	for _, u := range users {
		if n := utf8.RuneCountInString(textName(u.Name)); n <= room {
			t.name = max(t.name, n)
		}
	}
	return t
}

func (t statusTable) write(b *bytes.Buffer, c Palette, title string, users []status.User) {
	if len(users) == 0 {
		return
	}
	gap := strings.Repeat(" ", columnGap)
	fmt.Fprintf(b, "\n%s\n", c.bold(fmt.Sprintf("%-*s%s%-*s%s%-*s%sACCESS", t.name, title, gap, t.state, "STATE", gap, len(untilFormat), "CERTIFICATE TO", gap)))
	room := lineWidth - t.name - t.state - len(untilFormat) - 3*columnGap
	for _, u := range users {
		name := textName(u.Name)
		if utf8.RuneCountInString(name) > t.name {
			b.WriteString(name + "\n")
			name = ""
		}
		until := "-"
		if u.CertificatesUntil != nil {
			until = u.CertificatesUntil.UTC().Format(untilFormat)
		}
		line := name + strings.Repeat(" ", t.name-utf8.RuneCountInString(name)) + gap + stateText(c, u.State, t.state) + gap +
			fmt.Sprintf("%-*s", len(untilFormat), until) + gap + accessText(c, u, room)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// accessText shows a user's access in at most room characters. It has problems, the end of the access, the groups, and the
// number of the user's own roles.
func accessText(c Palette, u status.User, room int) string {
	var items []string
	problems := u.Problems()
	for _, p := range []status.BindingStatus{status.IsUnwanted, status.IsMissing} {
		if problems[p] > 0 && u.State != status.NoCredential { // its bindings wait for the credential
			items = append(items, fmt.Sprintf("%d %s", problems[p], p))
		}
	}
	marked := len(items)
	if u.Until != nil {
		// An inventory names the last day, not the midnight after it.
		items = append(items, "to "+u.Until.UTC().Add(-time.Nanosecond).Format(time.DateOnly))
	}
	for _, g := range u.Groups {
		items = append(items, quoteName(g))
	}
	own := 0
	for _, g := range u.Grants {
		if g.Group == "" && g.Binding != status.IsUnwanted {
			own++
		}
	}
	if own > 0 {
		items = append(items, fmt.Sprintf("%d own", own))
	}
	return joinWithin(c, items, marked, room)
}

// joinWithin joins items up to room characters, and counts the rest. The first marked items are yellow.
func joinWithin(c Palette, items []string, marked, room int) string {
	text, width := "", 0
	for i, item := range items {
		between, rest := "", ""
		if i > 0 {
			between = ", "
		}
		if left := len(items) - i - 1; left > 0 {
			rest = fmt.Sprintf(" +%d", left)
		}
		needed := len(between) + utf8.RuneCountInString(item)
		if width+needed+len(rest) > room {
			return strings.TrimPrefix(fmt.Sprintf("%s +%d", text, len(items)-i), " ")
		}
		width += needed
		if i < marked {
			item = c.yellow(item)
		}
		text += between + item
	}
	return text
}
