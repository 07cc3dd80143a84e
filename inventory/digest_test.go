package inventory

import (
	"encoding/base64"
	"strings"
	"testing"
	"testing/fstest"
)

const digestBase = header + `
cluster: {name: prod, server: 'https://k8s.example.com', certificateAuthority: ca.crt}
# defaults
groups:
  - {name: dev, clusterRoles: [view, edit], namespaces: {a: [admin], b: [edit]}}
  - {name: ops}
users:
  - {name: alice, groups: [dev, ops], clusterRoles: [view, {name: admin, until: 2027-01-31}], until: 2027-06-30}
  - {name: bob, expiration: 24h}
`

func digest(t *testing.T, text string) string {
	t.Helper()
	return mustParse(t, text, fstest.MapFS{"ca.crt": {Data: certificate(t)}, "other.crt": {Data: append(certificate(t), certificate(t)...)}}).Digest()
}

// A digest stands in Vault and in reviewed plans: one that moves with a release makes every plan a changed one.
func TestDigestStaysTheSameAcrossReleases(t *testing.T) {
	inv := mustParse(t, strings.Replace(digestBase, "certificateAuthority: ca.crt", "", 1), nil)
	inv.Cluster.CertificateAuthority = []byte("PEM")
	if got, want := inv.Digest(), "sha256:8722c3eec0d289eb4c6821b81b6c8bb186630dcf4872df8a034a75ac8608f8c9"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDigestOfRolesAndSelectorsStaysTheSame(t *testing.T) {
	inv := mustParse(t, header+`
groups:
  - name: dev
    namespaces:
      - {name: a, clusterRoles: [edit], roles: [deployer]}
      - {selector: {team: payments, env: prod, matchExpressions: [{key: tier, operator: NotIn, values: [b, a]}]}, clusterRoles: [view], roles: [{name: x, until: 2027-01-31}]}
users: [{name: alice, groups: [dev], namespaces: {b: [{role: deployer}]}}]`, nil)
	if got, want := inv.Digest(), "sha256:e6ebe70dea1fb7df62992c9c7d12abf52c7e7faaddad0278c4962455aeb79f05"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestDigestOfTerms: the digest of what is newer stays too.
func TestDigestOfTerms(t *testing.T) {
	for text, want := range map[string]string{
		"users: [{name: a, from: 2027-01-31, clusterRoles: [{name: view, from: 2027-02-01}]}]":                            "sha256:894f7b02a63c066c06b06d5a3a8fc6d5c635362685ad4015c8af6115d343e83e",
		"users: [{name: a, reason: on call, ticket: OPS-1, clusterRoles: [{name: view, reason: nights, ticket: OPS-2}]}]": "sha256:b5a2bd6fac3b70d8fe000ca974297fbb6ce755892714196010a60d0898fd5dfe",
		"users: [{name: a, protected: true}]": "sha256:e9a4cf1048f9f2d945566b2097fb7292b0041805cb3249d429a93b4408b31c9f",
	} {
		if got := mustParse(t, header+text, nil).Digest(); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestDigestDoesNotDependOn(t *testing.T) {
	want := digest(t, digestBase)
	encoded := base64.StdEncoding.EncodeToString(certificate(t))
	for sentence, edit := range map[string][]string{
		"comments":                      {"# defaults", "# people", "users:", "users: # here"},
		"the order of roles":            {"[view, edit]", "[edit, view]"},
		"the order of grants":           {"[view, {name: admin, until: 2027-01-31}]", "[{name: admin, until: 2027-01-31}, view]"},
		"the order of groups":           {"  - {name: ops}\n", "", "groups:\n", "groups:\n  - {name: ops}\n"},
		"the order of users":            {"  - {name: bob, expiration: 24h}\n", "", "users:\n", "users:\n  - {name: bob, expiration: 24h}\n"},
		"the order of memberships":      {"[dev, ops]", "[ops, dev]"},
		"the order of namespaces":       {"{a: [admin], b: [edit]}", "{b: [edit], a: [admin]}"},
		"a built-in that is spelled":    {"# defaults", "defaults: {expiration: 168h, renewBefore: 33%, keyAlgorithm: ECDSA-P256, groupsInCertificate: true}"},
		"the form of namespaces":        {"{a: [admin], b: [edit]}", "[{name: b, clusterRoles: [edit], roles: []}, {name: a, clusterRoles: [{name: admin}]}]"},
		"a selector without roles":      {"{a: [admin], b: [edit]}", "[{name: b, clusterRoles: [edit]}, {name: a, clusterRoles: [admin]}, {selector: {a: b}, roles: []}]"},
		"no protection":                 {"{name: bob,", "{name: bob, protected: false,"},
		"no old name":                   {"{name: bob,", "{name: bob, previously: [],"},
		"a default that is repeated":    {"{name: alice,", "{name: alice, expiration: 7h,", "# defaults", "defaults: {expiration: 7h}", "168h", "7h"},
		"the form of a duration":        {"24h", "1440m"},
		"a grant's form":                {"[view, edit]", "[{name: view}, edit]"},
		"lists that are empty":          {"{name: ops}", "{name: ops, clusterRoles: [], namespaces: {x: []}}"},
		"the form of an end":            {"until: 2027-06-30", "until: 2027-07-01T02:00:00+02:00"},
		"where the CA's certificate is": {"certificateAuthority: ca.crt", "certificateAuthorityData: " + encoded},
	} {
		t.Run(sentence, func(t *testing.T) {
			changed := strings.NewReplacer(edit...).Replace(digestBase)
			if changed == digestBase {
				t.Fatal("the edit changes nothing")
			}
			base := want
			if sentence == "a default that is repeated" {
				base = digest(t, strings.Replace(digestBase, "# defaults", "defaults: {expiration: 7h}", 1))
			}
			if got := digest(t, changed); got != base {
				t.Errorf("%s became %s", base, got)
			}
		})
	}
}

func TestDigestDoesNotDependOnARoleThatIsThereTwice(t *testing.T) {
	once := &Inventory{Users: []User{{Name: "a", Groups: []string{"g"}, ClusterRoles: []Grant{{ClusterRole: "view"}}}}}
	twice := &Inventory{Users: []User{{Name: "a", Groups: []string{"g", "g"}, ClusterRoles: []Grant{{ClusterRole: "view"}, {ClusterRole: "view"}}}}}
	if once.Digest() != twice.Digest() {
		t.Error("the digests differ")
	}
}

func TestDigestDoesNotDependOnTheOrderOfOldNames(t *testing.T) {
	one := &Inventory{Users: []User{{Name: "a", Previously: []string{"b", "c"}}}}
	other := &Inventory{Users: []User{{Name: "a", Previously: []string{"c", "b"}}}}
	if one.Digest() != other.Digest() {
		t.Error("the digests differ")
	}
}

func TestDigestDependsOn(t *testing.T) {
	seen := map[string]string{digest(t, digestBase): "the original"}
	for sentence, edit := range map[string][]string{
		"the owner":                    {"owner: prod-eu", "owner: prod-us"},
		"the cluster's name":           {"{name: prod,", "{name: test,"},
		"the server":                   {"k8s.example.com", "k8s.example.org"},
		"what the CA file holds":       {"ca.crt", "other.crt"},
		"a proxy":                      {"{name: prod,", "{proxyURL: 'http://proxy', name: prod,"},
		"a TLS name":                   {"{name: prod,", "{tlsServerName: kubernetes, name: prod,"},
		"the default expiration":       {"# defaults", "defaults: {expiration: 1h}"},
		"the renewal":                  {"# defaults", "defaults: {renewBefore: 34%}"},
		"the renewal as a duration":    {"# defaults", "defaults: {renewBefore: 3h}"},
		"the key algorithm":            {"# defaults", "defaults: {keyAlgorithm: RSA-2048}"},
		"groups out of certificates":   {"# defaults", "defaults: {groupsInCertificate: false}"},
		"what is revoked":              {"# defaults", "defaults: {revokedBefore: 2026-11-28}"},
		"whose is revoked":             {"{name: bob,", "{name: bob, revokedBefore: 2026-11-28,"},
		"a group's name":               {"ops", "sre"},
		"a group's role":               {"[view, edit]", "[view]"},
		"a role's namespace":           {"b: [edit]", "c: [edit]"},
		"a group without members":      {"groups:\n", "groups:\n  - {name: new}\n"},
		"a user's name":                {"bob", "bill"},
		"a user's case":                {"bob", "Bob"},
		"a user more":                  {"users:\n", "users:\n  - {name: carol}\n"},
		"a membership":                 {"[dev, ops]", "[dev]"},
		"a user's role":                {"clusterRoles: [view, {", "clusterRoles: [edit, {"},
		"the end of a grant":           {"2027-01-31", "2027-02-01"},
		"the end of all grants":        {"2027-06-30", "2027-06-29"},
		"the beginning of a grant":     {"{name: admin,", "{name: admin, from: 2027-01-01,"},
		"another beginning of a grant": {"{name: admin,", "{name: admin, from: 2027-01-02,"},
		"the beginning of all grants":  {"until: 2027-06-30", "from: 2027-01-01, until: 2027-06-30"},
		"why a user has access":        {"{name: bob,", "{name: bob, reason: on call,"},
		"another reason":               {"{name: bob,", "{name: bob, reason: on duty,"},
		"the ticket of a user":         {"{name: bob,", "{name: bob, ticket: on call,"},
		"whose reason it is":           {"until: 2027-06-30}", "until: 2027-06-30, reason: on call}"},
		"why there is a grant":         {"{name: admin,", "{name: admin, reason: on call,"},
		"the ticket of a grant":        {"{name: admin,", "{name: admin, ticket: on call,"},
		"who is protected":             {"{name: bob,", "{name: bob, protected: true,"},
		"whose beginning it is":        {"{name: bob,", "{name: bob, from: 2027-01-01,"},
		"an old name":                  {"{name: bob,", "{name: bob, previously: [rob],"},
		"another old name":             {"{name: bob,", "{name: bob, previously: [robert],"},
		"whose old name it is":         {"{name: alice,", "{name: alice, previously: [rob],"},
		"a user's expiration":          {"24h", "25h"},
		"a Role instead":               {"b: [edit]", "b: [{role: edit}]"},
		"a Role beside":                {"b: [edit]", "b: [edit, {role: edit}]"},
		"a selector":                   {"{a: [admin], b: [edit]}", "[{name: a, clusterRoles: [admin]}, {name: b, clusterRoles: [edit]}, {selector: {a: b}, clusterRoles: [edit]}]"},
		"a selector's label":           {"{a: [admin], b: [edit]}", "[{name: a, clusterRoles: [admin]}, {name: b, clusterRoles: [edit]}, {selector: {a: c}, clusterRoles: [edit]}]"},
		"a selector's operator":        {"{a: [admin], b: [edit]}", "[{name: a, clusterRoles: [admin]}, {name: b, clusterRoles: [edit]}, {selector: {matchExpressions: [{key: a, operator: Exists}]}, clusterRoles: [edit]}]"},
		"what a selector grants":       {"{a: [admin], b: [edit]}", "[{name: a, clusterRoles: [admin]}, {name: b, clusterRoles: [edit]}, {selector: {a: b}, roles: [edit]}]"},
		"a grant cluster-wide instead": {"namespaces: {a: [admin], b: [edit]}", "namespaces: {b: [edit]}", "[view, edit]", "[view, edit, admin]"},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := digest(t, strings.NewReplacer(edit...).Replace(digestBase))
			if other, taken := seen[got]; taken {
				t.Errorf("the digest is the same as for %s", other)
			}
			seen[got] = sentence
		})
	}
}
