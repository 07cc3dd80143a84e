package show

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/reconcile/status"
)

// states has the text and the colour of each state, in the order in which Status counts them.
var states = []struct {
	state  status.Standing
	text   string
	colour func(terminal.Palette, string) string
}{
	{status.HasAccess, "active", terminal.Palette.Green},
	{status.NoCredential, "no credential", terminal.Palette.Yellow},
	{status.StandsDenied, "denied", terminal.Palette.Red},
	{status.InConflict, "conflict", terminal.Palette.Red},
	{status.NotBegun, "not begun", terminal.Palette.Plain},
	{status.HasLapsed, "lapsed", terminal.Palette.Plain},
	{status.IsLeaving, "leaving", terminal.Palette.Yellow},
	{status.HasLeft, "left", terminal.Palette.Plain},
}

// stateText shows a state, padded to width.
func stateText(c terminal.Palette, state status.Standing, width int) string {
	for _, s := range states {
		if s.state == state {
			return s.colour(c, s.text) + strings.Repeat(" ", max(0, width-len(s.text)))
		}
	}
	return string(state)
}

// Status shows a report as a table with one line for each user. Users who have left or are leaving have a table of their own. It
// fits into lineWidth, unless it is to be wide: then it cuts nothing.
func Status(r status.Report, c terminal.Palette, wide bool) []byte {
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
	b.WriteString(strings.Replace(terminal.Wrap("", title+" "+strings.Join(parts, ", ")), title, c.Bold(title), 1))
	writeStaysAndGoes(&b, c, r.Users, wide)
	b.WriteString(everybodyText(r, c))
	if len(r.Users) == 0 {
		return b.Bytes()
	}
	b.WriteString("\n" + legend(r.Users, wide) + "certsync status --user NAME shows everything about one user.\n")
	return b.Bytes()
}

// writeStaysAndGoes writes a table of the users who are to have access, and one of those who have left or are leaving.
func writeStaysAndGoes(b *bytes.Buffer, c terminal.Palette, users []status.User, wide bool) {
	stays, goes := slices.DeleteFunc(slices.Clone(users), isGone), slices.DeleteFunc(slices.Clone(users), func(u status.User) bool { return !isGone(u) })
	writeUsers(b, c, "IN THE INVENTORY", "CERTIFICATE", stays, wide)
	writeUsers(b, c, "LEFT OR LEAVING", "ACCEPTED TO", goes, wide)
}

// legend explains the marks and times of tables of users.
func legend(users []status.User, wide bool) string {
	text := ""
	if slices.ContainsFunc(users, func(u status.User) bool { return len(u.Power) > 0 }) && !wide {
		text += "A: as good as cluster-admin; -o wide shows why. "
	}
	if slices.ContainsFunc(users, func(u status.User) bool { return u.Protected }) {
		text += "P: protected. "
	}
	return text + "Times are UTC.\n"
}

// everybodyText warns of access that others give to everybody. Each user has it too, and so does each user who left.
func everybodyText(r status.Report, c terminal.Palette) string {
	if len(r.Everybody) == 0 {
		return ""
	}
	text := "\n" + c.Yellow("Everybody who reaches the API server is as good as cluster-admin:") + "\n"
	for _, n := range r.Everybody {
		text += terminal.Wrap("  * ", terminal.Clean(n.Object+" "+n.Message))
	}
	return text
}
