package reviewpage

import (
	"cmp"
	"slices"
	"strings"

	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/review"
)

// matrix shows the strength of each person's access by namespace. People with the same access share a row: 5,000 people make few rows.
type matrix struct {
	Scopes []string // "" is cluster-wide, and comes first
	Rows   []matrixRow
}

type matrixRow struct {
	People []string // at most maxInRow of them
	More   int
	Filter string
	Cells  []matrixCell // by scope
}

// Count is how many people share the row.
func (r matrixRow) Count() int { return len(r.People) + r.More }

type matrixCell struct {
	Strength access.Strength
	Roles    string
}

// maxInRow is how many people a row of the matrix names, and maxNamed how many another one does.
const (
	maxInRow = 4
	maxNamed = 12
)

// matrixOf shows the access that people have now, the strongest first.
func matrixOf(r review.Review) matrix {
	scopes := map[string]bool{"": true}
	for _, p := range r.People {
		for _, a := range p.Access {
			if a.Gives() {
				scopes[a.Namespace] = true
			}
		}
	}
	m := matrix{}
	for s := range scopes {
		m.Scopes = append(m.Scopes, s)
	}
	slices.Sort(m.Scopes)
	rows := map[string]*matrixRow{}
	var order []string
	for _, p := range r.People {
		cells, some := cellsOf(p, m.Scopes)
		if !some {
			continue
		}
		var key strings.Builder
		for _, c := range cells {
			key.WriteString(c.Roles + "\x00")
		}
		row := rows[key.String()]
		if row == nil {
			row = &matrixRow{Cells: cells}
			rows[key.String()] = row
			order = append(order, key.String())
		}
		if row.Filter += " " + strings.ToLower(p.Name+" "+p.Team+" "+strings.Join(p.Groups, " ")); len(row.People) < maxInRow {
			row.People = append(row.People, p.Name)
		} else {
			row.More++
		}
	}
	for _, key := range order {
		m.Rows = append(m.Rows, *rows[key])
	}
	slices.SortStableFunc(m.Rows, func(a, b matrixRow) int {
		return slices.CompareFunc(b.Cells, a.Cells, func(b, a matrixCell) int { return cmp.Compare(b.Strength, a.Strength) })
	})
	return m
}

// cellsOf returns a person's access in each scope. some is false if there is none.
func cellsOf(p review.Person, scopes []string) (cells []matrixCell, some bool) {
	cells = make([]matrixCell, len(scopes))
	roles := make([][]string, len(scopes))
	for _, a := range p.Access {
		if !a.Gives() {
			continue
		}
		i, _ := slices.BinarySearch(scopes, a.Namespace)
		cells[i].Strength = max(cells[i].Strength, a.Strength)
		if text := roleText(a); !slices.Contains(roles[i], text) {
			roles[i] = append(roles[i], text)
		}
		some = true
	}
	for i := range cells {
		slices.Sort(roles[i])
		cells[i].Roles = strings.Join(roles[i], ", ")
	}
	return cells, some
}
