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

// TestFailures: one call fails; the other users are served, and a clean second run ends where a clean first one would.
func TestFailures(t *testing.T) {
	settled := reconciletest.NewWorld(t)
	settled.MustApply(reconciletest.Parse(t, reconciletest.Team))
	tests := map[string]struct {
		call   string // prefix of the call that fails
		err    error
		want   []string
		writes []string // that must not have happened
	}{
		"the ledger cannot be written": {
			call: "record bob", err: reconciletest.ErrBoom,
			want:   []string{"issue bob: failed"},
			writes: []string{"store bob"},
		},
		"the credential cannot be written": {
			call: "store bob", err: reconciletest.ErrBoom,
			want: []string{"issue bob: failed"},
		},
		"the request is denied": {
			call: "issue carol", err: reconcile.ErrDenied,
			want:   []string{"issue carol: failed", "bind carol: held"},
			writes: []string{"store carol", "create RoleBinding payments"},
		},
		"the first user's request is denied": {
			call: "issue alice", err: reconcile.ErrDenied,
			want:   []string{"issue alice: failed", "bind alice: held"},
			writes: []string{"store alice"},
		},
		"a binding cannot be created": {
			call: "create ClusterRoleBinding certsync:test:user:alice", err: reconciletest.ErrBoom,
			want: []string{"bind alice: failed"},
		},
		"the signer is silent": {
			call: "issue", err: reconcile.ErrNotIssued,
			want: []string{"issue alice: failed", "bind alice: held", "issue bob: held", "issue carol: held",
				"bind carol: held", "bind devs: held", "bind devs: held"},
			writes: []string{"issue bob", "issue carol", "record", "store"},
		},
		"the certificate does not log in": {
			call: "login", err: reconcile.ErrNotTrusted,
			want: []string{"issue alice: failed", "bind alice: held", "issue bob: held", "issue carol: held",
				"bind carol: held", "bind devs: held", "bind devs: held"},
			writes: []string{"issue bob", "issue carol", "record", "store"},
		},
		"the connection is cut at the first login": {
			call: "login alice", err: reconciletest.ErrBoom,
			want:   []string{"issue alice: failed", "bind alice: held"},
			writes: []string{"record alice", "store alice"},
		},
		"the signer falls silent": {
			call: "issue bob", err: reconcile.ErrNotIssued,
			want:   []string{"issue bob: failed", "issue carol: held", "bind carol: held"},
			writes: []string{"issue carol"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.Fail = reconciletest.Failing(tt.call, tt.err)
			o, err := w.Apply(reconciletest.Parse(t, reconciletest.Team))
			if err != nil {
				t.Fatal(err)
			}
			bad := slices.DeleteFunc(reconciletest.Results(o), func(r string) bool { return strings.HasSuffix(r, ": done") })
			if diff := cmp.Diff(tt.want, bad); diff != "" {
				t.Error(diff)
			}
			for _, c := range w.Writes() {
				for _, not := range tt.writes {
					if strings.HasPrefix(c, not) {
						t.Errorf("did %q", c)
					}
				}
			}
			w.Fail = nil
			if errors.Is(tt.err, reconcile.ErrDenied) {
				w.Rules.Retry = []string{"alice", "bob", "carol"}
			}
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			reconciletest.SameBindings(t, settled, w)
			if p := w.Plan(reconciletest.Parse(t, reconciletest.Team)); p.Changes() {
				t.Errorf("left after a clean run: %q", reconciletest.Lines(p))
			}
		})
	}
}

// TestGroupWithoutTheOneWhoFailed: the group's binding is made for the members who got a credential.
func TestGroupWithoutTheOneWhoFailed(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.Fail = reconciletest.Failing("issue bob", reconcile.ErrDenied)
	o, err := w.Apply(reconciletest.Parse(t, reconciletest.Team))
	if err != nil {
		t.Fatal(err)
	}
	if got := reconcile.SubjectNames(w.Bindings["ClusterRoleBinding certsync:test:group:devs:view"].Subjects); !slices.Equal(got, []string{"alice"}) {
		t.Errorf("subjects: %q", got)
	}
	if last := o.Events[len(o.Events)-1]; last.Result != reconcile.Done || last.Note != "without bob, who got no credential" {
		t.Errorf("event: %+v", last)
	}
}

// TestTwoRunsStoreOneUser: another run's credential comes between our record and our credential. The record must not
// call ours the current one.
func TestTwoRunsStoreOneUser(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.Fail = func(call string) error {
		if call == "store bob" && w.Users["bob"] == nil {
			_, err := w.Put(w.Users, "bob", reconciletest.KVVersion{Credential: &reconcile.Credential{}}, 0)
			return err
		}
		return nil
	}
	o, err := w.Apply(reconciletest.Parse(t, reconciletest.Team))
	if err != nil || o.Failed() == 0 {
		t.Fatal(err, reconciletest.Results(o))
	}
	if got := reconciletest.Lines(w.Plan(reconciletest.Parse(t, reconciletest.Team))); !slices.Contains(got, "reissue bob [credential-missing]") {
		t.Errorf("plan: %q", got)
	}
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	if p := w.Plan(reconciletest.Parse(t, reconciletest.Team)); p.Changes() {
		t.Errorf("left: %q", reconciletest.Lines(p))
	}
}

// TestTouchedMeanwhile: who may patch a binding cannot keep it by touching it, and what others added stays for the next
// plan.
func TestTouchedMeanwhile(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	without := reconciletest.Parse(t, strings.Replace(reconciletest.Team, "  - {name: bob, groups: [devs]}\n", "", 1))
	const view = "ClusterRoleBinding certsync:test:group:devs:view"
	w.Fail = func(call string) error {
		if strings.HasPrefix(call, "record bob removing") {
			b := w.Bindings[view]
			b.Subjects, b.ResourceVersion = append(slices.Clone(b.Subjects), reconcile.UserSubject("eve")), w.Next()
			w.Bindings[view] = b
		}
		return nil
	}
	w.MustApply(without)
	if got := reconcile.SubjectNames(w.Bindings[view].Subjects); !slices.Equal(got, []string{"alice", "eve"}) {
		t.Errorf("subjects: %q", got)
	}
	if got := reconciletest.Lines(w.Plan(without)); !slices.Equal(got, []string{"update devs ClusterRoleBinding group:devs:view [drifted] -eve"}) {
		t.Errorf("plan: %q", got)
	}
}

// TestRemovalFailures: each call of a removal fails once; access and credential go as far as they can, and the next run
// finishes.
func TestRemovalFailures(t *testing.T) {
	inv := reconciletest.Parse(t, strings.Replace(reconciletest.Team, "  - {name: alice, groups: [devs], clusterRoles: [admin]}\n", "", 1))
	for _, call := range []string{"record alice removing", "delete ClusterRoleBinding", "update ClusterRoleBinding", "erase alice", "record alice removed"} {
		t.Run(call, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			w.Fail = reconciletest.Failing(call, reconciletest.ErrBoom)
			o, err := w.Apply(inv)
			if err != nil || o.Failed() == 0 {
				t.Fatalf("%v, %q", err, reconciletest.Results(o))
			}
			if rec := w.Ledger["alice"].Versions[w.Ledger["alice"].Current].Record; rec.State == reconcile.Removed {
				t.Error("the record says removed, and something is not")
			}
			w.Fail = nil
			w.MustApply(inv)
			rec := w.Ledger["alice"].Versions[w.Ledger["alice"].Current].Record
			if w.Users["alice"] != nil || rec.State != reconcile.Removed || rec.Certificates[0].Status != reconcile.Revoked {
				t.Errorf("after the second run: %v, %+v", w.Users["alice"], rec)
			}
			for object, b := range w.Bindings {
				if slices.Contains(b.Subjects, reconcile.UserSubject("alice")) {
					t.Errorf("%s still names alice", object)
				}
			}
		})
	}
}
