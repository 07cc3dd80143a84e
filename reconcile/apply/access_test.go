package apply_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan"
)

// access is what one person may do somewhere, by one grant. It is worked out here from the inventory and from the
// bindings apart from Diff, to hold the one against the other.
type access struct {
	grant   reconcile.Grant // of part 0
	subject reconcile.Subject
}

// grantsExactly: after a run, bindings of ours give what the inventory grants and nothing else, but for what is held, and
// for new access of those who are held back.
func (s *scenario) grantsExactly(inv *inventory.Inventory, p reconcile.Plan) {
	s.T.Helper()
	s.grantsExactlyBut(inv, p, nil)
}

// grantsExactlyBut is grantsExactly for everybody but some.
func (s *scenario) grantsExactlyBut(inv *inventory.Inventory, p reconcile.Plan, but map[string]bool) {
	s.T.Helper()
	back, held, unreplaced := without(inv, p), map[reconcile.Grant]bool{}, map[reconcile.Grant]bool{}
	for _, step := range p.Held() {
		if g, ok := p.Grant(step); ok {
			g.Part = 0
			held[g] = true
			unreplaced[target(g)] = unreplaced[target(g)] || step.Action == reconcile.Bind // what that was to replace stays
		}
	}
	wanted, given := s.wanted(inv), s.given(held, back)
	for a, times := range given {
		// Who has another name now, and has not all access by that, keeps the old one.
		user, _ := reconcile.Person(a.subject.Name)
		if but[user] {
			continue
		}
		if !wanted[a] && !unreplaced[target(a.grant)] && !(back[user] && formerly(inv, user)) || times > 1 {
			s.fail("%+v is given %d times, and granted: %t", a, times, wanted[a])
		}
	}
	for a := range wanted {
		user, _ := reconcile.Person(a.subject.Name)
		closed := a.grant.Namespace != "" && !s.Spaces[a.grant.Namespace]
		if given[a] == 0 && !closed && !back[user] && !but[user] && !held[a.grant] {
			s.fail("%+v is granted, and not given", a)
		}
	}
}

// holdsExactly: in bindings of which something is held, nobody stays but those whom the plan says to stay.
func (s *scenario) holdsExactly(inv *inventory.Inventory, p reconcile.Plan) {
	s.T.Helper()
	stay, wanted := map[string][]string{}, s.wanted(inv)
	for _, step := range p.Held() {
		switch step.Action {
		case reconcile.Unbind:
			stay[step.Object()] = append(stay[step.Object()], reconcile.SubjectNames(step.Binding.Object.Subjects)...)
		case reconcile.Update:
			stay[step.Object()] = append(stay[step.Object()], step.Detail.Remove...)
		}
	}
	for object, who := range stay {
		b := s.Bindings[object]
		g, _ := reconcile.ParseBindingName("test", b.Namespace, b.Name)
		g.Part = 0
		for _, subject := range b.Subjects {
			if !wanted[access{g, subject}] && !slices.Contains(who, subject.String()) {
				s.fail("%s stays in %s, and nothing says so", subject, object)
			}
		}
	}
}

// formerly reports whether a name is one that somebody had before.
func formerly(inv *inventory.Inventory, name string) bool {
	return slices.ContainsFunc(inv.Users, func(u inventory.User) bool { return slices.Contains(u.Previously, name) })
}

// given counts how often each access is given by bindings of ours, but for those that are held.
func (s *scenario) given(held map[reconcile.Grant]bool, back map[string]bool) map[access]int {
	all := map[access]int{}
	for _, b := range s.Bindings {
		g, _ := reconcile.ParseBindingName("test", b.Namespace, b.Name)
		if g.Part = 0; !ours(b) || held[g] {
			continue
		}
		if len(b.Subjects) == 0 && !back[g.Subject] || b.RoleRef != g.RoleRef() {
			s.fail("after the run there is %+v", b)
		}
		for _, subject := range b.Subjects {
			all[access{g, subject}]++
		}
	}
	return all
}

// subject is whom bindings name for a user: by the epoch that the index has.
func (s *scenario) subject(user string) reconcile.Subject {
	epoch := int64(reconcile.FirstEpoch)
	if s.State != nil {
		epoch = s.State.Names[user].Epoch
	}
	return reconcile.UserSubject(reconcile.Username(user, epoch))
}

// wanted is all access that an inventory grants now.
func (s *scenario) wanted(inv *inventory.Inventory) map[access]bool {
	all := map[access]bool{}
	add := func(g reconcile.Grant, user string, cluster []inventory.Grant, namespaces map[string][]inventory.Grant, byLabel []inventory.Selection) {
		everywhere := s.named(namespaces, byLabel)
		everywhere[""] = cluster
		for g.Namespace = range everywhere {
			for _, r := range everywhere[g.Namespace] {
				if runs(r.From, r.Until, s.Now) {
					all[access{g.Of(r), s.subject(user)}] = true
				}
			}
		}
	}
	for _, u := range inv.Users {
		if !runs(u.From, u.Until, s.Now) {
			continue
		}
		add(reconcile.Grant{For: reconcile.ForUser, Subject: u.Name}, u.Name, u.ClusterRoles, u.Namespaces, u.ByLabel)
		for _, g := range inv.Groups {
			if slices.Contains(u.Groups, g.Name) {
				add(reconcile.Grant{For: reconcile.ForGroup, Subject: g.Name}, u.Name, g.ClusterRoles, g.Namespaces, g.ByLabel)
			}
		}
	}
	return all
}

// named is what is granted in each namespace, by its name and by its labels.
func (s *scenario) named(namespaces map[string][]inventory.Grant, byLabel []inventory.Selection) map[string][]inventory.Grant {
	all := map[string][]inventory.Grant{}
	for name, grants := range namespaces {
		all[name] = slices.Clone(grants)
	}
	for _, selection := range byLabel {
		for name := range s.Spaces {
			if team := selection.Selector.Labels["team"]; s.Labels[name]["team"] == team {
				all[name] = append(all[name], selection.Grants...)
			}
		}
	}
	return all
}

// relabel changes the label of a namespace. That is no decision of the inventory, and tenants may not do it.
func (s *scenario) relabel(namespace string) {
	relabel(s.World, namespace)
	s.tell("namespace %s has label team=%s", namespace, s.Labels[namespace]["team"])
}

// runs reports whether a term has begun and not ended.
func runs(from, until, now time.Time) bool { return !from.After(now) && lasts(until, now) }

func lasts(until, now time.Time) bool { return until.IsZero() || until.After(now) }

// without lists the users who a plan keeps from something: those held back, those whose access ends too soon for a
// certificate, those whose request was denied, and whom they were before.
func without(inv *inventory.Inventory, p reconcile.Plan) map[string]bool {
	names := map[string]bool{}
	for _, step := range p.Held() {
		if step.User != "" {
			names[step.User] = true
		}
	}
	for _, step := range p.Steps {
		if step.Leave != nil && step.Leave.Foreign {
			names[step.User] = true // what somebody else wrote is left to people
		}
	}
	for _, n := range p.Notes {
		if n.Kind == reconcile.TooShort || n.Kind == reconcile.RequestDenied {
			names[n.User] = true
		}
	}
	for _, u := range inv.Users {
		for _, old := range u.Previously {
			names[old] = names[old] || names[u.Name]
		}
	}
	return names
}

// storesExactly: after a run, Vault holds one readable credential for everybody who has access and for nobody else, the
// ledger accounts for it, and every record reads as it was written.
func (s *scenario) storesExactly(inv *inventory.Inventory, p reconcile.Plan) {
	s.T.Helper()
	back, active := without(inv, p), map[string]bool{}
	for _, u := range inv.Users {
		active[u.Name] = runs(u.From, u.Until, s.Now)
		if active[u.Name] && !back[u.Name] {
			s.holdsGoodCredential(u, p)
		}
	}
	for name := range s.Users {
		if !active[name] && !back[name] {
			s.fail("users/%s is still there", name)
		}
	}
	for name, entry := range s.Ledger {
		rec := entry.Versions[entry.Current].Record
		if back[name] || rec == nil {
			continue
		}
		if !active[name] && (rec.Current() != nil || rec.State != reconcile.Removed) {
			s.fail("%s left, and ledger/%s is %+v", name, name, rec)
		}
		text, err := json.Marshal(rec)
		if err != nil {
			s.fail("%v", err)
		}
		again, err := reconcile.ParseRecord(name, text)
		if err != nil {
			s.fail("ledger/%s: %v", name, err)
		}
		if diff := cmp.Diff(rec, again); diff != "" {
			s.fail("ledger/%s reads as something else: %s", name, diff)
		}
	}
}

func (s *scenario) holdsGoodCredential(u inventory.User, p reconcile.Plan) {
	s.T.Helper()
	stored, entry := s.Users[u.Name], s.Ledger[u.Name]
	if stored == nil || entry == nil {
		s.fail("%s has no credential or no record", u.Name)
	}
	for n, v := range stored.Versions {
		if n != stored.Current && !v.Destroyed {
			s.fail("version %d of users/%s can still be read", n, u.Name)
		}
	}
	credential, rec := stored.Versions[stored.Current].Credential, entry.Versions[entry.Current].Record
	if credential == nil || rec == nil || rec.State != reconcile.Active {
		s.fail("users/%s is %+v, ledger/%s is %+v", u.Name, credential, u.Name, rec)
	}
	current := rec.Current()
	switch {
	case current == nil || current.CredentialVersion != stored.Current || !bytes.Equal([]byte(current.Certificate), credential.Certificate):
		s.fail("the ledger does not say that users/%s holds the current certificate: %+v", u.Name, rec)
	case !slices.Equal(current.Groups, reconcile.SortedSet(u.Groups)):
		s.fail("the certificate of %s carries groups %q", u.Name, current.Groups)
	case !lasts(current.NotAfter, s.Now) && lasts(u.Until, s.Now.Add(plan.MinLifetime)):
		s.fail("the certificate of %s has expired at %s", u.Name, current.NotAfter)
	case !u.Until.IsZero() && current.NotAfter.After(u.Until) && slices.ContainsFunc(p.Steps, func(step reconcile.Step) bool { return step.Issue != nil && step.User == u.Name }):
		s.fail("the certificate of %s outlives the access, until %s", u.Name, current.NotAfter)
	}
}
