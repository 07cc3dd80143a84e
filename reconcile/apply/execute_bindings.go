package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/certsync/certsync/reconcile"
)

// indexBindings fills ownBindings, replacements and naming.
func (r *run) indexBindings() {
	for _, s := range r.plan.Steps {
		if s.Leave != nil && s.Action == reconcile.Remove {
			r.naming[s.User] = nil
		}
	}
	for _, s := range r.plan.Steps {
		if s.Binding == nil {
			continue
		}
		if _, issues := r.ownBindings[s.User]; issues && s.Stage == reconcile.StageGrant {
			r.ownBindings[s.User] = append(r.ownBindings[s.User], s)
		}
		if s.Action == reconcile.Bind && s.Stage == reconcile.StageChange {
			r.replacements[s.Target()] = append(r.replacements[s.Target()], s)
		}
		for _, u := range s.Binding.Object.Subjects {
			user := u.Person()
			if _, leaves := r.naming[user]; leaves {
				r.naming[user] = append(r.naming[user], s)
			}
		}
	}
}

// bind carries out one bind, unbind or update.
func (r *run) bind(ctx context.Context, s reconcile.Step) (note string, err error) {
	w := *s.Binding
	object, earlier := r.written(w.Object)
	if earlier != nil {
		return "", notTried{fmt.Errorf("an earlier write of it failed: %w", earlier)}
	}
	w.Object = object
	if err := r.successorFailed(w.Successor); err != nil {
		if old := reconcile.UserSubject(s.Username); slices.Contains(w.Object.Subjects, old) {
			return "", r.leaveSubjects(ctx, w.Object, []reconcile.Subject{old}, err)
		}
	}
	if keep := r.withoutReplacement(s); len(keep) > 0 {
		return "", r.leaveSubjects(ctx, w.Object, keep, notTried{errors.New("the binding that replaces it could not be created")})
	}
	if s.Action == reconcile.Unbind {
		return "", r.unbind(ctx, w.Object)
	}
	subjects, left := r.arrived(w)
	if len(left) > 0 {
		note = "without " + strings.Join(left, ", ") + ", who got no credential"
	}
	if len(left) == len(w.WaitsFor) && len(left) > 0 {
		return "", notTried{fmt.Errorf("nobody to add: %s got no credential", strings.Join(left, ", "))}
	}
	switch {
	case len(subjects) == 0: // users of earlier batches were to stay, and got no credential
		return note, r.unbind(ctx, w.Object)
	case w.Anew && w.Object.Terminating: // no earlier step has made it anew
		if err := r.unbind(ctx, w.Object); err != nil {
			return note, err
		}
		return note, r.create(ctx, w.Object, subjects)
	case w.Object.UID == "":
		return note, r.create(ctx, w.Object, subjects)
	}
	made, err := r.Bindings.UpdateBinding(ctx, w.Object, subjects)
	if errors.Is(err, reconcile.ErrGone) && len(s.Lacking()) == 0 {
		err = nil // somebody deleted it meanwhile, and all that was to be taken out is
	}
	return note, r.wrote(w.Object, made, err)
}

// unbind deletes a binding, if it is there.
func (r *run) unbind(ctx context.Context, b reconcile.Binding) error {
	if b.UID == "" {
		return nil
	}
	return r.wrote(b, reconcile.Binding{}, r.Bindings.DeleteBinding(ctx, b))
}

// create makes a binding, under the name and with the role of one that is not there any more, or was never.
func (r *run) create(ctx context.Context, b reconcile.Binding, subjects []reconcile.Subject) error {
	made, err := r.Bindings.CreateBinding(ctx, reconcile.Binding{
		Kind: b.Kind, Namespace: b.Namespace, Name: b.Name, ManagedBy: reconcile.ManagedByValue, Owner: r.plan.Owner,
		RoleRef: b.RoleRef, Subjects: subjects,
	})
	return r.wrote(b, made, err)
}

// withoutReplacement lists the subjects of a binding that is to go for whom the binding in its place could not be made: a
// changed role is create-new, then delete-old. Subjects who leave, or were to get no other role, are not among them.
func (r *run) withoutReplacement(old reconcile.Step) []reconcile.Subject {
	if old.Action != reconcile.Unbind || old.Stage != reconcile.StageRetire || old.Reason == reconcile.UntilPassed {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var stay []reconcile.Subject
	for _, s := range r.replacements[old.Target()] {
		for _, subject := range s.Binding.Subjects {
			if s.Held != "" || r.lacks(s.Object(), subject) != nil {
				stay = append(stay, subject)
			}
		}
	}
	return slices.DeleteFunc(stay, func(s reconcile.Subject) bool { return !slices.Contains(old.Binding.Object.Subjects, s) })
}

// leaveSubjects leaves a binding that was to go to some of its subjects, and says why. Others go, since somebody else may have
// put them there.
func (r *run) leaveSubjects(ctx context.Context, b reconcile.Binding, subjects []reconcile.Subject, why error) error {
	if len(subjects) < len(b.Subjects) {
		made, err := r.Bindings.UpdateBinding(ctx, b, subjects)
		if err := r.wrote(b, made, err); err != nil {
			return err
		}
	}
	return why
}

// arrived returns the subjects to write, without the users whose credential did not come. It also returns those of them whom
// this write was to add.
func (r *run) arrived(w reconcile.BindingWrite) (subjects []reconcile.Subject, left []string) {
	without := func(u string) bool { return r.withoutCredential(u) != nil }
	left = slices.DeleteFunc(slices.Clone(w.WaitsFor), func(u string) bool { return !without(u) })
	all := slices.Concat(left, slices.DeleteFunc(slices.Clone(w.Waited), func(u string) bool { return !without(u) }))
	subjects = slices.DeleteFunc(slices.Clone(w.Subjects), func(s reconcile.Subject) bool {
		return slices.Contains(all, s.Person())
	})
	for _, u := range all {
		subjects = append(subjects, reconcile.UserSubjects(w.Swaps[u])...)
	}
	return subjects, left
}

// successorFailed holds back what the old name of somebody should lose who has no access under the new one yet.
func (p *progress) successorFailed(now string) error {
	if now == "" {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := cmp.Or(p.without[now], p.lacking[now]); err != nil {
		return notTried{fmt.Errorf("the new name of this user, %s, does not have all of the access yet", now)}
	}
	return nil
}

// written returns a binding as an earlier step of this run left it, so that its resourceVersion is the right
// precondition, or why that step failed. Without a UID it is not there.
func (p *progress) written(b reconcile.Binding) (reconcile.Binding, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.broken[b.Object()]; err != nil {
		return b, err
	}
	if left, ok := p.objects[b.Object()]; ok {
		b.UID, b.ResourceVersion, b.Subjects, b.ManagedBy, b.Owner = left.UID, left.ResourceVersion, left.Subjects, left.ManagedBy, left.Owner
		b.Terminating = left.Terminating
	}
	return b, nil
}

// wrote remembers how a write left a binding, and passes its error on. A binding of which admission made something else is
// there all the same, so later writes of it go on from what it is.
func (p *progress) wrote(b, made reconcile.Binding, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.altered, b.Object())
	switch usable := made.Object() == b.Object() && made.RoleRef == b.RoleRef; {
	case err == nil:
		p.objects[b.Object()] = made
	case usable && errors.Is(err, reconcile.ErrAltered):
		p.objects[b.Object()], p.altered[b.Object()] = made, err
	default:
		p.broken[b.Object()] = err
	}
	return err
}

// lacks returns why the last write of a binding did not leave a subject in it, or nil. The caller holds the lock.
func (p *progress) lacks(object string, s reconcile.Subject) error {
	err := p.altered[object]
	if err != nil && slices.Contains(p.objects[object].Subjects, s) {
		err = nil
	}
	return cmp.Or(p.broken[object], err)
}
