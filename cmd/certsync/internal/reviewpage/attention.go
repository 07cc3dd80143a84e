package reviewpage

import (
	"cmp"
	"slices"
	"time"

	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/review"
)

// soonDays is how many days ahead an end is soon.
const soonDays = 30

// powerful is one access that makes somebody as good as cluster-admin.
type powerful struct {
	Kind, Namespace, Name string // Person, or the kind of an Other
	Everybody, Kubernetes bool
	review.Access
}

// powerfulOf lists powerful access: of everybody, of people, of others, and of Kubernetes itself.
func powerfulOf(r review.Review) []powerful {
	var all []powerful
	add := func(like powerful, list []review.Access) {
		for _, a := range list {
			if a.Gives() && len(a.Power) > 0 {
				like.Access = a
				all = append(all, like)
			}
		}
	}
	for _, p := range r.People {
		add(powerful{Kind: "Person", Name: p.Name}, p.Access)
	}
	for _, o := range r.Others {
		add(powerful{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, Everybody: o.Everybody && !o.Kubernetes, Kubernetes: o.Kubernetes}, o.Access)
	}
	rank := func(p powerful) int {
		switch {
		case p.Everybody:
			return 0
		case p.Kind == "Person":
			return 1
		case p.Kubernetes:
			return 3
		}
		return 2
	}
	slices.SortStableFunc(all, func(a, b powerful) int { return cmp.Compare(rank(a), rank(b)) })
	return all
}

// leaver is a person who should have no access, but whose certificate or access remains.
type leaver struct {
	review.Person
	Residual []access.Given
	Until    *time.Time // of the last certificate, as far as it is known
	Unknown  bool       // the ledger record is lost or unreadable
	Bound    int        // bindings of certsync's that still serve them
}

// leaversOf lists people who left: first those with residual access, then those with valid certificates, then the others.
func leaversOf(r review.Review) []leaver {
	var all []leaver
	for _, p := range r.People {
		if !p.Gone || p.Waits() {
			continue
		}
		l := leaver{Person: p, Residual: p.Residual(), Until: p.MayLiveUntil, Unknown: p.MayLiveUntil != nil}
		for _, c := range p.Certificates {
			if l.Until == nil || c.NotAfter.After(*l.Until) {
				l.Until = &c.NotAfter
			}
		}
		for _, a := range p.Access {
			if a.Gives() && a.Through != review.Others {
				l.Bound++
			}
		}
		all = append(all, l)
	}
	rank := func(l leaver) int {
		switch {
		case l.Bound > 0 || len(l.Residual) > 0 || l.Unknown:
			return 0
		case l.Until != nil:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(all, func(a, b leaver) int { return cmp.Compare(rank(a), rank(b)) })
	return all
}

// ending is access that ends soon, by the inventory.
type ending struct {
	Name string
	What string
	At   time.Time
}

// endingsOf lists the ends within soonDays, the next one first.
func endingsOf(r review.Review) []ending {
	var all []ending
	add := func(name, what string, at *time.Time) {
		if at != nil && at.After(r.At) && at.Before(r.At.AddDate(0, 0, soonDays)) {
			all = append(all, ending{name, what, *at})
		}
	}
	for _, p := range r.People {
		if p.Gone {
			continue
		}
		add(p.Name, "all access", p.Until)
		for _, a := range p.Access {
			if a.Through != review.Others {
				add(p.Name, roleText(a)+", "+scope(a.Namespace), a.Until)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b ending) int { return a.At.Compare(b.At) })
	return all
}

// bucket is a part of the timeline: a day, or a month.
type bucket struct {
	Label        string
	Certificates int // current ones that expire
	Ends         int // of users or grants, by the inventory
	Names        []string
}

// nearDays is how many days the timeline shows one by one.
const nearDays = 14

// timelineOf counts certificates and access by the time when they end: first by day, then by month.
func timelineOf(r review.Review) []bucket {
	near := r.At.AddDate(0, 0, nearDays)
	byLabel := map[string]*bucket{}
	add := func(at *time.Time, name string, certificate bool) {
		if at == nil || !at.After(r.At) {
			return
		}
		label := at.UTC().Format("2006-01")
		if at.Before(near) {
			label = at.UTC().Format(time.DateOnly)
		}
		b := byLabel[label]
		if b == nil {
			b = &bucket{Label: label}
			byLabel[label] = b
		}
		if certificate {
			b.Certificates++
			return
		}
		if b.Ends++; len(b.Names) < 10 && !slices.Contains(b.Names, name) {
			b.Names = append(b.Names, name)
		}
	}
	for _, p := range r.People {
		add(p.CertificateUntil, p.Name, true)
		add(lastMoment(p.Until), p.Name, false)
		for _, a := range p.Access {
			if a.Through != review.Others {
				add(lastMoment(a.Until), p.Name, false)
			}
		}
	}
	var all []bucket
	for _, b := range byLabel {
		all = append(all, *b)
	}
	// A month's own days come before the rest of the month.
	slices.SortFunc(all, func(a, b bucket) int { return cmp.Compare(padded(a.Label), padded(b.Label)) })
	return all
}

// lastMoment is the last moment of access that ends at a time: an inventory names the last day.
func lastMoment(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	last := t.Add(-time.Nanosecond)
	return &last
}

func padded(label string) string {
	if len(label) == len("2006-01") {
		return label + "-99"
	}
	return label
}
