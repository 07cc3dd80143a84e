package review

import (
	"maps"
	"slices"

	"github.com/certsync/certsync/reconcile"
)

// Population says how the people and subjects of a review add up to what inventory, ledger, Vault and cluster hold.
type Population struct {
	Sums []Sum `json:"sums"`
}

// Sum is a number that was counted at its source, and the parts of it that were counted in the review.
type Sum struct {
	What  string `json:"what"`
	Total int    `json:"total"` // as counted at the source
	Parts []Part `json:"parts"`
}

// Part is one part of a Sum.
type Part struct {
	What  string `json:"what"`
	Count int    `json:"count"`
}

// Agrees reports whether the parts make the total.
func (s Sum) Agrees() bool {
	n := s.Total
	for _, p := range s.Parts {
		n -= p.Count
	}
	return n == 0
}

// Agrees reports whether every sum does.
func (p Population) Agrees() bool {
	return !slices.ContainsFunc(p.Sums, func(s Sum) bool { return !s.Agrees() })
}

// population counts at the sources, and in the review.
func (s survey) population(r Review) Population {
	count := func(is func(Person) bool) int {
		n := 0
		for _, p := range r.People {
			if is(p) {
				n++
			}
		}
		return n
	}
	both := func(total int, what string, has func(Person) bool) Sum {
		return Sum{what, total, []Part{
			{"users of the inventory", count(func(p Person) bool { return p.InInventory && has(p) })},
			{"people who are not in it", count(func(p Person) bool { return !p.InInventory && has(p) })},
		}}
	}
	_, recorded := s.Observed.Ledger, s.Observed.Credentials
	sums := []Sum{
		{"users of the inventory", len(s.Inventory.Users), []Part{
			{"who are to have access now", count(func(p Person) bool { return p.InInventory && !p.Gone() })},
			{"whose access has ended", count(func(p Person) bool { return p.InInventory && p.Gone() })},
		}},
		both(len(s.Observed.Ledger), "records in the ledger", func(p Person) bool { _, ok := s.Observed.Ledger[p.Name]; return ok }),
		both(len(recorded), "credentials in Vault", func(p Person) bool { _, ok := recorded[p.Name]; return ok }),
	}
	return Population{append(sums, s.bindingSum(r), s.subjectSum(r), total(r))}
}

// total is everybody in the review.
func total(r Review) Sum {
	sum := Sum{What: "people and subjects in this review", Total: len(r.People) + len(r.Others) + r.MoreOthers}
	in := 0
	for _, p := range r.People {
		if p.InInventory {
			in++
		}
	}
	sum.Parts = append([]Part{{"users of the inventory", in}, {"other people whom certsync knows", len(r.People) - in}}, byKind(r)...)
	return sum
}

// byKind counts subjects that are not certsync's.
func byKind(r Review) []Part {
	parts := []Part{{"users that are not certsync's", 0}, {"groups", 0}, {"powerful service accounts", 0}}
	for _, o := range r.Others {
		parts[slices.Index([]string{"User", "Group", "ServiceAccount"}, o.Kind)].Count++
	}
	if r.MoreOthers > 0 {
		parts = append(parts, Part{"of these kinds that are not listed", r.MoreOthers})
	}
	return parts
}

// bindingSum counts the bindings of the cluster.
func (s survey) bindingSum(r Review) Sum {
	shown := map[string]bool{}
	for _, p := range r.People {
		for _, a := range p.Access {
			if a.Gives() {
				shown[a.Binding] = true
			}
		}
	}
	for _, o := range r.Others {
		for _, a := range o.Access {
			shown[a.Binding] = true
		}
	}
	sum := Sum{What: "bindings in the cluster", Total: len(s.Observed.Bindings)}
	var ours, others, nobody int
	for _, b := range s.Observed.Bindings {
		_, own := s.Ours[b.Object()]
		switch {
		case !shown[reconcile.Shown(b.Object())]:
			nobody++
		case own:
			ours++
		default:
			others++
		}
	}
	sum.Parts = []Part{{"of certsync for this owner, in this review", ours}, {"of others, in this review", others},
		{"that serve nobody in this review, such as ordinary service accounts", nobody}}
	return sum
}

// subjectSum counts whom the bindings of the cluster name.
func (s survey) subjectSum(r Review) Sum {
	named := map[reconcile.Subject]bool{}
	for _, b := range s.Observed.Bindings {
		for _, subject := range b.Subjects {
			named[reconcile.Authorized(subject)] = true
		}
	}
	people := 0
	for _, p := range r.People {
		if named[reconcile.UserSubject(p.Username)] {
			people++
		}
	}
	parts := []Part{{"certsync's people, under their present names", people}}
	parts = append(parts, byKind(r)...)
	parts = append(parts, Part{"service accounts that are not powerful, and subjects that Kubernetes does not know", s.unlistedSubjects(named)})
	return Sum{"subjects that bindings name", len(named), parts}
}

// unlistedSubjects counts the subjects that a review leaves out, apart from the review: weak service accounts, subjects of another
// API group, and earlier names of people in certsync's own bindings.
func (s survey) unlistedSubjects(named map[reconcile.Subject]bool) int {
	bound, present := s.boundByOthers(), map[string]bool{}
	for _, name := range s.Known() {
		present[s.Username(name)] = true
	}
	for name := range s.Users {
		present[s.Username(name)] = true
	}
	n := 0
	for subject := range maps.Keys(named) {
		bindings := bound[subject]
		switch {
		case subject.Kind == "User" && present[subject.Name] && subject == reconcile.UserSubject(subject.Name):
		case len(bindings) == 0:
			n++
		case subject.Kind == "ServiceAccount":
			powerful := slices.ContainsFunc(bindings, func(b reconcile.Binding) bool { return len(s.RolePower(b.Role(), b.Namespace)) > 0 })
			if !powerful {
				n++
			}
		}
	}
	return n
}
