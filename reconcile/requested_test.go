package reconcile

import (
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestRequestedIsAccountedFor: somebody whose certificate may have come to be is quarantined until it must have ended,
// status says so, and then it is forgotten.
func TestRequestedIsAccountedFor(t *testing.T) {
	w := newWorld(t)
	inv := withOwnKey(t, parse(t, "groups: [{name: devs}]\nusers: [{name: alice, groups: [devs], expiration: 24h}, {name: bob}]"), "alice", "laptop")
	w.lost = errBoom
	if _, err := w.apply(inv); err != nil {
		t.Fatal(err)
	}
	until := w.now.Add(50*time.Hour + 24*time.Hour + slack)
	want := []AcceptedCertificate{{Status: Requested, NotAfter: until, Groups: []string{"devs"}, PublicKeySHA256: fingerprintOf(t, "laptop")}}
	u := statusOf(w, inv).Users[0]
	if diff := cmp.Diff(want, u.Certificates); diff != "" || u.State != NoCredential || !u.CertificatesUntil.Equal(until) {
		t.Error(diff, u.State, u.CertificatesUntil)
	}
	w.lost = nil
	w.rules.MaxRemovals = limit(t, "100%")
	gone := parse(t, "groups: [{name: devs}]\nusers: [{name: bob}]")
	w.mustApply(gone)
	w.accounted()
	if diff := cmp.Diff([]string{"revoked?"}, w.entries("alice")); diff != "" {
		t.Error(diff)
	}
	p := w.plan(gone)
	note := slices.IndexFunc(p.Notes, func(n Note) bool { return n.Kind == LiveCertificate && n.User == "alice" })
	if note < 0 || !strings.Contains(p.Notes[note].Message, "requested for their own key") || !p.Notes[note].Until.Equal(until) {
		t.Errorf("notes %+v", p.Notes)
	}
	back := w.plan(inv)
	if i := slices.IndexFunc(back.Steps, func(s Step) bool { return s.User == "alice" }); !strings.Contains(back.Steps[i].Held, "the name is quarantined") {
		t.Errorf("%q", lines(back))
	}
	w.rules.Reinstate = []string{"alice"}
	if back = w.plan(inv); len(back.Refusals()) > 0 || !slices.Contains(lines(back), "reissue alice [reinstated]") {
		t.Errorf("%q: %q", lines(back), back.Refusals())
	}
	w.rules.Reinstate = nil
	w.now = until.Add(time.Second)
	if diff := cmp.Diff([]string{"purge alice [certificates-expired]"}, slices.DeleteFunc(lines(w.plan(gone)), func(l string) bool { return strings.Contains(l, "bob") })); diff != "" {
		t.Error(diff)
	}
}

// TestRequestsDoNotPileUp: a signer that is down, or people who are away, leave one entry of earlier runs beside the last.
func TestRequestsDoNotPileUp(t *testing.T) {
	for sentence, c := range map[string]struct {
		err  error
		want []string
	}{
		"nobody approves":   {ErrNotApproved, []string{"requested?", "requested?"}},
		"nothing is issued": {ErrNotIssued, []string{"requested?", "requested?"}},
		"somebody denies":   {Denial{Request: "certsync-1"}, []string{"requested?"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			inv := withOwnKey(t, parse(t, "users: [{name: alice}]"), "alice", "laptop")
			w.lost = ErrNotApproved
			for range 4 {
				w.rules.Retry = []string{"alice"}
				if _, err := w.apply(inv); err != nil {
					t.Fatal(err)
				}
				w.now = w.now.Add(time.Hour)
				w.accounted()
			}
			w.lost = c.err
			if _, err := w.apply(inv); err != nil {
				t.Fatal(err)
			}
			if _, isDenial := c.err.(Denial); !isDenial {
				w.accounted()
			}
			if diff := cmp.Diff(c.want, w.entries("alice")); diff != "" {
				t.Error(diff)
			}
			w.lost = nil
			w.mustApply(inv)
			w.now = w.now.Add(10 * 24 * time.Hour) // all that was asked for has ended
			w.mustApply(inv)
			if diff := cmp.Diff([]string{"current"}, w.entries("alice")); diff != "" {
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
			w := newWorld(t)
			w.sign = c.sign
			inv := withOwnKey(t, parse(t, "users: [{name: alice}]"), "alice", "laptop")
			o, err := w.apply(inv)
			if err != nil || o.Failed() != 1 || w.users["alice"] != nil {
				t.Errorf("%v, %d failed", err, o.Failed())
			}
			if diff := cmp.Diff(c.want, w.entries("alice")); diff != "" {
				t.Error(diff)
			}
			if c.want[0] == "superseded" {
				w.accounted()
			}
		})
	}
}
