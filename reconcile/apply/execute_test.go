package apply_test

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestOrderOfIssue: approve and verify, then log in once, then ledger, credential, bindings; a group's binding once for
// all its members. With one worker the order is the whole order.
func TestOrderOfIssue(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	want := []string{
		"write state",
		"issue alice within 30s", "login alice", "record alice active", "store alice",
		"create ClusterRoleBinding certsync:test:user:alice:admin[alice]",
		"issue bob within 2m0s", "record bob active", "store bob",
		"issue carol within 2m0s", "record carol active", "store carol",
		"create RoleBinding payments/certsync:test:user:carol:edit[carol]",
		"create ClusterRoleBinding certsync:test:group:devs:view[alice bob]",
		"create RoleBinding staging/certsync:test:group:devs:edit[alice bob]",
		"write state",
	}
	if diff := cmp.Diff(want, w.Writes()); diff != "" {
		t.Error(diff)
	}
}

// TestOrderOfRemoval: the ledger says "removing" before anything goes; bindings before credential; "removed" last; and
// all of it before somebody else's certificate is asked for.
func TestOrderOfRemoval(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.MustApply(reconciletest.Parse(t, strings.Replace(reconciletest.Team, "name: alice, groups: [devs], clusterRoles: [admin]", "name: zoe", 1)))
	want := []string{
		"write state",
		"record alice removing",
		"delete ClusterRoleBinding certsync:test:user:alice:admin",
		"update ClusterRoleBinding certsync:test:group:devs:view[bob]",
		"update RoleBinding staging/certsync:test:group:devs:edit[bob]",
		"erase alice", "record alice removed",
		"issue zoe within 30s", "login zoe", "record zoe active", "store zoe", "write state",
	}
	if diff := cmp.Diff(want, w.Writes()); diff != "" {
		t.Error(diff)
	}
}

// TestOrderOfRoleChange: the new binding comes before the old one goes.
func TestOrderOfRoleChange(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.MustApply(reconciletest.Parse(t, strings.Replace(reconciletest.Team, "[admin]}", "[edit]}", 1)))
	want := []string{
		"write state",
		"create ClusterRoleBinding certsync:test:user:alice:edit[alice]",
		"delete ClusterRoleBinding certsync:test:user:alice:admin",
	}
	if diff := cmp.Diff(want, w.Writes()); diff != "" {
		t.Error(diff)
	}
}

// TestOrderOfRoleChangeCutOff: the next run, for which the inventory is no new one, keeps that order.
func TestOrderOfRoleChangeCutOff(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	changed := reconciletest.Parse(t, strings.Replace(reconciletest.Team, "[admin]}", "[edit]}", 1))
	w.Fail = reconciletest.Failing("create", reconciletest.ErrBoom)
	if _, err := w.Apply(changed); err != nil {
		t.Fatal(err)
	}
	w.Fail = nil
	w.MustApply(changed)
	want := []string{
		"write state",
		"create ClusterRoleBinding certsync:test:user:alice:edit[alice]",
		"delete ClusterRoleBinding certsync:test:user:alice:admin",
	}
	if diff := cmp.Diff(want, w.Writes()); diff != "" {
		t.Error(diff)
	}
}

// TestRoleChangeFails: who cannot get the new role keeps the old one until they can, and the run says so.
func TestRoleChangeFails(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.Fail = reconciletest.Failing("create", reconciletest.ErrBoom)
	changed := reconciletest.Parse(t, strings.Replace(reconciletest.Team, "[admin]}", "[edit]}", 1))
	o, err := w.Apply(changed)
	if err != nil || !slices.Equal(reconciletest.Results(o), []string{"bind alice: failed", "unbind alice: held"}) {
		t.Errorf("%v, %q", err, reconciletest.Results(o))
	}
	// Without a new role there is nothing to wait for.
	o, err = w.Apply(reconciletest.Parse(t, strings.Replace(reconciletest.Team, ", clusterRoles: [admin]}", "}", 1)))
	if err != nil || !slices.Equal(reconciletest.Results(o), []string{"unbind alice: done"}) {
		t.Errorf("%v, %q", err, reconciletest.Results(o))
	}
}

// TestGroupRoleChangeFails: the members wait for their new role in the old one; whoever leaves, or leaves the group, does
// not.
func TestGroupRoleChangeFails(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team+"  - {name: dan, groups: [devs]}\n"))
	w.Fail = reconciletest.Failing("create", reconciletest.ErrBoom)
	changed := strings.NewReplacer("clusterRoles: [view]", "clusterRoles: [edit]", "name: bob, groups: [devs]", "name: bob").Replace(reconciletest.Team)
	if _, err := w.Apply(reconciletest.Parse(t, changed)); err != nil {
		t.Fatal(err)
	}
	if got := reconcile.SubjectNames(w.Bindings["ClusterRoleBinding certsync:test:group:devs:view"].Subjects); !slices.Equal(got, []string{"alice"}) {
		t.Errorf("in the old role: %q", got)
	}
	if rec := w.Ledger["dan"].Versions[w.Ledger["dan"].Current].Record; rec.State != reconcile.Removed {
		t.Errorf("the leaver's record says %s", rec.State)
	}
	w.Fail = nil
	w.MustApply(reconciletest.Parse(t, changed))
	if p := w.Plan(reconciletest.Parse(t, changed)); p.Changes() {
		t.Errorf("left: %q", reconciletest.Lines(p))
	}
}

// TestReissueDestroys: older versions of a credential do not outlive the new one.
func TestReissueDestroys(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	inv := reconciletest.Parse(t, strings.Replace(reconciletest.Team, "name: bob, groups: [devs]", "name: bob", 1))
	w.MustApply(inv)
	if v := w.Users["bob"].Versions; !v[1].Destroyed || v[2].Destroyed {
		t.Errorf("versions: %+v, %+v", v[1], v[2])
	}
	rec := w.Ledger["bob"].Versions[2].Record
	if len(rec.Certificates) != 2 || rec.Certificates[0].Status != reconcile.Superseded || rec.Certificates[1].Status != reconcile.Current ||
		rec.Certificates[1].CredentialVersion != 2 {
		t.Errorf("record: %+v", rec)
	}
	if got := reconciletest.Kinds(w.Plan(inv)); !slices.Equal(got, []string{"live-certificate bob"}) {
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
			w := reconciletest.NewWorld(t)
			w.Sign = sign
			o, err := w.Apply(reconciletest.Parse(t, "users: [{name: bob}]"))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(reconciletest.Results(o), []string{"issue bob: failed"}) || len(w.Ledger)+len(w.Users) > 0 {
				t.Errorf("%q; ledger %v, users %v", reconciletest.Results(o), w.Ledger, w.Users)
			}
		})
	}
}

// TestShortened: a signer that gives less time than asked for is noted, not refused.
func TestShortened(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.Sign = func(c *x509.Certificate) { c.NotAfter = w.Now.Add(time.Hour) }
	o := w.MustApply(reconciletest.Parse(t, "users: [{name: bob}]"))
	if want := "the signer shortened the certificate: it is valid for 1h, not the 168h requested"; o.Events[0].Note != want {
		t.Errorf("note: %q", o.Events[0].Note)
	}
}

// TestCanaryIdentity: the API server must take the first certificate for whom it names.
func TestCanaryIdentity(t *testing.T) {
	tests := map[string]struct {
		login func(reconcile.Identity) (reconcile.Identity, error)
		ok    bool
	}{
		"as asked":               {func(id reconcile.Identity) (reconcile.Identity, error) { return id, nil }, true},
		"forbidden, but by name": {func(id reconcile.Identity) (reconcile.Identity, error) { return reconcile.Identity{Name: id.Name}, nil }, true},
		"for somebody else": {func(id reconcile.Identity) (reconcile.Identity, error) {
			return reconcile.Identity{Name: "system:anonymous"}, nil
		}, false},
		"without one of the group": {func(id reconcile.Identity) (reconcile.Identity, error) {
			id.Groups = []string{"system:authenticated"}
			return id, nil
		}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.Login = tt.login
			o, err := w.Apply(reconciletest.Parse(t, reconciletest.Team))
			if err != nil || (o.Failed() == 0) != tt.ok {
				t.Errorf("%v, %q", err, reconciletest.Results(o))
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
	one, many := reconciletest.NewWorld(t), reconciletest.NewWorld(t)
	one.MustApply(reconciletest.Parse(t, text))
	if _, err := many.ApplyWith(reconciletest.Parse(t, text), 50, func(reconcile.Plan) error { return nil }); err != nil {
		t.Fatal(err)
	}
	reconciletest.SameBindings(t, one, many)
	if p := many.Plan(reconciletest.Parse(t, text)); p.Changes() {
		t.Errorf("left: %q", reconciletest.Lines(p))
	}
}
