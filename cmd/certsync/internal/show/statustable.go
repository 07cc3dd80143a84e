package show

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/status"
)

// The least and greatest widths of columns in a narrow table.
const (
	maxName  = 26 // longer names have a line of their own
	minRoles = 16
	minWrong = 12
)

// statusRow is a user in a table.
type statusRow struct {
	name, mark, protected, state, certificate, from, until, why string
	stateText                                                   func(width int) string // with its colour
	groups, roles, wrong                                        []string
	power                                                       string
}

// newRow makes the row of a user. Times are days, or exact in a wide table.
func newRow(c terminal.Palette, u status.User, wide bool) statusRow {
	row := statusRow{name: terminal.TextName(u.Name), state: stateText(false, u.State, 0), certificate: "-", roles: rolesOf(u, wide), wrong: wrongOf(u),
		stateText: func(width int) string { return stateText(c, u.State, width) }}
	format := time.DateOnly
	if wide {
		format = "2006-01-02 15:04"
	}
	if u.CertificatesUntil != nil {
		row.certificate = u.CertificatesUntil.UTC().Format(format)
	}
	row.why = terminal.WhyText(u.Why, terminal.Clean)
	if u.From != nil {
		row.from = dayOf(*u.From)
	}
	if u.Until != nil {
		row.until = u.Until.UTC().Add(-time.Nanosecond).Format(time.DateOnly) // an inventory names the last day
		if !wide {
			row.roles = append([]string{"ends " + row.until}, row.roles...)
		}
	}
	if u.State == status.NotBegun && !wide {
		row.roles = append([]string{"begins " + row.from}, row.roles...)
	}
	if u.Protected {
		row.protected = "P"
	}
	if len(u.Power) > 0 {
		row.mark, row.power = "A", strings.Join(u.Power, "; ")
	}
	for _, g := range u.Groups {
		row.groups = append(row.groups, terminal.QuoteName(g))
	}
	return row
}

// dayOf is the day of a beginning, with the time where it is not midnight.
func dayOf(t time.Time) string {
	if t = t.UTC(); t.Equal(t.Truncate(24 * time.Hour)) {
		return t.Format(time.DateOnly)
	}
	return t.Format("2006-01-02 15:04")
}

// rolesOf lists the roles that a user has or is to have, each once: with its namespace, or how many namespaces.
func rolesOf(u status.User, wide bool) []string {
	namespaces := map[[2]string][]string{} // by role, and when it begins
	for _, g := range u.Grants {
		if g.Binding == status.IsUnwanted || g.Binding == status.HasEnded {
			continue
		}
		role := [2]string{roleText(g)}
		if g.Binding == status.IsAhead && u.State != status.NotBegun {
			if g.From == nil {
				continue // all access begins later, and something of an earlier time is left to take
			}
			role[1] = " from " + dayOf(*g.From)
		}
		if !slices.Contains(namespaces[role], g.Namespace) {
			namespaces[role] = append(namespaces[role], g.Namespace)
		}
	}
	var all []string
	for role, in := range namespaces {
		slices.Sort(in)
		if in[0] == "" {
			all, in = append(all, role[0]+role[1]), in[1:]
		}
		switch {
		case len(in) == 1 || wide && len(in) > 0:
			all = append(all, role[0]+" in "+strings.Join(in, " ")+role[1])
		case len(in) > 1:
			all = append(all, fmt.Sprintf("%s in %d namespaces%s", role[0], len(in), role[1]))
		}
	}
	slices.SortFunc(all, func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.Count(a, " "), strings.Count(b, " ")), cmp.Compare(a, b))
	})
	return all
}

// roleText names a role in a table. A ClusterRole stands there by its name alone.
func roleText(g status.Grant) string {
	text := terminal.QuoteName(reconcile.Shown(g.Role))
	if g.Kind == reconcile.NamespaceRole.String() {
		text = "Role " + text
	}
	return text
}

// wrongOf lists the roles that differ from the inventory.
func wrongOf(u status.User) []string {
	if u.State == status.NoCredential {
		return nil // its bindings wait for the credential
	}
	var all []string
	for _, is := range []struct {
		binding status.BindingStatus
		text    string
	}{{status.IsUnwanted, "unwanted"}, {status.IsMissing, "missing"}} {
		var roles []string
		for _, g := range u.Grants {
			if g.Binding == is.binding {
				roles = append(roles, roleText(g))
			}
		}
		switch {
		case len(roles) == 1:
			all = append(all, roles[0]+" "+is.text)
		case len(roles) > 1:
			all = append(all, fmt.Sprintf("%d roles %s", len(roles), is.text))
		}
	}
	return all
}

// column is a part of a table. A column that is empty in all rows is left out.
type column struct {
	title string
	text  func(statusRow) string
	list  func(statusRow) []string // in place of text, cut to the width
	width int
}

// writeUsers writes a table of users.
func writeUsers(b *bytes.Buffer, c terminal.Palette, title, certificate string, users []status.User, wide bool) {
	if len(users) == 0 {
		return
	}
	var rows []statusRow
	for _, u := range users {
		rows = append(rows, newRow(c, u, wide))
	}
	columns := []column{
		{title: title, text: func(r statusRow) string { return r.name }},
		{title: "A", text: func(r statusRow) string { return r.mark }},
		{title: "P", text: func(r statusRow) string { return r.protected }},
		{title: "STATE", text: func(r statusRow) string { return r.state }},
		{title: certificate, text: func(r statusRow) string { return r.certificate }},
		{title: "ROLES", list: func(r statusRow) []string { return r.roles }},
		{title: "WRONG", list: func(r statusRow) []string { return r.wrong }},
	}
	if wide {
		columns = append(columns[:1:1], columns[2:]...)
		columns = append(columns, column{title: "FROM", text: func(r statusRow) string { return r.from }}, column{title: "UNTIL", text: func(r statusRow) string { return r.until }}, column{title: "GROUPS", list: func(r statusRow) []string { return r.groups }},
			column{title: "AS GOOD AS CLUSTER-ADMIN", text: func(r statusRow) string { return r.power }}, column{title: "WHY", text: func(r statusRow) string { return r.why }})
	}
	columns = slices.DeleteFunc(columns, func(col column) bool {
		return !slices.ContainsFunc(rows, func(r statusRow) bool { return col.of(r, 1<<20) != "" })
	})
	for i := range columns {
		columns[i].width = utf8.RuneCountInString(columns[i].title)
		for _, r := range rows {
			if n := utf8.RuneCountInString(columns[i].of(r, 1<<20)); i > 0 || wide || n <= maxName {
				columns[i].width = max(columns[i].width, n)
			}
		}
	}
	if !wide {
		fit(columns)
	}
	b.WriteByte('\n')
	writeLine(b, columns, func(col column) string {
		return c.Bold(col.title) + terminal.Padded("", col.width-utf8.RuneCountInString(col.title))
	})
	for _, r := range rows {
		if utf8.RuneCountInString(r.name) > columns[0].width {
			b.WriteString(r.name + "\n")
			r.name = ""
		}
		writeLine(b, columns, func(col column) string {
			switch text := col.of(r, col.width); {
			case col.title == "STATE":
				return r.stateText(col.width)
			case col.title == "WRONG" && text != "":
				return c.Yellow(text) + strings.Repeat(" ", max(0, col.width-utf8.RuneCountInString(text)))
			default:
				return terminal.Padded(text, col.width)
			}
		})
	}
}

// of is a row's text in a column of a width.
func (col column) of(r statusRow, width int) string {
	if col.list == nil {
		return col.text(r)
	}
	return fitted(col.list(r), width)
}

// fit narrows the columns until they fit into lineWidth: first ROLES, then WRONG, then the names.
func fit(columns []column) {
	over := -terminal.LineWidth - terminal.ColumnGap
	for _, col := range columns {
		over += col.width + terminal.ColumnGap
	}
	narrow := func(col *column, least int) {
		by := min(over, col.width-max(least, utf8.RuneCountInString(col.title)))
		if by > 0 {
			col.width, over = col.width-by, over-by
		}
	}
	for _, list := range []struct {
		title string
		least int
	}{{"ROLES", minRoles}, {"WRONG", minWrong}} {
		for i := range columns {
			if columns[i].title == list.title {
				narrow(&columns[i], list.least)
			}
		}
	}
	narrow(&columns[0], 0)
}

// fitted joins items up to a width, and says how many more there are.
func fitted(items []string, width int) string {
	for n := len(items); n > 0; n-- {
		text := strings.Join(items[:n], ", ")
		if n < len(items) {
			text += fmt.Sprintf(" and %d more", len(items)-n)
		}
		if utf8.RuneCountInString(text) <= width {
			return text
		}
	}
	switch {
	case len(items) == 0:
		return ""
	case utf8.RuneCountInString(items[0]) < width:
		return items[0] + "…"
	}
	return fmt.Sprintf("%d in all", len(items))
}

func writeLine(b *bytes.Buffer, columns []column, text func(column) string) {
	var cells []string
	for _, col := range columns {
		cells = append(cells, text(col))
	}
	b.WriteString(strings.TrimRight(strings.Join(cells, strings.Repeat(" ", terminal.ColumnGap)), " ") + "\n")
}
