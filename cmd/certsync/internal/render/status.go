package render

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/certsync/certsync/reconcile"
)

// standings are how people say how somebody stands, in the order in which they are counted.
var standings = []struct {
	state  reconcile.Standing
	said   string
	colour func(Palette, string) string
}{
	{reconcile.HasAccess, "active", Palette.green},
	{reconcile.NoCredential, "no credential yet", Palette.yellow},
	{reconcile.StandsDenied, "denied", Palette.red},
	{reconcile.InConflict, "conflict", Palette.red},
	{reconcile.HasLapsed, "lapsed", Palette.plain},
	{reconcile.IsLeaving, "leaving", Palette.yellow},
	{reconcile.HasLeft, "left", Palette.plain},
}

// said is how somebody stands, padded to width.
func stateText(c Palette, state reconcile.Standing, width int) string {
	for _, s := range standings {
		if s.state == state {
			return s.colour(c, s.said) + strings.Repeat(" ", max(0, width-len(s.said)))
		}
	}
	return string(state)
}

// Status is a report to be read: the counts, then a line a user, those who go or have gone apart.
func Status(r reconcile.StatusReport, c Palette) []byte {
	var b bytes.Buffer
	var parts []string
	for _, s := range standings {
		n := 0
		for _, u := range r.Users {
			if u.State == s.state {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s.said))
		}
	}
	if len(parts) == 0 {
		parts = append(parts, "nobody")
	}
	title := "Users of " + r.Owner + ":"
	b.WriteString(strings.Replace(wrap("", title+" "+strings.Join(parts, ", ")), title, c.bold(title), 1))
	gone := func(u reconcile.UserStatus) bool {
		return u.State == reconcile.HasLapsed || u.State == reconcile.IsLeaving || u.State == reconcile.HasLeft
	}
	table := newStatusTable(r.Users)
	table.write(&b, c, "IN THE INVENTORY", slices.DeleteFunc(slices.Clone(r.Users), gone))
	table.write(&b, c, "GONE OR GOING", slices.DeleteFunc(slices.Clone(r.Users), func(u reconcile.UserStatus) bool { return !gone(u) }))
	if len(r.Users) > 0 {
		b.WriteString("\nTimes are UTC. certsync status --user NAME tells all about one user.\n")
	}
	return b.Bytes()
}

const (
	untilForm  = "2006-01-02 15:04"
	leastRoom  = 16 // of the last column
	columnsGap = 2
)

// statusTable has the columns' widths. A name that is too long for its column has a line of its own.
type statusTable struct{ name, state int }

func newStatusTable(users []reconcile.UserStatus) statusTable {
	t := statusTable{name: len("IN THE INVENTORY"), state: len("STATE")}
	for _, u := range users {
		t.state = max(t.state, len(stateText(false, u.State, 0)))
	}
	room := lineWidth - t.state - len(untilForm) - leastRoom - 3*columnsGap
	for _, u := range users {
		if n := utf8.RuneCountInString(Clean(quoteName(u.Name))); n <= room {
			t.name = max(t.name, n)
		}
	}
	return t
}

func (t statusTable) write(b *bytes.Buffer, c Palette, title string, users []reconcile.UserStatus) {
	if len(users) == 0 {
		return
	}
	gap := strings.Repeat(" ", columnsGap)
	fmt.Fprintf(b, "\n%s\n", c.bold(fmt.Sprintf("%-*s%s%-*s%s%-*s%sACCESS", t.name, title, gap, t.state, "STATE", gap, len(untilForm), "CERTIFICATE TO", gap)))
	room := lineWidth - t.name - t.state - len(untilForm) - 3*columnsGap
	for _, u := range users {
		who := Clean(quoteName(u.Name))
		if utf8.RuneCountInString(who) > t.name {
			b.WriteString(who + "\n")
			who = ""
		}
		until := "-"
		if u.CertificatesUntil != nil {
			until = u.CertificatesUntil.UTC().Format(untilForm)
		}
		line := who + strings.Repeat(" ", t.name-utf8.RuneCountInString(who)) + gap + stateText(c, u.State, t.state) + gap +
			fmt.Sprintf("%-*s", len(untilForm), until) + gap + accessText(c, u, room)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// access is what a user has in one line: what is wrong with it, until when, groups, and how many roles of their own.
func accessText(c Palette, u reconcile.UserStatus, room int) string {
	var items []string
	wrong := 0
	problems := u.Problems()
	for _, p := range []reconcile.BindingStatus{reconcile.IsUnwanted, reconcile.IsBlocked, reconcile.IsMissing} {
		if problems[p] > 0 && u.State != reconcile.NoCredential { // whose bindings wait for it
			items = append(items, fmt.Sprintf("%d %s", problems[p], p))
		}
	}
	wrong = len(items)
	if u.Until != nil {
		// The last day, as inventories say it, and not the midnight after it.
		items = append(items, "to "+u.Until.UTC().Add(-time.Nanosecond).Format(time.DateOnly))
	}
	for _, g := range u.Groups {
		items = append(items, quoteName(g))
	}
	own := 0
	for _, g := range u.Grants {
		if g.Group == "" && g.Binding != reconcile.IsUnwanted {
			own++
		}
	}
	if own > 0 {
		items = append(items, fmt.Sprintf("%d own", own))
	}
	return joinWithin(c, items, wrong, room)
}

// joinWithin unlistedAdds as many items as there is room for, the first wrong of them in yellow, and counts the rest.
func joinWithin(c Palette, items []string, wrong, room int) string {
	text, length := "", 0
	for i, item := range items {
		between, rest := "", ""
		if i > 0 {
			between = ", "
		}
		if left := len(items) - i - 1; left > 0 {
			rest = fmt.Sprintf(" +%d", left)
		}
		needed := len(between) + utf8.RuneCountInString(item)
		if length+needed+len(rest) > room {
			return strings.TrimPrefix(fmt.Sprintf("%s +%d", text, len(items)-i), " ")
		}
		length += needed
		if i < wrong {
			item = c.yellow(item)
		}
		text += between + item
	}
	return text
}

// Users is all that a report says, a user after the other.
func Users(r reconcile.StatusReport, c Palette) []byte {
	var b bytes.Buffer
	for i, u := range r.Users {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s %s\n", c.bold(Clean(quoteName(u.Name))+":"), stateText(c, u.State, 0))
		if u.Detail != "" {
			b.WriteString(wrap("  ", Clean(u.Detail)))
		}
		if u.Since != nil && (u.State == reconcile.HasLeft || u.State == reconcile.HasLapsed || u.State == reconcile.StandsDenied) {
			fmt.Fprintf(&b, "  since %s\n", u.Since.UTC().Format(time.RFC3339))
		}
		if u.Until != nil {
			fmt.Fprintf(&b, "  access ends at %s\n", u.Until.UTC().Format(time.RFC3339))
		}
		if len(u.Groups) > 0 {
			b.WriteString(wrap("  in ", strings.Join(u.Groups, ", ")))
		}
		for _, g := range u.Grants {
			grantText(&b, c, g)
		}
		for _, cert := range u.Certificates {
			certificateText(&b, cert)
		}
		if len(u.Certificates) == 0 {
			b.WriteString("  no live certificate\n")
		}
	}
	return b.Bytes()
}

func grantText(b *bytes.Buffer, c Palette, g reconcile.GrantStatus) {
	sign := map[reconcile.BindingStatus]string{
		reconcile.IsBound: c.green("+"), reconcile.HasEnded: "-", reconcile.IsUnwanted: c.red("!"),
		reconcile.IsMissing: c.yellow("~"), reconcile.IsBlocked: c.red("!"),
	}[g.Binding]
	from := "own"
	if g.Group != "" {
		from = "of group " + quoteName(g.Group)
	}
	text := fmt.Sprintf("%s, %s, %s", g.Binding, g, from)
	if g.Until != nil {
		text += ", until " + g.Until.UTC().Format(time.RFC3339)
	}
	const signed = "    "
	b.WriteString("  " + sign + " " + strings.TrimPrefix(wrap(signed, Clean(text)), signed)) // fill would count a sign's colour
}

func certificateText(b *bytes.Buffer, cert reconcile.AcceptedCertificate) {
	const asked = "certificate %s, and maybe there, until %s at the latest"
	text := fmt.Sprintf("certificate %s, until %s", cert.Status, cert.NotAfter.UTC().Format(time.RFC3339))
	maybe := cert.SHA256 == "" && cert.PublicKeySHA256 != ""
	if maybe {
		text = fmt.Sprintf(asked, cert.Status, cert.NotAfter.UTC().Format(time.RFC3339))
	}
	for i, g := range cert.Groups {
		if i == 0 {
			text += ", in"
		} else {
			text += ","
		}
		text += " " + quoteName(g)
	}
	b.WriteString(wrap("  ", Clean(text)))
	if !maybe {
		fmt.Fprintf(b, "    serial %s\n    sha256 %s\n", Clean(cert.Serial), Clean(cert.SHA256))
	}
	if cert.PublicKeySHA256 != "" {
		fmt.Fprintf(b, "    of their own key, sha256\n      %s\n", Clean(cert.PublicKeySHA256))
	}
}
