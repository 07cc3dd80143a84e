package inventory

import (
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/certsync/certsync/inventory/clusters"
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
	f, err := parseFile("users.yaml", []byte(threeClusters), nil)
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
	f, err := parseFile("users.yaml", []byte(threeClusters), nil)
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

// onDisk are the files that an inventory names, as a folder.
func onDisk(files map[string][]byte) fstest.MapFS {
	folder := fstest.MapFS{}
	for name, data := range files {
		folder[name] = &fstest.MapFile{Data: data}
	}
	return folder
}

// readAgain fails unless the file, and the inventory of each of its clusters, are read as the same when they are written.
func readAgain(t *testing.T, f *File) {
	t.Helper()
	text, files := f.Encode()
	again, err := parseFile("users.yaml", text, onDisk(files))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	// A team without users is left out, and so are what it may have, and selectors of namespaces without roles.
	if diff := cmp.Diff(f, again, cmp.AllowUnexported(File{}), cmpopts.IgnoreFields(File{}, "maxExpiration")); diff != "" {
		t.Fatalf("%s\n%s", diff, text)
	}
	for i, m := range f.Members {
		inv := f.Effective(m)
		if diff := cmp.Diff(inv, again.Effective(again.Members[i])); diff != "" {
			t.Fatalf("%s: %s\n%s", m.Name, diff, text)
		}
		files, err := f.Standalone(m)
		if err != nil {
			t.Fatal(err)
		}
		text := files[StandaloneName]
		alone, err := Parse(StandaloneName, text, onDisk(files))
		if err != nil {
			t.Fatalf("%s: %v\n%s", m.Name, err, text)
		}
		if diff := cmp.Diff(inv, alone); diff != "" || inv.Digest() != alone.Digest() {
			t.Fatalf("%s: %s\n%s", m.Name, diff, text)
		}
	}
}

// randomFile is a file for several clusters, whose users, groups and roles are those of a random inventory.
func randomFile(r *rand.Rand, ca []byte) *File {
	inv := random(r, ca)
	if r.IntN(4) == 0 {
		return &File{Members: []Member{{Owner: inv.Owner, Cluster: inv.Cluster, Defaults: inv.Defaults}}, groups: inv.Groups, users: inv.Users, maxExpiration: map[string]time.Duration{}}
	}
	f := &File{Fleet: true, defaults: inv.Defaults, groups: inv.Groups, users: inv.Users, maxExpiration: map[string]time.Duration{}}
	for i, name := range []string{"no", "1e3", "a:b/c", "prod-eu"}[:1+r.IntN(4)] {
		m := Member{Name: name, Owner: []string{"no", "1e3", "0x1", "prod-eu"}[i], Cluster: inv.Cluster, Defaults: inv.Defaults}
		m.Cluster.Name = name
		if r.IntN(2) == 0 {
			m.Labels = map[string]string{"env": awkwardLabels[r.IntN(len(awkwardLabels))], "1": ""}
		}
		if r.IntN(3) == 0 {
			m.Context = awkwardRoles[i] + "@" + name
		}
		if r.IntN(2) == 0 {
			m.Defaults.WithoutGroups = !m.Defaults.WithoutGroups
			m.Defaults.RevokedBefore = date(2027, 1, 1+i)
		}
		if m.Defaults.RenewBefore.Duration == 0 && r.IntN(2) == 0 {
			m.Defaults.Expiration = 11*time.Hour + time.Duration(i)
			m.Defaults.Expiration = m.Defaults.Expiration.Truncate(time.Second)
		}
		f.Members = append(f.Members, m)
	}
	selector := func() *Clusters {
		m := f.Members[r.IntN(len(f.Members))]
		switch value, ok := m.Labels["env"]; {
		case r.IntN(2) == 0:
			return nil
		case ok && r.IntN(2) == 0:
			return &Clusters{"env": {value}, "1": {""}}
		case len(f.Members) > 1 && r.IntN(2) == 0:
			return &Clusters{clusters.NameKey: {f.Members[0].Name, f.Members[1].Name}}
		}
		return &Clusters{clusters.NameKey: {m.Name}}
	}
	for i := range f.users {
		if f.users[i].Expiration == inv.Defaults.Expiration {
			f.users[i].Expiration = 0
		}
		for j := range f.users[i].ClusterRoles {
			f.users[i].ClusterRoles[j].Clusters = selector()
		}
		if len(f.users[i].ClusterRoles) == 0 && len(f.users[i].Groups) == 0 {
			f.users[i].Clusters = selector()
		}
	}
	for i := range f.groups {
		for _, grants := range f.groups[i].Namespaces {
			for j := range grants {
				grants[j].Clusters = selector()
			}
		}
		for _, s := range f.groups[i].ByLabel {
			for j := range s.Grants {
				s.Grants[j].Clusters = selector()
			}
		}
	}
	return f
}

var awkwardLabels = []string{"", "no", "1", "2027-01-01", "a.b", "0x1"}

// TestFileIsReadAsTheSame writes files of every awkward name, and reads them; and so each cluster's inventory.
func TestFileIsReadAsTheSame(t *testing.T) {
	schema, ca := validator(t, Schema()), certificate(t)
	for seed := range uint64(300) {
		f := randomFile(rand.New(rand.NewPCG(seed, 3)), ca)
		text, _ := f.Encode()
		if err := validate(schema, string(text)); err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		readAgain(t, f)
	}
}

const fleetOfTeams = `apiVersion: certsync.dev/v1
kind: Inventory
clusters:
  - {name: dev, owner: dev, defaults: {expiration: 12h}}
  - {name: prod, owner: prod, labels: {env: prod}, defaults: {expiration: 48h, revokedBefore: 2026-01-01}}
groups: [{name: dev, clusterRoles: [view]}, {name: ops, clusters: {env: prod}}]
users:
  - {name: alice, groups: [dev], expiration: 48h, revokedBefore: 2027-01-01, request: keys/alice.csr}
teams:
  - {name: payments, file: payments.yaml, groups: [dev, ops], maxExpiration: 24h}
`

// TestTeamsInSeveralClusters: teams and requests are written and read as the same, and a team's bound holds in each cluster.
func TestTeamsInSeveralClusters(t *testing.T) {
	f, err := parseFile("users.yaml", []byte(fleetOfTeams), filesOf(
		"keys/alice.csr", csr(t, nil, "dev"),
		"payments.yaml", teamHeader+"users: [{name: bob, groups: [ops, dev]}, {name: carol, clusters: {name: dev}, expiration: 13h}]"))
	if err != nil {
		t.Fatal(err)
	}
	readAgain(t, f)
	want := []string{"alice 48h0m0s", "bob 12h0m0s", "carol 13h0m0s"}
	var got []string
	for _, u := range f.Effective(f.Members[0]).Users {
		got = append(got, u.Name+" "+u.Expiration.String())
	}
	if diff := cmp.Diff(append(want, "bob 24h0m0s"), append(got, "bob "+f.Effective(f.Members[1]).Users[1].Expiration.String())); diff != "" {
		t.Error(diff)
	}
}
