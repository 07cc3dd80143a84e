package reconcile

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
)

// TestOrderOfIssue: approve and verify, then log in once, then ledger, credential, bindings; a group's binding once for
// all its members. With one worker the order is the whole order.
func TestOrderOfIssue(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, team))
	want := []string{
		"write state",
		"issue alice within 30s", "login alice", "record alice active", "store alice",
		"create ClusterRoleBinding certsync:test:user:alice:admin[alice]",
		"issue bob within 2m0s", "record bob active", "store bob",
		"issue carol within 2m0s", "record carol active", "store carol",
		"create RoleBinding payments/certsync:test:user:carol:edit[carol]",
		"create ClusterRoleBinding certsync:test:group:devs:view[alice bob]",
		"create RoleBinding staging/certsync:test:group:devs:edit[alice bob]",
	}
	if diff := cmp.Diff(want, w.writes()); diff != "" {
		t.Error(diff)
	}
}

// TestOrderOfRemoval: the ledger says "removing" before anything goes; bindings before credential; "removed" last; and
// all of it before somebody else's certificate is asked for.
func TestOrderOfRemoval(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, team))
	w.mustApply(parse(t, strings.Replace(team, "name: alice, groups: [devs], clusterRoles: [admin]", "name: zoe", 1)))
	want := []string{
		"write state",
		"record alice removing",
		"delete ClusterRoleBinding certsync:test:user:alice:admin",
		"update ClusterRoleBinding certsync:test:group:devs:view[bob]",
		"update RoleBinding staging/certsync:test:group:devs:edit[bob]",
		"erase alice", "record alice removed",
		"issue zoe within 30s", "login zoe", "record zoe active", "store zoe",
	}
	if diff := cmp.Diff(want, w.writes()); diff != "" {
		t.Error(diff)
	}
}

// TestOrderOfRoleChange: the new binding comes before the old one goes.
func TestOrderOfRoleChange(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, team))
	w.mustApply(parse(t, strings.Replace(team, "[admin]}", "[edit]}", 1)))
	want := []string{
		"write state",
		"create ClusterRoleBinding certsync:test:user:alice:edit[alice]",
		"delete ClusterRoleBinding certsync:test:user:alice:admin",
	}
	if diff := cmp.Diff(want, w.writes()); diff != "" {
		t.Error(diff)
	}
}

// TestReissueDestroys: older versions of a credential do not outlive the new one.
func TestReissueDestroys(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, team))
	inv := parse(t, strings.Replace(team, "name: bob, groups: [devs]", "name: bob", 1))
	w.mustApply(inv)
	if v := w.users["bob"].versions; !v[1].destroyed || v[2].destroyed {
		t.Errorf("versions: %+v, %+v", v[1], v[2])
	}
	rec := w.ledger["bob"].versions[2].record
	if len(rec.Certificates) != 2 || rec.Certificates[0].Status != Superseded || rec.Certificates[1].Status != Current ||
		rec.Certificates[1].CredentialVersion != 2 {
		t.Errorf("record: %+v", rec)
	}
	if got := kinds(w.plan(inv)); !slices.Equal(got, []string{"live-certificate bob"}) {
		t.Errorf("notes on the certificate that still carries the group: %q", got)
	}
}

// results lists events as "action who: result".
func results(o Outcome) []string {
	var out []string
	for _, e := range o.Events {
		out = append(out, fmt.Sprintf("%s %s%s: %s", e.Action, e.User, e.Group, e.Result))
	}
	return out
}

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
			call: "login", err: errBoom,
			want: []string{"issue alice: failed", "bind alice: held", "issue bob: held", "issue carol: held",
				"bind carol: held", "bind devs: held", "bind devs: held"},
			writes: []string{"issue bob", "issue carol", "record", "store"},
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
			w.fail = func(call string) error {
				if strings.HasPrefix(call, tt.call) {
					return tt.err
				}
				return nil
			}
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
	w.fail = func(call string) error {
		if strings.HasPrefix(call, "issue bob") {
			return ErrDenied
		}
		return nil
	}
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

// TestRemovalFailures: each call of a removal fails once; access and credential go as far as they can, and the next run
// finishes.
func TestRemovalFailures(t *testing.T) {
	inv := parse(t, strings.Replace(team, "  - {name: alice, groups: [devs], clusterRoles: [admin]}\n", "", 1))
	for _, call := range []string{"record alice removing", "delete ClusterRoleBinding", "update ClusterRoleBinding", "erase alice", "record alice removed"} {
		t.Run(call, func(t *testing.T) {
			w := newWorld(t)
			w.mustApply(parse(t, team))
			w.fail = func(c string) error {
				if strings.HasPrefix(c, call) {
					return errBoom
				}
				return nil
			}
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

// TestWrongCertificates: what the signer made is not what was asked for, and nothing of it is stored.
func TestWrongCertificates(t *testing.T) {
	tests := map[string]func(*x509.Certificate){
		"another name":             func(c *x509.Certificate) { c.Subject.CommonName = "root" },
		"another group":            func(c *x509.Certificate) { c.Subject.Organization = []string{"admins"} },
		"one group more":           func(c *x509.Certificate) { c.Subject.Organization = append(c.Subject.Organization, "admins") },
		"more in the subject":      func(c *x509.Certificate) { c.Subject.OrganizationalUnit = []string{"x"} },
		"no client authentication": func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} },
		"expired":                  func(c *x509.Certificate) { c.NotAfter = c.NotBefore.Add(time.Minute) },
		"from tomorrow":            func(c *x509.Certificate) { c.NotBefore = c.NotBefore.AddDate(0, 0, 1) },
		"for longer than asked":    func(c *x509.Certificate) { c.NotAfter = c.NotAfter.AddDate(0, 0, 1) },
		"a host name":              func(c *x509.Certificate) { c.DNSNames = []string{"example.com"} },
		"an authority":             func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true },
	}
	for name, sign := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.sign = sign
			o, err := w.apply(parse(t, "users: [{name: bob}]"))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(results(o), []string{"issue bob: failed"}) || len(w.ledger)+len(w.users) > 0 {
				t.Errorf("%q; ledger %v, users %v", results(o), w.ledger, w.users)
			}
		})
	}
}

// TestShortened: a signer that gives less time than asked for is noted, not refused.
func TestShortened(t *testing.T) {
	w := newWorld(t)
	w.sign = func(c *x509.Certificate) { c.NotAfter = w.now.Add(time.Hour) }
	o := w.mustApply(parse(t, "users: [{name: bob}]"))
	if want := "the signer shortened the certificate: it lives 1h0m0s of the 168h0m0s asked for"; o.Events[0].Note != want {
		t.Errorf("note: %q", o.Events[0].Note)
	}
}

// TestCanaryIdentity: the API server must take the first certificate for whom it names.
func TestCanaryIdentity(t *testing.T) {
	tests := map[string]struct {
		login func(Identity) (Identity, error)
		ok    bool
	}{
		"as asked":                 {func(id Identity) (Identity, error) { return id, nil }, true},
		"forbidden, but by name":   {func(id Identity) (Identity, error) { return Identity{Name: id.Name}, nil }, true},
		"for somebody else":        {func(id Identity) (Identity, error) { return Identity{Name: "system:anonymous"}, nil }, false},
		"without one of the group": {func(id Identity) (Identity, error) { id.Groups = []string{"system:authenticated"}; return id, nil }, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.login = tt.login
			o, err := w.apply(parse(t, team))
			if err != nil || (o.Failed() == 0) != tt.ok {
				t.Errorf("%v, %q", err, results(o))
			}
		})
	}
}

// TestRefusals: apply writes nothing, for a reason that it says.
func TestRefusals(t *testing.T) {
	tests := map[string]struct {
		inventory string
		world     func(*world)
		consent   func(*world, *inventory.Inventory) func(Plan) error
		want      string
	}{
		"no users": {
			inventory: "users: []",
			want:      "refused: the inventory has no users: everybody would lose access (--allow-empty)",
		},
		"all conflicts at once": {
			inventory: team,
			world: func(w *world) {
				_, _ = w.put(w.users, "alice", kvVersion{}, 0)
				_, _ = w.put(w.users, "bob", kvVersion{}, 0)
			},
			want: "refused: user alice: users/alice holds version 1 of a secret that the ledger does not know (look at whose it is; delete it, or name the user otherwise); " +
				"user bob: users/bob holds version 1 of a secret that the ledger does not know (look at whose it is; delete it, or name the user otherwise)",
		},
		"a permission is missing": {
			inventory: team,
			world: func(w *world) {
				w.lacks = []Permission{{Verb: "approve", Group: certificatesGroup, Resource: "signers", Name: SignerName}}
			},
			want: `"certsync" may not: approve signers.certificates.k8s.io "kubernetes.io/kube-apiserver-client"`,
		},
		"a capability is missing": {
			inventory: team,
			world:     func(w *world) { w.storeLacks = []string{`"create" on secret/data/x`} },
			want:      `certsync's Vault token lacks "create" on secret/data/x`,
		},
		"no consent": {
			inventory: team,
			consent:   func(*world, *inventory.Inventory) func(Plan) error { return func(Plan) error { return errBoom } },
			want:      "boom",
		},
		"the world changed after consent": {
			inventory: team,
			consent: func(w *world, _ *inventory.Inventory) func(Plan) error {
				return func(Plan) error { _, err := w.put(w.users, "bob", kvVersion{}, 0); return err }
			},
			want: "refused: the cluster or Vault changed since the plan was shown; plan again",
		},
		"another run began": {
			inventory: team,
			world: func(w *world) {
				w.fail = func(call string) error {
					if call == "write state" {
						return ErrPrecondition
					}
					return nil
				}
			},
			want: "refused: another run has begun meanwhile; wait for it, then plan again",
		},
		"the cluster cannot be read": {
			inventory: team,
			world:     func(w *world) { w.fail = func(string) error { return errBoom } },
			want:      "boom",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			inv := parse(t, tt.inventory)
			if tt.inventory == "users: []" {
				w.mustApply(parse(t, team))
			}
			if tt.world != nil {
				tt.world(w)
			}
			consent := func(Plan) error { return nil }
			if tt.consent != nil {
				consent = tt.consent(w, inv)
			}
			_, err := w.applyWith(inv, 1, consent)
			if err == nil || err.Error() != tt.want {
				t.Errorf("error %v, want %s", err, tt.want)
			}
			if got := slices.DeleteFunc(w.writes(), func(c string) bool { return c == "write state" }); len(got) > 0 {
				t.Errorf("wrote %q", got)
			}
		})
	}
}

// TestObserveIsAllOrNothing: each half's error is the whole's, and names the half that failed first.
func TestObserveIsAllOrNothing(t *testing.T) {
	for _, half := range []string{"observe cluster", "observe store"} {
		w := newWorld(t)
		w.fail = func(call string) error {
			if call == half {
				return errors.New(half + " failed")
			}
			return nil
		}
		if _, err := Observe(t.Context(), "test", w, w, time.Now); err == nil || err.Error() != half+" failed" {
			t.Errorf("%s: %v", half, err)
		}
	}
}

// TestInterrupted: a run whose context has ended starts nothing more and says so for every step.
func TestInterrupted(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.fail = func(call string) error {
		if strings.HasPrefix(call, "store alice") {
			cancel()
		}
		return nil
	}
	x := Executor{Bindings: w, Store: w, Issuer: w, Login: w, Kubeconfigs: w, Now: func() time.Time { return w.now }, Workers: 1}
	p := w.plan(parse(t, team))
	w.calls = nil
	o := Outcome{Plan: p, Events: x.execute(ctx, p)}
	if len(o.Events) != len(p.Steps) {
		t.Errorf("%d events for %d steps", len(o.Events), len(p.Steps))
	}
	if last := w.calls[len(w.calls)-1]; last != "store alice" {
		t.Errorf("after the interruption: %q", w.calls)
	}
	w.fail = nil
	w.mustApply(parse(t, team))
}

// TestManyWorkers: the end does not depend on how many work at once.
func TestManyWorkers(t *testing.T) {
	text := "groups: [{name: devs, clusterRoles: [view]}]\nusers:\n"
	for n := range 200 {
		text += fmt.Sprintf("  - {name: u%03d, groups: [devs], clusterRoles: [edit]}\n", n)
	}
	one, many := newWorld(t), newWorld(t)
	one.mustApply(parse(t, text))
	if _, err := many.applyWith(parse(t, text), 50, func(Plan) error { return nil }); err != nil {
		t.Fatal(err)
	}
	sameBindings(t, one, many)
	if p := many.plan(parse(t, text)); p.Changes() {
		t.Errorf("left: %q", lines(p))
	}
}

// sameBindings compares all but what the server numbers and the order in which people came.
func sameBindings(t *testing.T, want, got *world) {
	t.Helper()
	plain := func(w *world) map[string]Binding {
		out := map[string]Binding{}
		for object, b := range w.bindings {
			b.UID, b.ResourceVersion = "", ""
			b.Subjects = slices.SortedFunc(slices.Values(b.Subjects), func(a, b Subject) int { return strings.Compare(a.Name, b.Name) })
			out[object] = b
		}
		return out
	}
	if diff := cmp.Diff(plain(want), plain(got)); diff != "" {
		t.Errorf("bindings: %s", diff)
	}
}
