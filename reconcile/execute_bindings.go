package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// bind carries out one bind, unbind or update.
func (r *run) bind(ctx context.Context, s Step) (note string, err error) {
	w := *s.binding
	object, earlier := r.written(w.object)
	if earlier != nil {
		return "", heldBack{fmt.Errorf("an earlier write of it failed: %w", earlier)}
	}
	w.object = object
	if s.Action == Unbind && s.stage == stageRetire && s.Reasons[0] == RolesChanged && r.changeFailed(s) {
		return "", heldBack{errors.New("the binding that replaces it could not be made")}
	}
	if s.Action == Unbind {
		return "", r.wrote(w.object, Binding{}, r.Bindings.DeleteBinding(ctx, w.object))
	}
	subjects, left := r.arrived(w)
	if len(left) > 0 {
		note = "without " + strings.Join(left, ", ") + ", who got no credential"
	}
	if len(left) == len(w.waitsFor) && len(left) > 0 {
		return "", heldBack{fmt.Errorf("nobody to add: %s got no credential", strings.Join(left, ", "))}
	}
	var made Binding
	if s.Action == Bind {
		w.object.Subjects = subjects
		made, err = r.Bindings.CreateBinding(ctx, w.object)
	} else {
		made, err = r.Bindings.UpdateBinding(ctx, w.object, subjects)
	}
	return note, r.wrote(w.object, made, err)
}

// changeFailed reports whether a binding that the same user or group was to get in the same namespace was not made: a
// changed role is create-new, then delete-old.
func (r *run) changeFailed(old Step) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.at(stageChange), func(s Step) bool {
		return s.Action == Bind && s.User == old.User && s.Group == old.Group &&
			s.binding.object.Namespace == old.binding.object.Namespace && r.broken[s.Object] != nil
	})
}

// arrived returns the subjects to write, without the users whose credential did not come, and who these are.
func (r *run) arrived(w bindingWrite) (subjects []Subject, left []string) {
	for _, u := range w.waitsFor {
		if r.failure(u) != nil {
			left = append(left, u)
		}
	}
	subjects = slices.DeleteFunc(slices.Clone(w.subjects), func(s Subject) bool {
		return s == UserSubject(s.Name) && slices.Contains(left, s.Name)
	})
	return subjects, left
}

// written returns a binding as an earlier step of this run left it, so that its resourceVersion is the right
// precondition, or why that step failed.
func (r *run) written(b Binding) (Binding, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.broken[b.Object()]; err != nil {
		return b, err
	}
	if left, ok := r.objects[b.Object()]; ok && left.UID != "" {
		b.UID, b.ResourceVersion, b.Subjects = left.UID, left.ResourceVersion, left.Subjects
	}
	return b, nil
}

// wrote remembers how a write left a binding, and passes its error on.
func (r *run) wrote(b, made Binding, err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.broken[b.Object()] = err
		return err
	}
	r.objects[b.Object()] = made
	return nil
}
