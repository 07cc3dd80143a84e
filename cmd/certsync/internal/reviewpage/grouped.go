package reviewpage

import (
	"cmp"
	"slices"

	"github.com/certsync/certsync/reconcile/review"
)

// row is one access with all people who share the same change or use of it. A group of 500 makes one row.
type row struct {
	review.Access
	Kind     string // Person, or the kind of an Other
	By       review.Cause
	Run      string
	Revision string
	Names    []string // at most maxNamed of them
	More     int
	Of       int // how many people have the access; the people in Names and More did not use it
}

// Count is how many people share the row.
func (r row) Count() int { return len(r.Names) + r.More }

type rows struct {
	all   map[any]*row
	order []any
}

// add adds a person to the row of an access.
func (r *rows) add(like row, name string) *row {
	a := like.Access
	binding := a.Binding
	if a.Through != review.Others {
		binding = "" // parts of a group's binding, and people's own ones
	}
	key := [...]any{like.Kind, like.By, like.Run, a.Strength, a.Kind, a.Role, a.Namespace, a.Through, a.Group, binding}
	if r.all == nil {
		r.all = map[any]*row{}
	}
	of := r.all[key]
	if of == nil {
		of = &like
		r.all[key] = of
		r.order = append(r.order, key)
	}
	if name == "" {
		return of
	}
	if len(of.Names) < maxNamed {
		of.Names = append(of.Names, name)
	} else {
		of.More++
	}
	return of
}

func (r *rows) list() []row {
	var all []row
	for _, key := range r.order {
		all = append(all, *r.all[key])
	}
	return all
}

// unusedOf lists unused access, the strongest first, and access that none of its holders used before access that some did.
func unusedOf(r review.Review) []row {
	var some rows
	for _, p := range r.People {
		for _, a := range p.Access {
			switch {
			case p.Gone || !a.Gives():
			case a.UnusedSince != nil:
				some.add(row{Access: a, Kind: "Person"}, p.Name).Of++
			default:
				some.add(row{Access: a, Kind: "Person"}, "").Of++
			}
		}
	}
	all := slices.DeleteFunc(some.list(), func(r row) bool { return r.Count() == 0 })
	partly := func(r row) int { return min(r.Of-r.Count(), 1) }
	slices.SortStableFunc(all, func(a, b row) int {
		return cmp.Or(cmp.Compare(b.Strength, a.Strength), cmp.Compare(partly(a), partly(b)))
	})
	return all
}

// changedRows joins the same change of many people.
func changedRows(list []review.Change) []row {
	var all rows
	for _, c := range list {
		name := c.Name
		if c.Namespace != "" {
			name = c.Namespace + "/" + name
		}
		all.add(row{Access: c.Access, Kind: c.Kind, By: c.By, Run: c.Run, Revision: c.Revision}, name)
	}
	return all.list()
}
