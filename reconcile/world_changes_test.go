package reconcile

func (w *world) plant(b Binding) {
	b.UID, b.ResourceVersion = w.next(), w.next()
	w.bindings[b.Object()] = b
}

// markCurrent puts something else in place of the current version, without a new one.
func (w *world) markCurrent(s *secret, v kvVersion) { s.versions[s.current] = &v }

// terminate deletes bindings that finalizers keep.
func (w *world) terminate(objects ...string) {
	w.t.Helper()
	for _, object := range objects {
		w.changed(object, func(b *Binding) { b.Terminating = true })
	}
}

// changed changes a binding behind certsync's back.
func (w *world) changed(object string, change func(*Binding)) {
	w.t.Helper()
	b, ok := w.bindings[object]
	if !ok {
		w.t.Fatalf("there is no %s", object)
	}
	change(&b)
	b.ResourceVersion = w.next()
	w.bindings[object] = b
}
