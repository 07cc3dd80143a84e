package reconcile

import (
	"context"
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
	w.object.Subjects = subjects
	write := r.Bindings.UpdateBinding
	if s.Action == Bind {
		write = r.Bindings.CreateBinding
	}
	made, err := write(ctx, w.object)
	return note, r.wrote(w.object, made, err)
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
		b.UID, b.ResourceVersion = left.UID, left.ResourceVersion
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
