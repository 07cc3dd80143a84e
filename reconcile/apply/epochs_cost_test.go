package apply_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestRevokingOneOf5000: it costs one certificate, two writes to each role of the user's own, and two to the one part of each group
// role that names the user. Nothing of anybody else is written.
func TestRevokingOneOf5000(t *testing.T) {
	const user, later = "user2500", "user2500#2"
	w := reconciletest.NewWorld(t)
	inv := reconciletest.Parse(t, reconciletest.Crew(5000))
	w.MustApply(inv)
	w.Now = w.Now.Add(time.Hour)
	bindings, names, issued := maps.Clone(w.Bindings), w.State.Names, len(w.Issued)
	part, own := w.Served(user)[0], "ClusterRoleBinding certsync:test:user:user2500:edit"
	w.Rules.Revoke = []string{user}
	w.MustApply(inv)

	want := []string{
		"write state", "update " + part + " with 999 subjects", "delete " + own,
		"issue user2500#2 within 30s", "login user2500#2", "record user2500 active", "store user2500", "destroy user2500 [1]",
		"create " + own + "[user2500#2]", "update " + part + " with 1000 subjects",
	}
	var writes []string
	for _, c := range w.Writes() {
		if subjects, isPart := strings.CutPrefix(c, "update "+part+"["); isPart {
			c = fmt.Sprintf("update %s with %d subjects", part, strings.Count(subjects, " ")+1)
		}
		writes = append(writes, c)
	}
	if diff := cmp.Diff(want, writes); diff != "" {
		t.Error(diff)
	}
	if reads := len(w.Calls) - len(writes); reads != 10 { // to observe twice, to review, to ask the authorizer, to lock, to mark the lock, and to unlock
		t.Errorf("%d other calls: %q", reads, w.Calls)
	}
	if diff := cmp.Diff([]string{part, own}, w.Served(later)); diff != "" || w.Served(user) != nil || len(w.Issued) != issued+1 {
		t.Errorf("%s: %s; %s has %q; %d certificates", later, diff, user, w.Served(user), len(w.Issued)-issued)
	}
	for object, b := range bindings {
		b.Subjects = slices.DeleteFunc(slices.Clone(b.Subjects), func(s reconcile.Subject) bool { return s.Person() == user })
		is := w.Bindings[object]
		is.Subjects = slices.DeleteFunc(slices.Clone(is.Subjects), func(s reconcile.Subject) bool { return s.Person() == user })
		if b.ResourceVersion, b.UID, b.CreatedAt = is.ResourceVersion, is.UID, is.CreatedAt; !cmp.Equal(b, is) {
			t.Errorf("%s is another for others: %s", object, cmp.Diff(b, is))
		}
	}
	for name, n := range names {
		if name != user && !cmp.Equal(n, w.State.Names[name]) {
			t.Errorf("%s was %+v, and is %+v", name, n, w.State.Names[name])
		}
	}
}
