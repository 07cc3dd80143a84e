package inventory

import (
	"crypto/x509"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode"

	"github.com/certsync/certsync/inventory/strict"
	"github.com/certsync/certsync/inventory/userkey"
)

func FuzzParse(f *testing.F) {
	full, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(full)
	f.Add([]byte(digestBase))
	f.Add([]byte(header + "groups: [{name: g, namespaces: {n: [{name: r, until: 2027-01-31}]}}]\nusers: [{name: a, previously: [b, c], groups: [g]}]"))
	for _, table := range []map[string]refusal{documentRefusals, fieldRefusals, nameRefusals, timeRefusals, clusterRefusals, grantRefusals, clustersRefusals} {
		for _, c := range table {
			f.Add([]byte(c.text))
		}
	}
	f.Add([]byte(withRequest))
	f.Add([]byte(threeClusters))
	files, schema := fstest.MapFS{"ca.crt": {Data: certificate(f)}, "alice.csr": {Data: []byte(csr(f, nil, "devs"))}}, validator(f, Schema())
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := parseFile("users.yaml", data, files)
		again, errAgain := parseFile("users.yaml", data, files)
		if err != nil {
			if errAgain == nil || err.Error() != errAgain.Error() {
				t.Fatalf("first %v, then %v", err, errAgain)
			}
			for _, p := range err.(strict.Problems) {
				if !onOneLine(p) || p.Line < 1 || p.Column < 1 {
					t.Fatalf("%#v", p)
				}
			}
			return
		}
		if err := validate(schema, string(data)); err != nil {
			t.Fatalf("the schema refuses what the parser takes: %v", err)
		}
		for _, m := range file.Members {
			inv, other := file.Effective(m), again.Effective(m)
			if errAgain != nil || inv.Digest() != other.Digest() {
				t.Fatal("two parses of the same bytes differ")
			}
			obeys(t, inv)
			slices.Reverse(other.Groups)
			slices.Reverse(other.Users)
			if inv.Digest() != other.Digest() {
				t.Fatal("the digest depends on the order of groups or users")
			}
		}
	})
}

// FuzzRequest: no bytes in the file of a request make it panic or get into a message. What is taken is a request for the
// user and their groups, of a key that is known, and is read as the same when it is written again.
func FuzzRequest(f *testing.F) {
	for _, file := range []string{"ecdsa.csr", "rsa.csr", "bare-plus.csr"} {
		data, err := os.ReadFile("testdata/requests/" + file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(csr(f, nil, "devs")))
	f.Add([]byte(csr(f, func(r *x509.CertificateRequest) { r.DNSNames = []string{"x.example.com"} }, "devs")))
	messages := []string{otherNames, otherKey, unsafeKey, badlySigned, notSigned, askedMore, notAlone, notPEM, notRequest, privateHeld, "is larger than 64 KiB", "is in UTF-16: save it as UTF-8"}
	f.Fuzz(func(t *testing.T, data []byte) {
		inv, err := Parse("users.yaml", []byte(withRequest), fstest.MapFS{"alice.csr": {Data: data}})
		if err != nil {
			_, message, _ := strings.Cut(err.Error(), `file "alice.csr" `)
			if !slices.Contains(messages, message) {
				t.Fatal(err)
			}
			return
		}
		request := inv.Users[0].Request
		r, err := x509.ParseCertificateRequest(pemBytes(t, string(request)))
		if err != nil || r.CheckSignature() != nil || userkey.AlgorithmOf(r.PublicKey) == "" || userkey.Fingerprint(r.PublicKey) == "" {
			t.Fatalf("%v: %+v", err, r)
		}
		if r.Subject.String() != "CN=alice,O=devs" && r.Subject.String() != "O=devs,CN=alice" || len(r.Extensions) > 0 {
			t.Fatalf("it is for %s, with %v", r.Subject, r.Extensions)
		}
		again := mustParse(t, withRequest, fstest.MapFS{"alice.csr": {Data: request}})
		if again.Digest() != inv.Digest() {
			t.Fatal("written again, it is another")
		}
	})
}

// onOneLine reports whether a problem prints as one line, and has nothing in it that a terminal would act upon.
func onOneLine(p strict.Problem) bool {
	return !strings.ContainsFunc(p.String(), func(r rune) bool { return !unicode.IsPrint(r) })
}

// obeys checks what the rest of certsync relies on.
func obeys(t *testing.T, inv *Inventory) {
	t.Helper()
	if !ValidOwner(inv.Owner) {
		t.Fatalf("owner %q", inv.Owner)
	}
	if !slices.Contains(userkey.Algorithms, string(inv.Defaults.KeyAlgorithm)) {
		t.Fatalf("key algorithm %q", inv.Defaults.KeyAlgorithm)
	}
	groups, folded := map[string]bool{}, map[string]bool{}
	for _, g := range inv.Groups {
		if !ValidName(g.Name) || folded[strings.ToLower(g.Name)] {
			t.Fatalf("group %q", g.Name)
		}
		groups[g.Name], folded[strings.ToLower(g.Name)] = true, true
		obeyGrants(t, g.ClusterRoles, g.Namespaces, g.ByLabel)
	}
	people := map[string]bool{} // by their names in lower case, old ones too
	for _, u := range inv.Users {
		if !ValidName(u.Name) || people[strings.ToLower(u.Name)] {
			t.Fatalf("user %q", u.Name)
		}
		people[strings.ToLower(u.Name)] = true
	}
	for _, u := range inv.Users {
		for _, old := range u.Previously {
			if !ValidName(old) || people[strings.ToLower(old)] {
				t.Fatalf("old name %q", old)
			}
			people[strings.ToLower(old)] = true
		}
		obeyTerm(t, u.From, u.Until)
		if u.Expiration < minExpiration || u.Expiration > maxExpiration {
			t.Fatalf("expiration %s", u.Expiration)
		}
		if before := inv.Defaults.RenewBefore.Of(u.Expiration); before <= 0 || before >= u.Expiration {
			t.Fatalf("renewed %s before the end of %s", before, u.Expiration)
		}
		for i, g := range u.Groups {
			if !groups[g] || slices.Contains(u.Groups[:i], g) {
				t.Fatalf("group %q", g)
			}
		}
		obeyGrants(t, u.ClusterRoles, u.Namespaces, u.ByLabel)
	}
}

func obeyGrants(t *testing.T, clusterRoles []Grant, namespaces map[string][]Grant, byLabel []Selection) {
	t.Helper()
	lists := [][]Grant{clusterRoles}
	for namespace, grants := range namespaces {
		if !ValidNamespace(namespace) || len(grants) == 0 {
			t.Fatalf("namespace %q", namespace)
		}
		lists = append(lists, grants)
	}
	for _, s := range byLabel {
		if !s.Selector.Asks() || len(s.Grants) == 0 || s.Selector.Matches(nil) {
			t.Fatalf("selector %s", s.Selector)
		}
		lists = append(lists, s.Grants)
	}
	for i, grants := range lists {
		granted := map[Grant]bool{}
		for _, g := range grants {
			role := Grant{ClusterRole: g.ClusterRole, Role: g.Role}
			if (g.ClusterRole == "") == (g.Role == "") || i == 0 && g.Role != "" || !ValidRole(g.ClusterRole+g.Role) || granted[role] {
				t.Fatalf("role %+v", role)
			}
			granted[role] = true
			obeyTerm(t, g.From, g.Until)
		}
	}
}

func obeyTerm(t *testing.T, from, until time.Time) {
	t.Helper()
	for _, at := range []time.Time{from, until} {
		if !at.IsZero() && (at.Year() < 2000 || at.Year() > 9999 || at.Location() != time.UTC) {
			t.Fatalf("from %s until %s", from, until)
		}
	}
	if !from.IsZero() && !until.IsZero() && !from.Before(until) {
		t.Fatalf("from %s is not before %s", from, until)
	}
}
