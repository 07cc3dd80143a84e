package reviewpage

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/certsync/certsync/reconcile/review"
)

// columns are the columns of the table.
var columns = []string{
	"kind", "name", "team", "in inventory", "state", "groups", "role kind", "role", "scope", "through", "binding", "status", "strength",
	"as good as cluster-admin", "since at least", "binding made", "until", "certificate until", "residual access", "left", "left by run", "left by commit", "unused since", "from", "reason", "ticket", "protected",
}

// CSV writes a review as a table, with a row for each access of everybody in it. Somebody without access has one row too. Lists that have
// a limit end with a row that says how many there are more.
func CSV(r review.Review) ([]byte, error) {
	return written(append([][]string{slices.Clone(columns)}, tableOf(r)...)), nil
}

// tableOf has the rows of a review, without the head.
func tableOf(r review.Review) [][]string {
	var rows [][]string
	for _, p := range r.People {
		who := []string{"Person", p.Name, p.Team, strconv.FormatBool(p.InInventory), string(p.State), strings.Join(p.Groups, " ")}
		var left [3]string
		if p.Left != nil {
			left = [3]string{timestamp(&p.Left.At), p.Left.Run, p.Left.Revision}
		}
		var residual []string
		for _, g := range p.Residual() {
			residual = append(residual, g.Role+" by "+g.Binding)
		}
		if p.MayLiveUntil != nil {
			residual = append(residual, "not known: the ledger record is lost or unreadable")
		}
		end := []string{timestamp(p.CertificateUntil), strings.Join(residual, "; "), left[0], left[1], left[2]}
		rows = append(rows, rowsOf(who, p.Access, p.Unlisted, end, func(a review.Access) []string { return says(p, a) })...)
	}
	for _, o := range r.Others {
		name := o.Name
		if o.Namespace != "" {
			name = o.Namespace + "/" + o.Name
		}
		rows = append(rows, rowsOf([]string{o.Kind, name, "", "false", "", ""}, o.Access, o.Unlisted, make([]string, 5), func(review.Access) []string { return make([]string, 4) })...)
	}
	if r.MoreOthers > 0 {
		rows = append(rows, append([]string{"", fmt.Sprintf("and %d more that are not certsync's", r.MoreOthers)}, make([]string, len(columns)-2)...))
	}
	return rows
}

// written is a table as CSV.
func written(rows [][]string) []byte {
	var b bytes.Buffer
	for _, row := range rows {
		for i := range row {
			row[i] = cell(row[i])
		}
		b.WriteString(strings.Join(row, ",") + "\n")
	}
	return b.Bytes()
}

// residualColumn is the place of residual access among the columns that end a row.
const residualColumn = 1

// rowsOf makes the rows of a person or another subject. Only the first row has the residual access, which can be long. The columns
// of says come last, since they are newer than others.
func rowsOf(who []string, list []review.Access, more int, end []string, says func(review.Access) []string) [][]string {
	var rows [][]string
	row := func(access []string, of review.Access) {
		rows = append(rows, slices.Concat(who, access, end, []string{timestamp(of.UnusedSince)}, says(of)))
		end = slices.Clone(end)
		end[residualColumn] = ""
	}
	for _, a := range list {
		row([]string{
			a.Kind, a.Role, scope(a.Namespace), throughText(a), a.Binding, string(a.Status), a.Strength.String(), strings.Join(a.Power, "; "),
			timestamp(a.Since), timestamp(a.Made), timestamp(a.Until),
		}, a)
	}
	switch none := make([]string, 11); {
	case more > 0:
		none[1] = fmt.Sprintf("and %d more", more)
		row(none, review.Access{})
	case len(list) == 0:
		row(none, review.Access{})
	}
	return rows
}

// says is what the inventory says of an access, or else of the person: when it begins, why, and whether it is protected.
func says(p review.Person, a review.Access) []string {
	why, reason, ticket := a.Why, "", ""
	if why == nil && (a.Through == review.Own || a.Through == "") {
		why = p.Why
	}
	if why != nil {
		reason, ticket = why.Reason, why.Ticket
	}
	if a.Through == review.Others {
		p.From = nil
	}
	protected := ""
	if p.Protected {
		protected = "true"
	}
	return []string{timestamp(latest(a.From, p.From)), reason, ticket, protected}
}

// latest is the later of two times that may not be.
func latest(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.After(*a) {
		return b
	}
	return a
}

func timestamp(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// formula begins a formula in spreadsheets, in wide characters too.
const formula = "=+-@\uff1d\uff0b\uff0d\uff20"

// cell is a text in quotes, so that no separator splits it. No spreadsheet takes it for a formula, and a terminal shows it as it is.
func cell(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
	if strings.IndexAny(text, formula) == 0 {
		text = "'" + text
	}
	return `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
}
