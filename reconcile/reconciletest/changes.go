package reconciletest

import "github.com/certsync/certsync/reconcile"

func (w *World) Plant(b reconcile.Binding) {
	b.UID, b.ResourceVersion = w.Next(), w.Next()
	w.Bindings[b.Object()] = b
}

// MarkCurrent puts something else in place of the current version, without a new one.
func (w *World) MarkCurrent(s *Secret, v KVVersion) { s.Versions[s.Current] = &v }

// Terminate deletes bindings that finalizers keep.
func (w *World) Terminate(objects ...string) {
	w.T.Helper()
	for _, object := range objects {
		w.Changed(object, func(b *reconcile.Binding) { b.Terminating = true })
	}
}

// Changed changes a binding behind certsync's back.
func (w *World) Changed(object string, change func(*reconcile.Binding)) {
	w.T.Helper()
	b, ok := w.Bindings[object]
	if !ok {
		w.T.Fatalf("there is no %s", object)
	}
	change(&b)
	b.ResourceVersion = w.Next()
	w.Bindings[object] = b
}
