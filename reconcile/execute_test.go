package reconcile

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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

// TestOrderOfRoleChangeCutOff: the next run, for which the inventory is no new one, keeps that order.
func TestOrderOfRoleChangeCutOff(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, team))
	changed := parse(t, strings.Replace(team, "[admin]}", "[edit]}", 1))
	w.fail = failing("create", errBoom)
	if _, err := w.apply(changed); err != nil {
		t.Fatal(err)
	}
	w.fail = nil
	w.mustApply(changed)
	want := []string{
		"write state",
		"create ClusterRoleBinding certsync:test:user:alice:edit[alice]",
		"delete ClusterRoleBinding certsync:test:user:alice:admin",
	}
	if diff := cmp.Diff(want, w.writes()); diff != "" {
		t.Error(diff)
	}
}

// TestRoleChangeFails: who cannot get the new role keeps the old one until they can, and the run says so.
func TestRoleChangeFails(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, team))
	w.fail = failing("create", errBoom)
	changed := parse(t, strings.Replace(team, "[admin]}", "[edit]}", 1))
	o, err := w.apply(changed)
	if err != nil || !slices.Equal(results(o), []string{"bind alice: failed", "unbind alice: held"}) {
		t.Errorf("%v, %q", err, results(o))
	}
	// Without a new role there is nothing to wait for.
	o, err = w.apply(parse(t, strings.Replace(team, ", clusterRoles: [admin]}", "}", 1)))
	if err != nil || !slices.Equal(results(o), []string{"unbind alice: done"}) {
		t.Errorf("%v, %q", err, results(o))
	}
}

// TestGroupRoleChangeFails: the members wait for their new role in the old one; whoever leaves, or leaves the group, does
// not.
func TestGroupRoleChangeFails(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, team+"  - {name: dan, groups: [devs]}\n"))
	w.fail = failing("create", errBoom)
	changed := strings.NewReplacer("clusterRoles: [view]", "clusterRoles: [edit]", "name: bob, groups: [devs]", "name: bob").Replace(team)
	if _, err := w.apply(parse(t, changed)); err != nil {
		t.Fatal(err)
	}
	if got := names(w.bindings["ClusterRoleBinding certsync:test:group:devs:view"].Subjects); !slices.Equal(got, []string{"alice"}) {
		t.Errorf("in the old role: %q", got)
	}
	if rec := w.ledger["dan"].versions[w.ledger["dan"].current].record; rec.State != Removed {
		t.Errorf("the leaver's record says %s", rec.State)
	}
	w.fail = nil
	w.mustApply(parse(t, changed))
	if p := w.plan(parse(t, changed)); p.Changes() {
		t.Errorf("left: %q", lines(p))
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
