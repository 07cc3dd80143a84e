package apply_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// crewOf is a world in which so many users have their certificates for an hour, and the inventory that revokes them all, in
// batches of two.
func crewOf(t *testing.T, n int) (w *reconciletest.World, text string) {
	t.Helper()
	w = reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Crew(n)))
	w.Rules.BatchSize = 2
	return w, revokingAll(w, reconciletest.Crew(n))
}

// revokingAll is an inventory that revokes all certificates, an hour later.
func revokingAll(w *reconciletest.World, text string) string {
	w.Now = w.Now.Add(time.Hour)
	return "defaults: {revokedBefore: " + w.Now.Format(time.RFC3339) + "}\n" + text
}

// TestBatches: a batch loses its old names just before its certificates are asked for, and the next batch waits for that.
func TestBatches(t *testing.T) {
	w, text := crewOf(t, 3)
	o := w.MustApply(reconciletest.Parse(t, text))
	want := []string{
		"write state",
		"update ClusterRoleBinding certsync:test:group:devs:view[user02]",
		"delete ClusterRoleBinding certsync:test:user:user00:edit",
		"delete ClusterRoleBinding certsync:test:user:user01:edit",
		"issue user00#2 within 30s", "login user00#2", "record user00 active", "store user00", "destroy user00 [1]",
		"create ClusterRoleBinding certsync:test:user:user00:edit[user00#2]",
		"issue user01#3 within 2m0s", "record user01 active", "store user01", "destroy user01 [1]",
		"create ClusterRoleBinding certsync:test:user:user01:edit[user01#3]",
		"update ClusterRoleBinding certsync:test:group:devs:view[user02 user00#2 user01#3]",
		"update ClusterRoleBinding certsync:test:group:devs:view[user00#2 user01#3]",
		"delete ClusterRoleBinding certsync:test:user:user02:edit",
		"issue user02#4 within 2m0s", "record user02 active", "store user02", "destroy user02 [1]",
		"create ClusterRoleBinding certsync:test:user:user02:edit[user02#4]",
		"update ClusterRoleBinding certsync:test:group:devs:view[user00#2 user01#3 user02#4]",
	}
	if diff := cmp.Diff(want, w.Writes()); diff != "" {
		t.Error(diff)
	}
	batches := []int{}
	for _, s := range o.Plan.Steps {
		batches = append(batches, s.Batch)
	}
	if want := []int{1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2}; !slices.Equal(batches, want) {
		t.Errorf("batches %v, want %v", batches, want)
	}
	if p := w.Plan(reconciletest.Parse(t, text)); p.Changes() {
		t.Errorf("once more: %q", reconciletest.Lines(p))
	}
}

// TestBatchesEndAsOne: with and without batches the end is the same, and so it is with many workers.
func TestBatchesEndAsOne(t *testing.T) {
	one, text := crewOf(t, 30)
	one.Rules.BatchSize = 0
	o := one.MustApply(reconciletest.Parse(t, text))
	if n := slices.IndexFunc(o.Plan.Steps, func(s reconcile.Step) bool { return s.Batch > 0 }); n >= 0 {
		t.Errorf("%d users in batches of 100: %+v", 30, o.Plan.Steps[n])
	}
	many, text := crewOf(t, 30)
	many.Rules.BatchSize = 7
	if _, err := many.ApplyWith(reconciletest.Parse(t, text), 20, func(reconcile.Plan) error { return nil }); err != nil {
		t.Fatal(err)
	}
	reconciletest.SameBindings(t, one, many)
}

// withoutAccess lists the users who have neither the group's role nor their own, under any name.
func withoutAccess(w *reconciletest.World, n int) (users []string) {
	all := map[string]bool{}
	for _, b := range w.Bindings {
		for _, s := range b.Subjects {
			all[s.Person()] = true
		}
	}
	for i := range n {
		if user := fmt.Sprintf("user%02d", i); !all[user] {
			users = append(users, user)
		}
	}
	return users
}

// TestOneBatchIsWithoutAccess: at no time are more users without access than one batch has.
func TestOneBatchIsWithoutAccess(t *testing.T) {
	w, text := crewOf(t, 7)
	most := 0
	w.Fail = func(string) error {
		most = max(most, len(withoutAccess(w, 7)))
		return nil
	}
	w.MustApply(reconciletest.Parse(t, text))
	if most != 2 {
		t.Errorf("%d users were without access at once", most)
	}
}

// TestBatchesCutOff: wherever the run stops, the users of the batches that have not begun keep all, and the next run ends as
// a run that was not cut off.
func TestBatchesCutOff(t *testing.T) {
	const users = 5
	whole, text := crewOf(t, users)
	whole.MustApply(reconciletest.Parse(t, text))
	for _, failure := range []error{reconciletest.ErrBoom, reconcile.ErrNotIssued} {
		for n := range whole.Calls {
			w, text := crewOf(t, users)
			inv := reconciletest.Parse(t, text)
			calls := 0
			w.Fail = func(string) error {
				if calls++; calls > n {
					return failure
				}
				return nil
			}
			_, _ = w.Apply(inv)
			if lost := withoutAccess(w, users); len(lost) > 2 {
				t.Errorf("%v from call %d on: %q are without access", failure, n, lost)
			}
			for object, b := range w.Bindings {
				people := map[string]bool{}
				for _, s := range b.Subjects {
					if people[s.Person()] {
						t.Errorf("%v from call %d on: %s serves an old name and its new one: %q", failure, n, object, reconcile.SubjectNames(b.Subjects))
					}
					people[s.Person()] = true
				}
			}
			w.Fail = nil
			o := w.MustApply(inv)
			revoked := slices.DeleteFunc(slices.Clone(o.Plan.Steps), func(s reconcile.Step) bool { return !s.Issues() || s.Reason != reconcile.CertificateRevoked })
			if inBatches := slices.ContainsFunc(revoked, func(s reconcile.Step) bool { return s.Batch > 0 }); inBatches != (len(revoked) > 2) {
				t.Errorf("%v from call %d on: of %d users who are left, some are in a batch: %t", failure, n, len(revoked), inBatches)
			}
			reconciletest.SameBindings(t, whole, w)
		}
	}
}

// TestInNoBatch: the old name of a user who is named alone goes at once, whatever batch the others are in. So does that of a user
// who gets no certificate.
func TestInNoBatch(t *testing.T) {
	own := func(text string, at time.Time) string {
		return strings.Replace(text, "name: user04,", "name: user04, revokedBefore: "+at.Format(time.RFC3339)+",", 1)
	}
	for sentence, tt := range map[string]struct {
		change func(w *reconciletest.World, text string) string
		batch  int
	}{
		"--revoke names them": {change: func(w *reconciletest.World, text string) string {
			w.Rules.Revoke = []string{"user04"}
			return text
		}},
		"a time of their own": {change: func(w *reconciletest.World, text string) string {
			w.Now = w.Now.Add(time.Minute)
			return own(text, w.Now)
		}},
		"a conflict": {change: func(w *reconciletest.World, text string) string {
			if _, err := w.Put(w.Users, "user04", reconciletest.KVVersion{}, 1); err != nil {
				t.Fatal(err)
			}
			return text
		}},
		"not a time of their own that lies ahead": {batch: 3, change: func(w *reconciletest.World, text string) string {
			return own(text, w.Now.Add(time.Hour))
		}},
		"not a time of their own that is before everybody's": {batch: 3, change: func(w *reconciletest.World, text string) string {
			return own(text, w.Now.Add(-time.Minute))
		}},
	} {
		t.Run(sentence, func(t *testing.T) {
			w, text := crewOf(t, 5)
			steps, times := w.Plan(reconciletest.Parse(t, tt.change(w, text))).Steps, 0
			for _, s := range steps {
				switch {
				case s.User == "user04":
					times++
					if s.Batch != tt.batch {
						t.Errorf("%s of %s is in batch %d", s.Action, s.User, s.Batch)
					}
				case s.User != "" && s.Batch == 0:
					t.Errorf("%s of %s is in no batch", s.Action, s.User)
				}
			}
			if times < 2 {
				t.Errorf("user04 has %d steps", times)
			}
		})
	}
}

// TestRenameInABatch: the old name of somebody whose new one is revoked stays until their batch, also if they get no certificate.
// Old names end after all batches.
func TestRenameInABatch(t *testing.T) {
	w, _ := crewOf(t, 5)
	renamed := strings.Replace(reconciletest.Crew(5), "{name: user03,", "{name: user01b, previously: [user03],", 1)
	w.Fail = reconciletest.Failing("update", reconciletest.ErrBoom)
	if _, err := w.Apply(reconciletest.Parse(t, renamed)); err != nil {
		t.Fatal(err)
	}
	renamed = revokingAll(w, renamed)
	w.Fail = reconciletest.Failing("issue user01b", reconciletest.ErrBoom)
	o, err := w.Apply(reconciletest.Parse(t, renamed))
	if err != nil || o.Failed() == 0 {
		t.Fatal(err)
	}
	if got := w.Subjects(reconciletest.GroupView); !slices.Equal(got, []string{"user00#2", "user01#3", "user02#5", "user04#6", "user03"}) {
		t.Errorf("in the group: %q", got)
	}
	for i, s := range o.Plan.Steps[1:] {
		if was := o.Plan.Steps[i]; was.User == "user03" && s.Batch > 0 {
			t.Errorf("%s of %s comes before batch %d", was.Action, was.User, s.Batch)
		}
	}
	w.Fail = nil
	w.MustApply(reconciletest.Parse(t, renamed))
	if got := w.Subjects(reconciletest.GroupView); slices.Contains(got, "user03") || len(got) != 5 {
		t.Errorf("in the group: %q", got)
	}
}

// TestBatchNote: plan says how many users, in how many batches, and how long that takes.
func TestBatchNote(t *testing.T) {
	w, text := crewOf(t, 5)
	w.Rules.BatchSize = 0
	if got := reconciletest.Kinds(w.Plan(reconciletest.Parse(t, text))); slices.Contains(got, "revocation-batches") {
		t.Errorf("%q", got)
	}
	w.Rules.BatchSize = 2
	notes := w.Plan(reconciletest.Parse(t, text)).Notes
	i := slices.IndexFunc(notes, func(n reconcile.Note) bool { return n.Kind == reconcile.RevocationBatches })
	if i < 0 || !strings.HasPrefix(notes[i].Message, "5 users get new certificates in 3 batches of up to 2 users.") {
		t.Errorf("%+v", notes)
	}
}
