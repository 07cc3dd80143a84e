package reviewpage

import (
	"bytes"
	"encoding/csv"
	"strconv"
	"strings"
	"time"

	"github.com/certsync/certsync/reconcile/review"
)

// columns are the columns of the table.
var columns = []string{
	"kind", "name", "team", "in inventory", "state", "groups", "role kind", "role", "scope", "through", "binding", "status", "strength",
	"as good as cluster-admin", "since at least", "binding made", "until", "certificate until", "residual access", "left", "left by run", "left by commit", "unused",
}

// CSV writes a review as a table, with a row for each access of everybody in it. Somebody without access has one row too.
func CSV(r review.Review) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{columns}
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
		end := []string{timestamp(p.CertificateUntil), strings.Join(residual, "; "), left[0], left[1], left[2]}
		rows = append(rows, rowsOf(who, p.Access, end)...)
	}
	for _, o := range r.Others {
		name := o.Name
		if o.Namespace != "" {
			name = o.Namespace + "/" + o.Name
		}
		rows = append(rows, rowsOf([]string{o.Kind, name, "", "false", "", ""}, o.Access, []string{"", "", "", "", ""})...)
	}
	for _, row := range rows {
		for i := range row {
			row[i] = cell(row[i])
		}
	}
	if err := w.WriteAll(rows); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func rowsOf(who []string, list []review.Access, end []string) [][]string {
	row := func(access []string, unused string) []string {
		all := append(append([]string{}, who...), access...)
		return append(append(all, end...), unused)
	}
	if len(list) == 0 {
		return [][]string{row(make([]string, 11), "")}
	}
	var rows [][]string
	for _, a := range list {
		unused := ""
		if a.Unused {
			unused = "true"
		}
		rows = append(rows, row([]string{
			a.Kind, a.Role, scope(a.Namespace), throughText(a), a.Binding, string(a.Status), a.Strength.String(), strings.Join(a.Power, "; "),
			timestamp(a.Since), timestamp(a.Made), timestamp(a.Until),
		}, unused))
	}
	return rows
}

func timestamp(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// cell is a text that no spreadsheet takes for a formula.
func cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n", rune(text[0])) {
		return "'" + text
	}
	return text
}
