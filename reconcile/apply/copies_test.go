package apply_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// copyInto makes copies of all RoleBindings in a namespace, as HNC and Kyverno do: name, labels, role and subjects are the same.
func copyInto(w *reconciletest.World, namespace string) (copies []string) {
	w.Spaces[namespace] = true
	for _, b := range w.Bindings {
		if b.Kind != reconcile.RoleBinding || b.Namespace == namespace || b.Copied {
			continue
		}
		b.Namespace, b.UID, b.ResourceVersion, b.Copied = namespace, w.Next(), w.Next(), true
		b.Subjects = slices.Clone(b.Subjects)
		w.Bindings[b.Object()] = b
		copies = append(copies, b.Object())
	}
	return copies
}

// TestCopies: copies of certsync's RoleBindings in other namespaces, which nobody may delete, are failed steps at each run. They
// count for no guard, hold nobody, and no run says that all is well.
func TestCopies(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	copies := slices.Concat(copyInto(w, "child-a"), copyInto(w, "child-b"), copyInto(w, "child-c"))
	if len(copies) != 6 {
		t.Fatalf("copies: %q", copies)
	}
	w.Fail = func(call string) error {
		if object, deletes := strings.CutPrefix(call, "delete "); deletes && slices.Contains(copies, object) {
			return reconcile.WithHint(errors.New(`admission webhook "objects.hnc.x-k8s.io" denied the request`), "have it allow that")
		}
		return nil
	}
	// Somebody comes, and somebody's role changes.
	after := strings.Replace(reconciletest.Team, "payments: [edit]", "payments: [view]", 1) + "  - {name: dan, groups: [devs]}\n"
	w.Rules.MaxRemovals, w.Rules.Protect = reconciletest.Limit(t, "1"), []string{"alice", "bob"}
	for range 2 {
		o, err := w.Apply(reconciletest.Parse(t, after))
		if err != nil {
			t.Fatal(err)
		}
		var failed []string
		for _, e := range o.Events {
			if e.Result == reconcile.Failed && e.Action == reconcile.Unbind && e.Hint == "have it allow that" {
				failed = append(failed, e.Object)
			} else if e.Result != reconcile.Done {
				t.Errorf("%s %s %s: %s %s", e.Action, e.User, e.Object, e.Result, e.Error)
			}
		}
		if diff := cmp.Diff(reconciletest.SortedSetOf(copies), reconciletest.SortedSetOf(failed)); diff != "" || o.Failed() != len(copies) {
			t.Errorf("%d failed: %s", o.Failed(), diff)
		}
		for _, s := range w.Plan(reconciletest.Parse(t, after)).Steps {
			if s.Action != reconcile.Unbind || s.Reason != reconcile.Unexpected || s.Held != "" || !slices.Contains(copies, s.Object()) {
				t.Errorf("planned: %s %s %s, held %q", s.Action, s.Object(), s.Reason, s.Held)
			}
		}
	}
	if w.Users["dan"] == nil || !slices.Contains(w.Subjects(stagingEdit), "dan") || !slices.Contains(w.Subjects("RoleBinding payments/certsync:test:user:carol:view"), "carol") {
		t.Errorf("bindings: %v", w.Bindings)
	}

	// A leaver whom only a copy still names has lost all else, and the record says so until the copy is gone.
	o, err := w.Apply(reconciletest.Parse(t, strings.Replace(after, "  - {name: carol, namespaces: {payments: [view]}}\n", "", 1)))
	if err != nil || w.Users["carol"] != nil {
		t.Errorf("%v, %q", err, reconciletest.Results(o))
	}
	if rec := w.Ledger["carol"].Versions[w.Ledger["carol"].Current].Record; rec.State != reconcile.Removing {
		t.Errorf("carol's record says %s", rec.State)
	}
	w.Fail = nil
	o = w.MustApply(reconciletest.Parse(t, strings.Replace(after, "  - {name: carol, namespaces: {payments: [view]}}\n", "", 1)))
	if rec := w.Ledger["carol"].Versions[w.Ledger["carol"].Current].Record; rec.State != reconcile.Removed || o.Failed() > 0 {
		t.Errorf("carol's record says %s", rec.State)
	}
}

// TestCopiesAreNoRemovals: copies in a hundred namespaces are no reason for --max-removals or --protect to refuse a run.
func TestCopiesAreNoRemovals(t *testing.T) {
	w := reconciletest.NewWorld(t)
	inv := reconciletest.Parse(t, reconciletest.Team)
	w.MustApply(inv)
	for _, letter := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
		copyInto(w, "child-"+letter)
	}
	w.Rules.MaxRemovals, w.Rules.Protect = reconciletest.Limit(t, "0"), []string{"alice", "bob", "carol"}
	w.MustApply(inv)
	if p := w.Plan(inv); p.Changes() {
		t.Errorf("plan: %q", reconciletest.Lines(p))
	}
	w.Accounted()
}
