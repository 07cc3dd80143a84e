package reconcile

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
)

// TestOrderOfIssueForAnOwnKey: what the ledger has to know of, it knows before anything is sent.
func TestOrderOfIssueForAnOwnKey(t *testing.T) {
	w := newWorld(t)
	inv := withOwnKey(t, parse(t, "users: [{name: alice, clusterRoles: [view]}]"), "alice", "laptop")
	p := w.plan(inv)
	if got := p.Steps[0].Detail.PublicKeySHA256; got != fingerprintOf(t, "laptop") {
		t.Errorf("the plan shows key %q", got)
	}
	w.mustApply(inv)
	want := []string{
		"write state", "record alice active", "issue alice within 30s", "record alice active", "record alice active", "store alice",
		"create ClusterRoleBinding certsync:test:user:alice:view[alice]",
	}
	if diff := cmp.Diff(want, w.writes()); diff != "" {
		t.Error(diff)
	}
	var told []string
	for n := range 3 {
		c := w.ledger["alice"].versions[n+1].record.Certificates
		told = append(told, fmt.Sprintf("%d %s %v %v", len(c), c[0].Status, c[0].CSR != CSRRef{}, c[0].PublicKeySHA256 == fingerprintOf(t, "laptop")))
	}
	if diff := cmp.Diff([]string{"1 requested false true", "1 requested true true", "1 current true true"}, told); diff != "" {
		t.Error(diff)
	}
	if c := w.users["alice"].versions[1].credential; c.Key.Reveal() != nil || len(c.Certificate) == 0 || len(c.CA) == 0 {
		t.Errorf("stored: %+v", c)
	}
	w.accounted()
	if p := w.plan(inv); p.Changes() {
		t.Errorf("left: %q", lines(p))
	}
}

// TestOwnKeyComesAndGoes: another key, the first one and none any more are each a reason for a new certificate. Another
// default for keys that certsync makes is none.
func TestOwnKeyComesAndGoes(t *testing.T) {
	w := newWorld(t)
	text := "users: [{name: alice}]"
	w.mustApply(parse(t, text))
	for _, c := range []struct {
		sentence string
		inv      *inventory.Inventory
		want     []string
		key      string // in users/alice at the end
	}{
		{"a request is added", withOwnKey(t, parse(t, text), "alice", "laptop"), []string{"reissue alice [request-changed]"}, "none"},
		{"another default", withOwnKey(t, parse(t, "defaults: {keyAlgorithm: RSA-2048}\n"+text), "alice", "laptop"), []string{}, "none"},
		{"another key", withOwnKey(t, parse(t, text), "alice", "phone"), []string{"reissue alice [request-changed]"}, "none"},
		{"other groups", withOwnKey(t, parse(t, "groups: [{name: devs}]\nusers: [{name: alice, groups: [devs]}]"), "alice", "phone"), []string{"reissue alice [groups-changed]"}, "none"},
		{"no request any more", parse(t, text), []string{"reissue alice [groups-changed request-changed key-algorithm-changed]"}, "certsync's"},
	} {
		if diff := cmp.Diff(c.want, lines(w.plan(c.inv))); diff != "" {
			t.Fatalf("%s: %s", c.sentence, diff)
		}
		w.mustApply(c.inv)
		w.accounted()
		s := w.users["alice"]
		key := "none"
		if s.versions[s.current].credential.Key.Reveal() != nil {
			key = "certsync's"
		}
		if key != c.key {
			t.Errorf("%s: the key that is stored is %s", c.sentence, key)
		}
		if p := w.plan(c.inv); p.Changes() {
			t.Errorf("%s: left: %q", c.sentence, lines(p))
		}
	}
	if diff := cmp.Diff([]string{"superseded", "superseded", "superseded", "superseded", "current"}, w.entries("alice")); diff != "" {
		t.Error(diff)
	}
}

// TestRenewalOfAnOwnKey: the same request serves again, and a renewal is not part of the digest.
func TestRenewalOfAnOwnKey(t *testing.T) {
	w := newWorld(t)
	inv := withOwnKey(t, parse(t, "users: [{name: alice}]"), "alice", "laptop")
	w.mustApply(inv)
	digest := w.plan(inv).Digest()
	w.now = w.now.Add(6 * 24 * time.Hour)
	p := w.plan(inv)
	if diff := cmp.Diff([]string{"renew alice [expiring]"}, lines(p)); diff != "" || p.Digest() != digest {
		t.Error(diff, "or the digest is another")
	}
	w.mustApply(inv)
	if len(w.issued) != 2 || inventory.Fingerprint(w.issued[1].PublicKey) != fingerprintOf(t, "laptop") {
		t.Errorf("%d were issued", len(w.issued))
	}
	w.accounted()
}

// TestDigestCoversOwnKeys: whoever reviews a plan agrees to a key.
func TestDigestCoversOwnKeys(t *testing.T) {
	w := newWorld(t)
	digests := map[string]bool{}
	for _, key := range []string{"laptop", "phone"} {
		p := w.plan(withOwnKey(t, parse(t, "users: [{name: alice}]"), "alice", key))
		p.InventoryDigest = "" // which differs too
		digests[p.Digest()] = true
		text, err := json.Marshal(p)
		if err != nil || !strings.Contains(string(text), `"publicKeySHA256":"`+fingerprintOf(t, key)+`"`) {
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
				w := newWorld(t)
				if first {
					w.mustApply(withOwnKey(t, parse(t, before), "alice", "laptop"))
				}
				inv := withOwnKey(t, parse(t, after), "alice", "phone")
				calls := 0
				w.fail = func(string) error {
					if calls++; calls > n {
						return errBoom
					}
					return nil
				}
				if n%2 == 1 {
					w.lost = errBoom
				}
				_, _ = w.apply(inv)
				if calls <= n && w.lost == nil {
					total = n // nothing has disturbed it
				}
				w.accounted()
				w.fail, w.lost = nil, nil
				w.mustApply(inv)
				w.accounted()
				if p := w.plan(inv); p.Changes() || !slices.Contains(w.entries("alice"), "current") || slices.Contains(w.entries("alice"), "requested?") {
					t.Errorf("call %d: left %q, %q", n, lines(p), w.entries("alice"))
				}
			}
		})
	}
}

// TestCanaryWithOwnKeys: who can be logged in for comes first; where nobody can, the first certificate must come in time.
func TestCanaryWithOwnKeys(t *testing.T) {
	const text = "users: [{name: alice}, {name: bob}, {name: carol}]"
	issues := func(w *world) []string {
		return slices.DeleteFunc(slices.Clone(w.calls), func(c string) bool { return !strings.HasPrefix(c, "issue") && !strings.HasPrefix(c, "login") })
	}
	for sentence, c := range map[string]struct {
		own  []string
		fail error
		want []string
	}{
		"one is certsync's":                         {[]string{"alice", "carol"}, nil, []string{"issue bob within 30s", "login bob", "issue alice within 2m0s", "issue carol within 2m0s"}},
		"none is certsync's":                        {[]string{"alice", "bob", "carol"}, nil, []string{"issue alice within 30s", "issue bob within 2m0s", "issue carol within 2m0s"}},
		"none, and the signer is down":              {[]string{"alice", "bob", "carol"}, ErrNotIssued, []string{"issue alice within 30s"}},
		"one, and it fails for a reason of its own": {[]string{"alice", "carol"}, errBoom, []string{"issue bob within 30s", "issue alice within 30s", "issue carol within 30s"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			inv := parse(t, text)
			for _, user := range c.own {
				withOwnKey(t, inv, user, user+"'s")
			}
			if c.fail != nil {
				w.fail = failing("issue", c.fail)
			}
			if _, err := w.apply(inv); err != nil {
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
	Issuer
	issued *int
}

func (c countingIssuer) Issue(ctx context.Context, r CertificateRequest) (Issued, error) {
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
				w := newWorld(t)
				signed := 0
				if issuer == "ca" {
					a := newAuthority(t, newECKey(t), nil)
					w.issuer = countingIssuer{a.issuer(t), &signed}
				}
				records := 0
				w.fail = func(call string) error {
					if strings.HasPrefix(call, "record") {
						if records++; records == nth+1 {
							return errBoom
						}
					}
					return nil
				}
				o, err := w.apply(withOwnKey(t, parse(t, "users: [{name: alice}]"), "alice", "laptop"))
				if err != nil {
					t.Fatal(err)
				}
				if issuer == "ca" && nth == 1 {
					// There is nothing to add for a request that is no object: the second write is that of the certificate.
					if signed != 1 || o.Failed() != 1 || !slices.Equal(w.entries("alice"), []string{"requested?"}) {
						t.Errorf("%d signed, %d failed, %q", signed, o.Failed(), w.entries("alice"))
					}
					return
				}
				asked := slices.ContainsFunc(w.calls, func(c string) bool { return strings.HasPrefix(c, "issue alice") })
				if o.Failed() != 1 || signed+len(w.issued) > 0 || asked != (want != "") {
					t.Errorf("%d failed, %d signed, calls %q", o.Failed(), signed+len(w.issued), w.calls)
				}
			})
		}
	}
}

// TestRequestThatIsNone: an inventory that nobody has parsed gets nobody a certificate for a key of certsync's.
func TestRequestThatIsNone(t *testing.T) {
	w := newWorld(t)
	inv := parse(t, "users: [{name: alice}]")
	inv.Users[0].Request = []byte("x")
	o, err := w.apply(inv)
	if err != nil || o.Failed() != 1 || len(w.issued) > 0 || !strings.Contains(o.Events[0].Error, "no PKCS#10") {
		t.Errorf("%v, %+v", err, o.Events)
	}
}
