package status

import (
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestRequestedIsAccountedFor: somebody whose certificate may have come to be comes back in a later epoch until it must have ended,
// status says so, and then it is forgotten.
func TestRequestedIsAccountedFor(t *testing.T) {
	w := reconciletest.NewWorld(t)
	inv := reconciletest.WithOwnKey(t, reconciletest.Parse(t, "groups: [{name: devs}]\nusers: [{name: alice, groups: [devs], expiration: 24h}, {name: bob}]"), "alice", "laptop")
	w.Lost = reconciletest.ErrBoom
	if _, err := w.Apply(inv); err != nil {
		t.Fatal(err)
	}
	until := w.Now.Add(50*time.Hour + 24*time.Hour + reconcile.Slack)
	want := []AcceptedCertificate{{Status: reconcile.Requested, NotAfter: until, Groups: []string{"devs"}, PublicKeySHA256: reconciletest.FingerprintOf(t, "laptop"), Username: "alice", ResidualAccess: []access.Given{}}}
	u := statusOf(w, inv).Users[0]
	if diff := cmp.Diff(want, u.Certificates); diff != "" || u.State != NoCredential || !u.CertificatesUntil.Equal(until) {
		t.Error(diff, u.State, u.CertificatesUntil)
	}
	w.Lost = nil
	w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
	gone := reconciletest.Parse(t, "groups: [{name: devs}]\nusers: [{name: bob}]")
	w.MustApply(gone)
	w.Accounted()
	if diff := cmp.Diff([]string{"revoked?"}, w.Entries("alice")); diff != "" {
		t.Error(diff)
	}
	p := w.Plan(gone)
	note := slices.IndexFunc(p.Notes, func(n reconcile.Note) bool { return n.Kind == reconcile.LiveCertificate && n.User == "alice" })
	if note < 0 || !strings.Contains(p.Notes[note].Message, "the request with their own key") || !p.Notes[note].Until.Equal(until) {
		t.Errorf("notes %+v", p.Notes)
	}
	if back := w.Plan(inv); !slices.Contains(reconciletest.Lines(back), "issue alice [new-user] held") || !strings.Contains(back.Held()[0].Held, `the certificate must be for "alice#2"`) {
		t.Errorf("%q", reconciletest.Lines(back))
	}
	w.Now = until.Add(time.Second)
	if diff := cmp.Diff([]string{"purge alice [certificates-expired]"}, slices.DeleteFunc(reconciletest.Lines(w.Plan(gone)), func(l string) bool { return strings.Contains(l, "bob") })); diff != "" {
		t.Error(diff)
	}
}

// TestRequestsDoNotPileUp: a signer that is down, or people who are away, leave one entry of earlier runs beside the last.
func TestRequestsDoNotPileUp(t *testing.T) {
	for sentence, c := range map[string]struct {
		err  error
		want []string
	}{
		"nobody approves":   {reconcile.ErrNotApproved, []string{"requested?", "requested?"}},
		"nothing is issued": {reconcile.ErrNotIssued, []string{"requested?", "requested?"}},
		"somebody denies":   {reconcile.Denial{Request: "certsync-1"}, []string{"requested?"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			inv := reconciletest.WithOwnKey(t, reconciletest.Parse(t, "users: [{name: alice}]"), "alice", "laptop")
			w.Lost = reconcile.ErrNotApproved
			for range 4 {
				w.Rules.Retry = []string{"alice"}
				if _, err := w.Apply(inv); err != nil {
					t.Fatal(err)
				}
				w.Now = w.Now.Add(time.Hour)
				w.Accounted()
			}
			w.Lost = c.err
			if _, err := w.Apply(inv); err != nil {
				t.Fatal(err)
			}
			if _, isDenial := c.err.(reconcile.Denial); !isDenial {
				w.Accounted()
			}
			if diff := cmp.Diff(c.want, w.Entries("alice")); diff != "" {
				t.Error(diff)
			}
			w.Lost = nil
			w.MustApply(inv)
			w.Now = w.Now.Add(10 * 24 * time.Hour) // all that was asked for has ended
			w.MustApply(inv)
			if diff := cmp.Diff([]string{"current"}, w.Entries("alice")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestCertificateThatIsNotTaken: what the signer gave and certsync does not store, the user may use all the same.
func TestCertificateThatIsNotTaken(t *testing.T) {
	for sentence, c := range map[string]struct {
		sign func(*x509.Certificate)
		want []string
	}{
		"it lives longer than asked": {func(c *x509.Certificate) { c.NotAfter = c.NotAfter.AddDate(1, 0, 0) }, []string{"superseded"}},
		"it has a group more":        {func(c *x509.Certificate) { c.Subject.Organization = []string{"admins"} }, []string{"superseded"}},
		"it is for somebody else":    {func(c *x509.Certificate) { c.Subject.CommonName = "mallory" }, []string{"requested?"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.Sign = c.sign
			inv := reconciletest.WithOwnKey(t, reconciletest.Parse(t, "users: [{name: alice}]"), "alice", "laptop")
			o, err := w.Apply(inv)
			if err != nil || o.Failed() != 1 || w.Users["alice"] != nil {
				t.Errorf("%v, %d failed", err, o.Failed())
			}
			if diff := cmp.Diff(c.want, w.Entries("alice")); diff != "" {
				t.Error(diff)
			}
			if c.want[0] == "superseded" {
				w.Accounted()
			}
		})
	}
}
