package review

import (
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

// population counts at the sources, and in the review. Anything that is neither in the review nor left out for a reason that is
// counted apart is in no part, so that the sum does not agree.
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
	both := func(total int, what string, has func(name string) bool) Sum {
		return Sum{what, total, []Part{
			{"users of the inventory", count(func(p Person) bool { return p.InInventory && has(p.Name) })},
			{"people who are not in it", count(func(p Person) bool { return !p.InInventory && has(p.Name) })},
		}}
	}
	ledger, credentials := s.Observed.Ledger, s.Observed.Credentials
	return Population{[]Sum{
		{"users of the inventory", len(s.Inventory.Users), []Part{
			{"who are to have access now", count(func(p Person) bool { return p.InInventory && !p.Gone })},
			{"whose access has ended", count(func(p Person) bool { return p.InInventory && p.Gone })},
		}},
		both(len(ledger), "records in the ledger", func(name string) bool { _, has := ledger[name]; return has }),
		both(len(credentials), "credentials in Vault", func(name string) bool { _, has := credentials[name]; return has }),
		s.bindingSum(r), s.subjectSum(r), total(r),
	}}
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
	n := map[string]int{}
	for _, o := range r.Others {
		n[o.Kind]++
	}
	parts := []Part{{"users that are not certsync's", n["User"]}, {"groups", n["Group"]}, {"powerful service accounts", n["ServiceAccount"]}}
	if r.MoreOthers > 0 {
		parts = append(parts, Part{"subjects bound in namespaces only, which are over the limit of a namespace", r.MoreOthers})
	}
	return parts
}

// listed has the subjects that are in a review.
type listed struct {
	people, subjects map[reconcile.Subject]bool
}

func (s survey) listed(r Review) listed {
	l := listed{map[reconcile.Subject]bool{}, map[reconcile.Subject]bool{}}
	for _, p := range r.People {
		l.people[reconcile.UserSubject(p.Username)] = true
	}
	for _, o := range r.Others {
		subject := reconcile.Subject{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}
		if o.Kind != "ServiceAccount" {
			subject.APIGroup = reconcile.RBACGroup
		}
		l.subjects[subject] = true
	}
	return l
}

// shown is a subject as a review has it.
func shown(s reconcile.Subject) reconcile.Subject {
	s = reconcile.Authorized(s)
	s.Name, s.Namespace = reconcile.Shown(s.Name), reconcile.Shown(s.Namespace)
	return s
}

// weak reports whether a subject is one that a review leaves out: a service account that is not powerful, or one that no binding
// serves.
func (s survey) weak(subject reconcile.Subject, powerful map[reconcile.Subject]bool) bool {
	return !served(subject) || subject.Kind == "ServiceAccount" && !powerful[reconcile.Authorized(subject)]
}

// powerfulAccounts has the service accounts that some binding makes as good as cluster-admin.
func (s survey) powerfulAccounts() map[reconcile.Subject]bool {
	all := map[reconcile.Subject]bool{}
	for _, b := range s.Observed.Bindings {
		for _, subject := range b.Subjects {
			if subject.Kind == "ServiceAccount" && len(s.RolePower(b.Role(), b.Namespace)) > 0 {
				all[reconcile.Authorized(subject)] = true
			}
		}
	}
	return all
}

// bindingSum counts the bindings of the cluster, each by whom it serves.
func (s survey) bindingSum(r Review) Sum {
	in, powerful := s.listed(r), s.powerfulAccounts()
	sum := Sum{What: "bindings in the cluster", Total: len(s.Observed.Bindings), Parts: []Part{
		{"of certsync for this owner", 0}, {"of others, which serve somebody in this review", 0}, {"that serve ordinary service accounts or nobody", 0},
	}}
	if r.MoreOthers > 0 {
		sum.Parts = append(sum.Parts, Part{"that serve subjects over the limit of a namespace only", 0})
	}
	for _, b := range s.Observed.Bindings {
		_, ours := s.Ours[b.Object()]
		serves := slices.ContainsFunc(b.Subjects, func(subject reconcile.Subject) bool { return in.people[shown(subject)] || in.subjects[shown(subject)] })
		weak := !slices.ContainsFunc(b.Subjects, func(subject reconcile.Subject) bool { return !s.weak(subject, powerful) })
		switch {
		case ours:
			sum.Parts[0].Count++
		case serves:
			sum.Parts[1].Count++
		case weak:
			sum.Parts[2].Count++
		case r.MoreOthers > 0 && b.Namespace != "":
			sum.Parts[3].Count++
		}
	}
	return sum
}

// subjectSum counts whom the bindings of the cluster name.
func (s survey) subjectSum(r Review) Sum {
	in, powerful, known := s.listed(r), s.powerfulAccounts(), map[string]bool{}
	for _, p := range r.People {
		known[p.Name] = true
	}
	named, ours := map[reconcile.Subject]bool{}, map[reconcile.Subject]bool{}
	for _, b := range s.Observed.Bindings {
		_, own := s.Ours[b.Object()]
		for _, subject := range b.Subjects {
			named[shown(subject)] = true
			if own {
				ours[shown(subject)] = true
			}
		}
	}
	people, others, earlier, weak := 0, 0, 0, 0
	for subject := range named {
		switch {
		case in.people[subject]:
			people++
		case in.subjects[subject]:
			others++
		case s.weak(subject, powerful):
			weak++
		case ours[subject] && known[subject.Person()]:
			earlier++
		}
	}
	return Sum{"subjects that bindings name", len(named), []Part{
		{"certsync's people, under their present names", people}, {"certsync's people under earlier names, in certsync's bindings", earlier},
		{"users, groups and powerful service accounts that are not certsync's", others}, {"over the limit of a namespace", r.MoreOthers},
		{"service accounts that are not powerful, and subjects that no binding serves", weak},
	}}
}
