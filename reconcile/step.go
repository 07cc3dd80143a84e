package reconcile

import "slices"

// OwnVersions lists the versions of a credential that are certsync's and not destroyed, where the current one is not.
func (l *Leaving) OwnVersions() []int {
	var own []int
	for _, v := range l.Credential.Versions {
		if !v.Destroyed && l.Record.Knows(v.Version) {
			own = append(own, v.Version)
		}
	}
	return own
}

// Lacking lists who does not get what they should have if a step is not carried out.
func (s Step) Lacking() []Subject {
	if s.Binding == nil || s.Action == Unbind {
		return nil
	}
	if s.Binding.Anew { // which may have been deleted, and not made
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

// Issues reports whether a step gets a certificate.
func (s Step) Issues() bool { return s.Action == Issue || s.Action == Renew || s.Action == Reissue }

// On returns s as a step on a binding that is for g's user, whom Kubernetes knows as username, or for g's group.
func (s Step) On(g Grant, username string, w BindingWrite) Step {
	if g.For == ForGroup {
		s.Group = g.Subject
	} else {
		s.User, s.Username = g.Subject, username
	}
	s.Binding = &w
	s.Kind, s.Namespace, s.Name, s.Role, s.RoleKind = w.Object.Kind, w.Object.Namespace, w.Object.Name, g.Role, g.RoleKind
	return s
}

// Object names the binding that a step writes, as events do; "" for a step that writes none.
func (s Step) Object() string {
	if s.Kind == "" {
		return ""
	}
	return objectName(s.Kind, s.Namespace, s.Name)
}

// Target is for whom a step on a binding is, and where, whatever the role.
func (s Step) Target() Grant {
	g := Grant{For: ForUser, Subject: s.User, Namespace: s.Binding.Object.Namespace}
	if s.Group != "" {
		g.For, g.Subject = ForGroup, s.Group
	}
	return g
}

// Bound is the role that the binding of a step has or gets.
func (s Step) Bound() Role {
	return Grant{Namespace: s.Namespace, RoleKind: s.RoleKind, Role: s.Role}.Bound()
}

// Gives reports whether a step gives a role: it makes a binding, or adds subjects to one.
func (s Step) Gives() bool {
	return s.Action == Bind || s.Action == Update && s.Detail != nil && len(s.Detail.Add) > 0
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
