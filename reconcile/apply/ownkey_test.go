package apply_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/inventory/userkey"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestOrderOfIssueForAnOwnKey: what the ledger has to know of, it knows before anything is sent.
func TestOrderOfIssueForAnOwnKey(t *testing.T) {
	w := reconciletest.NewWorld(t)
	inv := reconciletest.WithOwnKey(t, reconciletest.Parse(t, "users: [{name: alice, clusterRoles: [view]}]"), "alice", "laptop")
	p := w.Plan(inv)
	if got := p.Steps[0].Detail.PublicKeySHA256; got != reconciletest.FingerprintOf(t, "laptop") {
		t.Errorf("the plan shows key %q", got)
	}
	w.MustApply(inv)
	want := []string{
		"write state", "record alice active", "issue alice within 30s", "record alice active", "record alice active", "store alice",
		"create ClusterRoleBinding certsync:test:user:alice:view[alice]", "write state",
	}
	if diff := cmp.Diff(want, w.Writes()); diff != "" {
		t.Error(diff)
	}
	var told []string
	for n := range 3 {
		c := w.Ledger["alice"].Versions[n+1].Record.Certificates
		told = append(told, fmt.Sprintf("%d %s %v %v", len(c), c[0].Status, c[0].CSR != reconcile.CSRRef{}, c[0].PublicKeySHA256 == reconciletest.FingerprintOf(t, "laptop")))
	}
	if diff := cmp.Diff([]string{"1 requested false true", "1 requested true true", "1 current true true"}, told); diff != "" {
		t.Error(diff)
	}
	if c := w.Users["alice"].Versions[1].Credential; c.Key.Reveal() != nil || len(c.Certificate) == 0 || len(c.CA) == 0 {
		t.Errorf("stored: %+v", c)
	}
	w.Accounted()
	if p := w.Plan(inv); p.Changes() {
		t.Errorf("left: %q", reconciletest.Lines(p))
	}
}

// TestOwnKeyComesAndGoes: another key, the first one and none any more are each a reason for a new certificate. Another
// default for keys that certsync makes is none.
func TestOwnKeyComesAndGoes(t *testing.T) {
	w := reconciletest.NewWorld(t)
	text := "users: [{name: alice}]"
	w.MustApply(reconciletest.Parse(t, text))
	for _, c := range []struct {
		sentence string
		inv      *inventory.Inventory
		want     []string
		key      string // in users/alice at the end
	}{
		{"a request is added", reconciletest.WithOwnKey(t, reconciletest.Parse(t, text), "alice", "laptop"), []string{"reissue alice [request-changed]"}, "none"},
		{"another default", reconciletest.WithOwnKey(t, reconciletest.Parse(t, "defaults: {keyAlgorithm: RSA-2048}\n"+text), "alice", "laptop"), []string{}, "none"},
		{"another key", reconciletest.WithOwnKey(t, reconciletest.Parse(t, text), "alice", "phone"), []string{"reissue alice [request-changed]"}, "none"},
		{"other groups", reconciletest.WithOwnKey(t, reconciletest.Parse(t, "groups: [{name: devs}]\nusers: [{name: alice, groups: [devs]}]"), "alice", "phone"), []string{"reissue alice [groups-changed]"}, "none"},
		{"no request any more", reconciletest.Parse(t, text), []string{"reissue alice [groups-changed request-changed key-algorithm-changed]"}, "certsync's"},
	} {
		if diff := cmp.Diff(c.want, reconciletest.Lines(w.Plan(c.inv))); diff != "" {
			t.Fatalf("%s: %s", c.sentence, diff)
		}
		w.MustApply(c.inv)
		w.Accounted()
		s := w.Users["alice"]
		key := "none"
		if s.Versions[s.Current].Credential.Key.Reveal() != nil {
			key = "certsync's"
		}
		if key != c.key {
			t.Errorf("%s: the key that is stored is %s", c.sentence, key)
		}
		if p := w.Plan(c.inv); p.Changes() {
			t.Errorf("%s: left: %q", c.sentence, reconciletest.Lines(p))
		}
	}
	if diff := cmp.Diff([]string{"superseded", "superseded", "superseded", "superseded", "current"}, w.Entries("alice")); diff != "" {
		t.Error(diff)
	}
}

// TestRenewalOfAnOwnKey: the same request serves again, and a renewal is not part of the digest.
func TestRenewalOfAnOwnKey(t *testing.T) {
	w := reconciletest.NewWorld(t)
	inv := reconciletest.WithOwnKey(t, reconciletest.Parse(t, "users: [{name: alice}]"), "alice", "laptop")
	w.MustApply(inv)
	digest := w.Plan(inv).Digest()
	w.Now = w.Now.Add(6 * 24 * time.Hour)
	p := w.Plan(inv)
	if diff := cmp.Diff([]string{"renew alice [expiring]"}, reconciletest.Lines(p)); diff != "" || p.Digest() != digest {
		t.Error(diff, "or the digest is another")
	}
	w.MustApply(inv)
	if len(w.Issued) != 2 || userkey.Fingerprint(w.Issued[1].PublicKey) != reconciletest.FingerprintOf(t, "laptop") {
		t.Errorf("%d were issued", len(w.Issued))
	}
	w.Accounted()
}

// TestDigestCoversOwnKeys: whoever reviews a plan agrees to a key.
func TestDigestCoversOwnKeys(t *testing.T) {
	w := reconciletest.NewWorld(t)
	digests := map[string]bool{}
	for _, key := range []string{"laptop", "phone"} {
		p := w.Plan(reconciletest.WithOwnKey(t, reconciletest.Parse(t, "users: [{name: alice}]"), "alice", key))
		p.InventoryDigest = "" // which differs too
		digests[p.Digest()] = true
		text, err := json.Marshal(p)
		if err != nil || !strings.Contains(string(text), `"publicKeySHA256":"`+reconciletest.FingerprintOf(t, key)+`"`) {
			t.Errorf("%v: %s", err, text)
		}
	}
	if len(digests) != 2 {
		t.Error("plans for two keys have one digest")
	}
}

// TestOwnKeyCutOffAnywhere: whichever call fails first, and all that follow, the ledger knows of every certificate that
// came to be, and the next run ends where an undisturbed one does. One call more is that the signer's answer gets lost.
func TestOwnKeyCutOffAnywhere(t *testing.T) {
	before := "groups: [{name: devs}]\nusers: [{name: alice, clusterRoles: [view]}, {name: bob, groups: [devs]}]"
	after := "groups: [{name: devs}]\nusers: [{name: alice, groups: [devs], clusterRoles: [view]}, {name: bob, groups: [devs]}]"
	for sentence, first := range map[string]bool{"the first issue": false, "another key": true} {
		t.Run(sentence, func(t *testing.T) {
			for n, total := 0, 100; n < total; n++ {
				w := reconciletest.NewWorld(t)
				if first {
					w.MustApply(reconciletest.WithOwnKey(t, reconciletest.Parse(t, before), "alice", "laptop"))
				}
				inv := reconciletest.WithOwnKey(t, reconciletest.Parse(t, after), "alice", "phone")
				calls := 0
				w.Fail = func(string) error {
					if calls++; calls > n {
						return reconciletest.ErrBoom
					}
					return nil
				}
				if n%2 == 1 {
					w.Lost = reconciletest.ErrBoom
				}
				_, _ = w.Apply(inv)
				if calls <= n && w.Lost == nil {
					total = n // nothing has disturbed it
				}
				w.Accounted()
				w.Fail, w.Lost = nil, nil
				w.MustApply(inv)
				w.Accounted()
				if p := w.Plan(inv); p.Changes() || !slices.Contains(w.Entries("alice"), "current") || slices.Contains(w.Entries("alice"), "requested?") {
					t.Errorf("call %d: left %q, %q", n, reconciletest.Lines(p), w.Entries("alice"))
				}
			}
		})
	}
}

// TestCanaryWithOwnKeys: who can be logged in for comes first; where nobody can, the first certificate must come in time.
func TestCanaryWithOwnKeys(t *testing.T) {
	const text = "users: [{name: alice}, {name: bob}, {name: carol}]"
	issues := func(w *reconciletest.World) []string {
		return slices.DeleteFunc(slices.Clone(w.Calls), func(c string) bool { return !strings.HasPrefix(c, "issue") && !strings.HasPrefix(c, "login") })
	}
	for sentence, c := range map[string]struct {
		own  []string
		fail error
		want []string
	}{
		"one is certsync's":                         {[]string{"alice", "carol"}, nil, []string{"issue bob within 30s", "login bob", "issue alice within 2m0s", "issue carol within 2m0s"}},
		"none is certsync's":                        {[]string{"alice", "bob", "carol"}, nil, []string{"issue alice within 30s", "issue bob within 2m0s", "issue carol within 2m0s"}},
		"none, and the signer is down":              {[]string{"alice", "bob", "carol"}, reconcile.ErrNotIssued, []string{"issue alice within 30s"}},
		"one, and it fails for a reason of its own": {[]string{"alice", "carol"}, reconciletest.ErrBoom, []string{"issue bob within 30s", "issue alice within 30s", "issue carol within 30s"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			inv := reconciletest.Parse(t, text)
			for _, user := range c.own {
				reconciletest.WithOwnKey(t, inv, user, user+"'s")
			}
			if c.fail != nil {
				w.Fail = reconciletest.Failing("issue", c.fail)
			}
			if _, err := w.Apply(inv); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, issues(w)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// countingIssuer counts the certificates that an issuer hands out.
type countingIssuer struct {
	reconcile.Issuer
	issued *int
}

func (c countingIssuer) Issue(ctx context.Context, r reconcile.CertificateRequest) (reconcile.Issued, error) {
	issued, err := c.Issuer.Issue(ctx, r)
	if err == nil {
		*c.issued++
	}
	return issued, err
}

// TestNothingIsIssuedUnrecorded: if the ledger cannot be written, there is neither a request nor a certificate; if it
// cannot be written once the request exists, that is not signed. So it is with a CA of certsync's own.
func TestNothingIsIssuedUnrecorded(t *testing.T) {
	for _, issuer := range []string{"csr", "ca"} {
		for nth, want := range []string{"", "issue alice"} {
			t.Run(fmt.Sprintf("%s, write %d", issuer, nth+1), func(t *testing.T) {
				w := reconciletest.NewWorld(t)
				signed := 0
				if issuer == "ca" {
					a := reconciletest.NewAuthority(t, reconciletest.NewECKey(t), nil)
					w.Issuer = countingIssuer{a.Issuer(t), &signed}
				}
				records := 0
				w.Fail = func(call string) error {
					if strings.HasPrefix(call, "record") {
						if records++; records == nth+1 {
							return reconciletest.ErrBoom
						}
					}
					return nil
				}
				o, err := w.Apply(reconciletest.WithOwnKey(t, reconciletest.Parse(t, "users: [{name: alice}]"), "alice", "laptop"))
				if err != nil {
					t.Fatal(err)
				}
				if issuer == "ca" && nth == 1 {
					// There is nothing to add for a request that is no object: the second write is that of the certificate.
					if signed != 1 || o.Failed() != 1 || !slices.Equal(w.Entries("alice"), []string{"requested?"}) {
						t.Errorf("%d signed, %d failed, %q", signed, o.Failed(), w.Entries("alice"))
					}
					return
				}
				asked := slices.ContainsFunc(w.Calls, func(c string) bool { return strings.HasPrefix(c, "issue alice") })
				if o.Failed() != 1 || signed+len(w.Issued) > 0 || asked != (want != "") {
					t.Errorf("%d failed, %d signed, calls %q", o.Failed(), signed+len(w.Issued), w.Calls)
				}
			})
		}
	}
}

// TestRequestThatIsNone: an inventory that nobody has parsed gets nobody a certificate for a key of certsync's.
func TestRequestThatIsNone(t *testing.T) {
	w := reconciletest.NewWorld(t)
	inv := reconciletest.Parse(t, "users: [{name: alice}]")
	inv.Users[0].Request = []byte("x")
	o, err := w.Apply(inv)
	if err != nil || o.Failed() != 1 || len(w.Issued) > 0 || !strings.Contains(o.Events[0].Error, "no PKCS#10") {
		t.Errorf("%v, %+v", err, o.Events)
	}
}
