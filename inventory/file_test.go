package inventory

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// threeClusters is an inventory of three clusters.
const threeClusters = `apiVersion: certsync.dev/v1
kind: Inventory
defaults: {expiration: 48h}
clusters:
  - {name: dev, owner: dev, labels: {env: dev}, server: "https://dev.example.com"}
  - {name: prod-eu, owner: eu, labels: {env: prod, region: eu}, context: admin@eu, defaults: {expiration: 12h}}
  - {name: prod-us, owner: us, labels: {env: prod, region: us}, defaults: {revokedBefore: 2026-01-01T00:00:00Z, groupsInCertificate: false}}
groups:
  - name: devs
    clusterRoles: [view, {name: edit, clusters: {env: dev}}, {name: edit, clusters: {name: prod-eu}, until: 2027-01-31}]
  - name: oncall
    clusters: {env: prod}
    namespaces: {shop: [{name: admin, clusters: {region: [eu, us]}}, {role: deployer, clusters: {region: us}}]}
users:
  - {name: alice, groups: [devs, oncall]}
  - {name: bob, groups: [devs], clusters: {env: [dev]}, expiration: 1h}
`

// TestEffective: the inventory of one cluster is what a file for that cluster alone would say.
func TestEffective(t *testing.T) {
	f, err := ParseFile("users.yaml", []byte(threeClusters), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, alone := range map[string]string{
		"dev": `owner: dev
cluster: {name: dev, server: "https://dev.example.com"}
defaults: {expiration: 48h}
groups: [{name: devs, clusterRoles: [view, edit]}]
users: [{name: alice, groups: [devs]}, {name: bob, groups: [devs], expiration: 1h}]`,
		"prod-eu": `owner: eu
cluster: {name: prod-eu}
defaults: {expiration: 12h}
groups: [{name: devs, clusterRoles: [view, {name: edit, until: 2027-01-31}]}, {name: oncall, namespaces: {shop: [admin]}}]
users: [{name: alice, groups: [devs, oncall]}]`,
		"prod-us": `owner: us
cluster: {name: prod-us}
defaults: {expiration: 48h, revokedBefore: 2026-01-01T00:00:00Z, groupsInCertificate: false}
groups: [{name: devs, clusterRoles: [view]}, {name: oncall, namespaces: {shop: [admin, {role: deployer}]}}]
users: [{name: alice, groups: [devs, oncall]}]`,
	} {
		m, ok := f.Member(name)
		if !ok {
			t.Fatalf("no cluster %s", name)
		}
		want, err := Parse("users.yaml", []byte("apiVersion: certsync.dev/v1\nkind: Inventory\n"+alone), nil)
		if err != nil {
			t.Fatal(err)
		}
		got := f.Effective(m)
		if diff := cmp.Diff(want, got); diff != "" || got.Digest() != want.Digest() {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestSelect: clusters are chosen by name or by label, and a text that finds none has a suggestion.
func TestSelect(t *testing.T) {
	f, err := ParseFile("users.yaml", []byte(threeClusters), nil)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"": "dev prod-eu prod-us", "env=prod": "prod-eu prod-us", "prod-us,dev": "dev prod-us", "region=eu,name=dev": "dev prod-eu"} {
		var texts, names []string
		if text != "" {
			texts = strings.Split(text, ",")
		}
		chosen, err := f.Select(texts)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range chosen {
			names = append(names, m.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
	if _, err := f.Select([]string{"prod-ue"}); err == nil || !strings.Contains(err.Error(), `did you mean "prod-eu"?`) {
		t.Error(err)
	}
}
