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

// indexBindings fills replacements and naming.
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
		return "", r.leaveSubjects(ctx, w.Object, keep, notTried{errors.New("the binding that replaces it could not be made")})
	}
	if s.Action == reconcile.Unbind {
		return "", r.wrote(w.Object, reconcile.Binding{}, r.Bindings.DeleteBinding(ctx, w.Object))
	}
	subjects, left := r.arrived(w)
	if len(left) > 0 {
		note = "without " + strings.Join(left, ", ") + ", who got no credential"
	}
	if len(left) == len(w.WaitsFor) && len(left) > 0 {
		return "", notTried{fmt.Errorf("nobody to add: %s got no credential", strings.Join(left, ", "))}
	}
	if w.Anew && w.Object.Terminating { // no earlier step has made it anew
		return note, r.remake(ctx, w.Object, subjects)
	}
	var made reconcile.Binding
	if s.Action == reconcile.Bind {
		w.Object.Subjects = subjects
		made, err = r.Bindings.CreateBinding(ctx, w.Object)
	} else {
		made, err = r.Bindings.UpdateBinding(ctx, w.Object, subjects)
		if errors.Is(err, reconcile.ErrGone) && len(s.Lacking()) == 0 {
			err = nil // somebody deleted it meanwhile, and all that was to be taken out is
		}
	}
	return note, r.wrote(w.Object, made, err)
}

// remake finishes the deletion of a binding that a finalizer keeps, and makes it anew.
func (r *run) remake(ctx context.Context, old reconcile.Binding, subjects []reconcile.Subject) error {
	if err := r.Bindings.DeleteBinding(ctx, old); err != nil {
		return r.wrote(old, reconcile.Binding{}, err)
	}
	made, err := r.Bindings.CreateBinding(ctx, reconcile.Binding{
		Kind: old.Kind, Namespace: old.Namespace, Name: old.Name, ManagedBy: reconcile.ManagedByValue, Owner: r.plan.Owner,
		RoleRef: old.RoleRef, Subjects: subjects,
	})
	return r.wrote(old, made, err)
}

// withoutReplacement lists the subjects of a binding that is to go for whom the binding in its place could not be made: a
// changed role is create-new, then delete-old. Who was to get no other role, or leaves, is not among them.
func (r *run) withoutReplacement(old reconcile.Step) []reconcile.Subject {
	if old.Action != reconcile.Unbind || old.Stage != reconcile.StageRetire || old.Reason == reconcile.UntilPassed {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var stay []reconcile.Subject
	for _, s := range r.replacements[old.Target()] {
		if s.Held != "" || r.broken[s.Object()] != nil {
			stay = append(stay, s.Binding.Subjects...)
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

// arrived returns the subjects to write, without the users whose credential did not come, and who these are.
func (r *run) arrived(w reconcile.BindingWrite) (subjects []reconcile.Subject, left []string) {
	for _, u := range w.WaitsFor {
		if r.withoutCredential(u) != nil {
			left = append(left, u)
		}
	}
	subjects = slices.DeleteFunc(slices.Clone(w.Subjects), func(s reconcile.Subject) bool {
		return slices.Contains(left, s.Person())
	})
	for _, u := range left {
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
		return notTried{fmt.Errorf("%s, who had this name before, has not all of the access yet", now)}
	}
	return nil
}

// written returns a binding as an earlier step of this run left it, so that its resourceVersion is the right
// precondition, or why that step failed.
func (p *progress) written(b reconcile.Binding) (reconcile.Binding, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.broken[b.Object()]; err != nil {
		return b, err
	}
	if left, ok := p.objects[b.Object()]; ok && left.UID != "" {
		b.UID, b.ResourceVersion, b.Subjects, b.ManagedBy, b.Owner = left.UID, left.ResourceVersion, left.Subjects, left.ManagedBy, left.Owner
		b.Terminating = left.Terminating
	}
	return b, nil
}

// wrote remembers how a write left a binding, and passes its error on.
func (p *progress) wrote(b, made reconcile.Binding, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.broken[b.Object()] = err
		return err
	}
	p.objects[b.Object()] = made
	return nil
}
