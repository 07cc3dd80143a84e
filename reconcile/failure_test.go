package reconcile

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFailures: one call fails; the other users are served, and a clean second run ends where a clean first one would.
func TestFailures(t *testing.T) {
	settled := newWorld(t)
	settled.mustApply(parse(t, team))
	tests := map[string]struct {
		call   string // prefix of the call that fails
		err    error
		want   []string
		writes []string // that must not have happened
	}{
		"the ledger cannot be written": {
			call: "record bob", err: errBoom,
			want:   []string{"issue bob: failed"},
			writes: []string{"store bob"},
		},
		"the credential cannot be written": {
			call: "store bob", err: errBoom,
			want: []string{"issue bob: failed"},
		},
		"the request is denied": {
			call: "issue carol", err: ErrDenied,
			want:   []string{"issue carol: failed", "bind carol: held"},
			writes: []string{"store carol", "create RoleBinding payments"},
		},
		"the first user's request is denied": {
			call: "issue alice", err: ErrDenied,
			want:   []string{"issue alice: failed", "bind alice: held"},
			writes: []string{"store alice"},
		},
		"a binding cannot be created": {
			call: "create ClusterRoleBinding certsync:test:user:alice", err: errBoom,
			want: []string{"bind alice: failed"},
		},
		"the signer is silent": {
			call: "issue", err: ErrNotIssued,
			want: []string{"issue alice: failed", "bind alice: held", "issue bob: held", "issue carol: held",
				"bind carol: held", "bind devs: held", "bind devs: held"},
			writes: []string{"issue bob", "issue carol", "record", "store"},
		},
		"the certificate does not log in": {
			call: "login", err: ErrNotTrusted,
			want: []string{"issue alice: failed", "bind alice: held", "issue bob: held", "issue carol: held",
				"bind carol: held", "bind devs: held", "bind devs: held"},
			writes: []string{"issue bob", "issue carol", "record", "store"},
		},
		"the connection is cut at the first login": {
			call: "login alice", err: errBoom,
			want:   []string{"issue alice: failed", "bind alice: held"},
			writes: []string{"record alice", "store alice"},
		},
		"the signer falls silent": {
			call: "issue bob", err: ErrNotIssued,
			want:   []string{"issue bob: failed", "issue carol: held", "bind carol: held"},
			writes: []string{"issue carol"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.fail = failing(tt.call, tt.err)
			o, err := w.apply(parse(t, team))
			if err != nil {
				t.Fatal(err)
			}
			bad := slices.DeleteFunc(results(o), func(r string) bool { return strings.HasSuffix(r, ": done") })
			if diff := cmp.Diff(tt.want, bad); diff != "" {
				t.Error(diff)
			}
			for _, c := range w.writes() {
				for _, not := range tt.writes {
					if strings.HasPrefix(c, not) {
						t.Errorf("did %q", c)
					}
				}
			}
			w.fail = nil
			if errors.Is(tt.err, ErrDenied) {
				w.rules.Retry = []string{"alice", "bob", "carol"}
			}
			w.mustApply(parse(t, team))
			sameBindings(t, settled, w)
			if p := w.plan(parse(t, team)); p.Changes() {
				t.Errorf("left after a clean run: %q", lines(p))
			}
		})
	}
}

// TestGroupWithoutTheOneWhoFailed: the group's binding is made for the members who got a credential.
func TestGroupWithoutTheOneWhoFailed(t *testing.T) {
	w := newWorld(t)
	w.fail = failing("issue bob", ErrDenied)
	o, err := w.apply(parse(t, team))
	if err != nil {
		t.Fatal(err)
	}
	if got := names(w.bindings["ClusterRoleBinding certsync:test:group:devs:view"].Subjects); !slices.Equal(got, []string{"alice"}) {
		t.Errorf("subjects: %q", got)
	}
	if last := o.Events[len(o.Events)-1]; last.Result != Done || last.Note != "without bob, who got no credential" {
		t.Errorf("event: %+v", last)
	}
}

// TestTwoRunsStoreOneUser: another run's credential comes between our record and our credential. The record must not
// call ours the current one.
func TestTwoRunsStoreOneUser(t *testing.T) {
	w := newWorld(t)
	w.fail = func(call string) error {
		if call == "store bob" && w.users["bob"] == nil {
			_, err := w.put(w.users, "bob", kvVersion{credential: &Credential{}}, 0)
			return err
		}
		return nil
	}
	o, err := w.apply(parse(t, team))
	if err != nil || o.Failed() == 0 {
		t.Fatal(err, results(o))
	}
	if got := lines(w.plan(parse(t, team))); !slices.Contains(got, "reissue bob [credential-missing]") {
		t.Errorf("plan: %q", got)
	}
	w.mustApply(parse(t, team))
	if p := w.plan(parse(t, team)); p.Changes() {
		t.Errorf("left: %q", lines(p))
	}
}

// TestTouchedMeanwhile: who may patch a binding cannot keep it by touching it, and what others added stays for the next
// plan.
func TestTouchedMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, team))
	without := parse(t, strings.Replace(team, "  - {name: bob, groups: [devs]}\n", "", 1))
	const view = "ClusterRoleBinding certsync:test:group:devs:view"
	w.fail = func(call string) error {
		if strings.HasPrefix(call, "record bob removing") {
			b := w.bindings[view]
			b.Subjects, b.ResourceVersion = append(slices.Clone(b.Subjects), UserSubject("eve")), w.next()
			w.bindings[view] = b
		}
		return nil
	}
	w.mustApply(without)
	if got := names(w.bindings[view].Subjects); !slices.Equal(got, []string{"alice", "eve"}) {
		t.Errorf("subjects: %q", got)
	}
	if got := lines(w.plan(without)); !slices.Equal(got, []string{"update devs ClusterRoleBinding group:devs:view [drifted] -eve"}) {
		t.Errorf("plan: %q", got)
	}
}

// TestRemovalFailures: each call of a removal fails once; access and credential go as far as they can, and the next run
// finishes.
func TestRemovalFailures(t *testing.T) {
	inv := parse(t, strings.Replace(team, "  - {name: alice, groups: [devs], clusterRoles: [admin]}\n", "", 1))
	for _, call := range []string{"record alice removing", "delete ClusterRoleBinding", "update ClusterRoleBinding", "erase alice", "record alice removed"} {
		t.Run(call, func(t *testing.T) {
			w := newWorld(t)
			w.mustApply(parse(t, team))
			w.fail = failing(call, errBoom)
			o, err := w.apply(inv)
			if err != nil || o.Failed() == 0 {
				t.Fatalf("%v, %q", err, results(o))
			}
			if rec := w.ledger["alice"].versions[w.ledger["alice"].current].record; rec.State == Removed {
				t.Error("the record says removed, and something is not")
			}
			w.fail = nil
			w.mustApply(inv)
			rec := w.ledger["alice"].versions[w.ledger["alice"].current].record
			if w.users["alice"] != nil || rec.State != Removed || rec.Certificates[0].Status != Revoked {
				t.Errorf("after the second run: %v, %+v", w.users["alice"], rec)
			}
			for object, b := range w.bindings {
				if slices.Contains(b.Subjects, UserSubject("alice")) {
					t.Errorf("%s still names alice", object)
				}
			}
		})
	}
}
