package reconcile

import "slices"

// Lacking lists who does not get what they should have if a step is not carried out.
func (s Step) Lacking() []Subject {
	if s.Action != Bind && s.Action != Update {
		return nil
	}
	if s.HeldBy == ByConflict && s.Binding.Object.Namespace != "" {
		return nil // whoever is admin of the namespace could keep the old name of somebody there, and everywhere else
	}
	if s.HeldBy == ByConflict || s.Binding.Anew { // which may have been deleted, and not made
		return slices.Clone(s.Binding.Subjects)
	}
	if slices.Equal(s.Binding.Subjects, s.Binding.Object.Subjects) {
		return nil // thousands of steps that are held have a thousand subjects each
	}
	had := map[Subject]bool{}
	for _, u := range s.Binding.Object.Subjects {
		had[u] = true
	}
	return slices.DeleteFunc(slices.Clone(s.Binding.Subjects), func(u Subject) bool { return had[u] })
}

// Target is for whom a step on a binding is, and where, whatever the role.
func (s Step) Target() Grant {
	g := Grant{For: ForUser, Subject: s.User, Namespace: s.Binding.Object.Namespace}
	if s.Group != "" {
		g.For, g.Subject = ForGroup, s.Group
	}
	return g
}

// ForGrant says for whom a step on a binding is.
func (s Step) ForGrant(g Grant) Step {
	if g.For == ForGroup {
		s.Group = g.Subject
	} else {
		s.User = g.Subject
	}
	return s
}

// Gives reports whether a step gives a role: it makes a binding, adds subjects to one, or makes one certsync's with the
// subjects that somebody else has put there.
func (s Step) Gives() bool {
	return s.Action == Bind || s.Action == Update && (s.Binding.Adopt || s.Detail != nil && len(s.Detail.Add) > 0)
}

// bindingVerbs lists what a bind, unbind or update takes. A finalizer that holds up a deletion is taken out by a patch.
func (s Step) bindingVerbs() []string {
	switch {
	case s.Action == Bind:
		return []string{"create"}
	case s.Binding.Anew:
		return []string{"delete", "patch", "create"}
	case s.Action == Unbind && s.Binding.Object.Terminating:
		return []string{"delete", "patch"}
	case s.Action == Unbind:
		return []string{"delete"}
	}
	return []string{"patch"}
}
