package inventory

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/certsync/certsync/inventory/userkey"
)

func TestEncode(t *testing.T) {
	inv := &Inventory{
		Owner:    "prod-eu",
		Cluster:  Cluster{Name: "arn:aws:eks:eu-west-1:1234:cluster/prod", Server: "https://k8s.example.com:6443"},
		Defaults: Defaults{Expiration: 24 * time.Hour, RenewBefore: RenewBefore{Duration: 90 * time.Minute}},
		Groups: []Group{
			{Name: "developers", ClusterRoles: []Grant{{ClusterRole: "view"}}, Namespaces: map[string][]Grant{"staging": {{ClusterRole: "edit"}, {Role: "deployer"}, {Role: "no", Until: date(2027, 2, 1)}}, "1e3": {{ClusterRole: "system:node"}}}},
			{Name: "no", Namespaces: map[string][]Grant{"payments": {{ClusterRole: "edit"}, {Role: "deployer", Until: date(2027, 2, 1)}, {Role: "1e3"}}}, ByLabel: []Selection{{
				Selector{Labels: map[string]string{"team": "", "env": "prod"}, Expressions: []Expression{{Key: "example.com/tier", Operator: In, Values: []string{"a", "1"}}, {Key: "x", Operator: DoesNotExist}}},
				[]Grant{{Role: "deployer"}}}}},
		},
		Users: []User{
			{Name: "alice@example.com", Groups: []string{"developers", "no"}, ClusterRoles: []Grant{{ClusterRole: "view"}, {ClusterRole: "admin", From: date(2027, 1, 30), Until: date(2027, 2, 1), Why: Why{Ticket: "8"}}},
				From: time.Date(2027, 1, 4, 7, 30, 0, 0, time.UTC), Until: time.Date(2027, 6, 30, 16, 0, 0, 1, time.UTC), Why: Why{"on call: nights", "OPS-7"}, Protected: true},
			{Name: "2027-06-30", Expiration: 2 * time.Hour},
		},
	}
	for n := range 12 {
		inv.Users[1].ClusterRoles = append(inv.Users[1].ClusterRoles, Grant{ClusterRole: fmt.Sprintf("role-%02d", n)})
	}
	got := string(inv.Encode(Comments{
		Head:   []string{"what there was", "eve\nusers: [{name: mallory}]\u2028\x1b[2J\u202e\xff"},
		Groups: map[string][]string{"developers": {"bound as a Group", ""}, "nobody": {"is not there"}},
		Users:  map[string][]string{"alice@example.com": {"a\r\nb"}},
	}))
	want := `# what there was
# eve\nusers: [{name: mallory}]\u2028\x1b[2J\u202e�
apiVersion: certsync.dev/v1
kind: Inventory
owner: prod-eu
cluster:
  name: "arn:aws:eks:eu-west-1:1234:cluster/prod"
  server: "https://k8s.example.com:6443"
defaults: {expiration: 24h, renewBefore: 1h30m}
groups:
  # bound as a Group
  #
  - name: developers
    clusterRoles: [view]
    namespaces:
      "1e3": ["system:node"]
      staging: [edit, {role: deployer}, {role: "no", until: 2027-01-31}]
  - name: "no"
    namespaces:
      - name: payments
        clusterRoles: [edit]
        roles: [{name: deployer, until: 2027-01-31}, "1e3"]
      - selector: {env: prod, team: "", matchExpressions: [{key: example.com/tier, operator: In, values: [a, "1"]}, {key: x, operator: DoesNotExist}]}
        roles: [deployer]
users:
  # a\r\nb
  - name: alice@example.com
    groups: [developers, "no"]
    clusterRoles: [view, {name: admin, from: 2027-01-30, until: 2027-01-31, ticket: "8"}]
    from: 2027-01-04T07:30:00Z
    until: 2027-06-30T16:00:00.000000001Z
    reason: "on call: nights"
    ticket: OPS-7
    protected: true
  - name: "2027-06-30"
    clusterRoles:
      - role-00
      - role-01
      - role-02
      - role-03
      - role-04
      - role-05
      - role-06
      - role-07
      - role-08
      - role-09
      - role-10
      - role-11
    expiration: 2h
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	mustParse(t, got, nil)
}

func TestEncodeNobody(t *testing.T) {
	inv := &Inventory{Owner: "a"}
	if diff := cmp.Diff("apiVersion: certsync.dev/v1\nkind: Inventory\nowner: a\nusers: []\n", string(inv.Encode(Comments{}))); diff != "" {
		t.Error(diff)
	}
}

// awkward has legal names that some reader of YAML takes for something else.
var awkward = []string{
	"no", "No", "NO", "y", "Y", "n", "N", "yes", "Yes", "on", "off", "OFF", "true", "True", "false", "null", "Null", "NULL",
	"1", "0x1f", "0o17", "017", "1e3", "1E3", "1.5", "1.5e+3", "1_000", "6.02e23", "0b1", "0x1p-2", "2027-06-30", "1-2", "NaN", "nan", "inf", "e3",
	"a+b", "a@b.c", "a.b", "a-b", "0", "00", "123456789012345678901234567890",
}

// awkwardRoles are legal as names of ClusterRoles only.
var awkwardRoles = []string{
	"1:20", "190:20:30", "system:node", "a:", ":a", ":", "-", "--", "---", "...", "~", "*a", "&a", "!a", "!!str", "?", "|", ">", "@a", "`a`", "'a'", `"a"`, `a"b`, `a\b`, `\n`,
	"{a}", "[a]", "a,b", ",", "=", "<<", "$a", ".inf", "-.inf", ".NaN", "+1", "-1", "12:30:45", "ä", "日本", "🙂", "a🙂b", strings.Repeat("r", 253), strings.Repeat("ä", 126),
}

// random is an inventory as Parse could return it.
func random(r *rand.Rand, ca []byte) *Inventory {
	pick := func(from ...[]string) string { all := slices.Concat(from...); return all[r.IntN(len(all))] }
	until := func() time.Time {
		switch r.IntN(4) {
		case 0:
			return date(2000+r.IntN(7999), time.Month(1+r.IntN(12)), 1+r.IntN(28))
		case 1:
			return time.Date(2000+r.IntN(7999), 1, 1, r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(2)*r.IntN(1e9), time.UTC)
		}
		return time.Time{}
	}
	term := func() (from, end time.Time) {
		if from, end = until(), until(); !end.IsZero() && !from.Before(end) {
			from = time.Time{}
		}
		return from, end
	}
	why := func() Why {
		texts := slices.Concat(awkward, awkwardRoles[:len(awkwardRoles)-2], []string{"", "", "- x", "# no comment", "a: b", " edge ", "a # b", strings.Repeat("wörd ", 40), strings.Repeat("日", 200), "<b>|`**x**`|</b> @all #1"})
		return Why{Reason: pick(texts), Ticket: pick(texts)}
	}
	grants := func() []Grant {
		var out []Grant
		for range r.IntN(5) {
			g := Grant{ClusterRole: pick(awkward, awkwardRoles)}
			g.From, g.Until = term()
			g.Why = why()
			if !slices.ContainsFunc(out, func(o Grant) bool { return o.ClusterRole == g.ClusterRole }) {
				out = append(out, g)
			}
		}
		return out
	}
	mixed := func() []Grant {
		all := grants()
		for _, g := range grants() {
			all = append(all, Grant{Role: g.ClusterRole, Until: g.Until})
		}
		return all
	}
	spaces := func() map[string][]Grant {
		var out map[string][]Grant
		for range r.IntN(4) {
			if name, g := pick(awkward), mixed(); ValidNamespace(name) && len(g) > 0 {
				if out == nil {
					out = map[string][]Grant{}
				}
				out[name] = g
			}
		}
		return out
	}
	byLabel := func() []Selection {
		var out []Selection
		for range max(0, r.IntN(6)-3) {
			if s, g := randomSelector(r), mixed(); s.Asks() && len(g) > 0 {
				out = append(out, Selection{s, g})
			}
		}
		return out
	}
	seconds := func() time.Duration { return 20*time.Minute + time.Duration(r.IntN(1e8))*time.Second }
	inv := &Inventory{Owner: pick([]string{"no", "1e3", "0x1", "prod-eu", "2027-06-30"}), Defaults: builtIn}
	if r.IntN(2) == 0 {
		inv.Cluster = Cluster{Name: pick(awkward, []string{"a:b/c"}), Server: "https://[::1]:6443/x/", ProxyURL: "socks5://proxy:1080", TLSServerName: pick([]string{"10.0.0.1", "no", "::1"}), CertificateAuthority: ca}
		inv.Defaults = Defaults{Expiration: seconds(), RenewBefore: RenewBefore{Share: 1 + r.IntN(maxShare)}, KeyAlgorithm: userkey.Algorithm(pick(userkey.Algorithms)), WithoutGroups: r.IntN(2) == 0}
	}
	if r.IntN(3) == 0 {
		inv.Defaults.RenewBefore = RenewBefore{Duration: 1 + time.Duration(r.IntN(1e12))}
	}
	folded := map[string]bool{}
	for range r.IntN(6) {
		if name := pick(awkward); !folded[strings.ToLower(name)] {
			folded[strings.ToLower(name)] = true
			inv.Groups = append(inv.Groups, Group{Name: name, ClusterRoles: grants(), Namespaces: spaces(), ByLabel: byLabel()})
		}
	}
	clear(folded)
	for range r.IntN(8) {
		name := pick(awkward)
		if folded[strings.ToLower(name)] {
			continue
		}
		folded[strings.ToLower(name)] = true
		u := User{Name: name, ClusterRoles: grants(), Namespaces: spaces(), ByLabel: byLabel(), Expiration: inv.Defaults.Expiration}
		u.From, u.Until = term()
		u.Why, u.Protected = why(), r.IntN(3) == 0
		for _, g := range inv.Groups {
			if r.IntN(2) == 0 {
				u.Groups = append(u.Groups, g.Name)
			}
		}
		if r.IntN(3) == 0 {
			u.Expiration = seconds()
		}
		inv.Users = append(inv.Users, u)
	}
	return inv
}

// TestEncodeIsReadAsTheSame writes inventories of every awkward name, and reads them.
func TestEncodeIsReadAsTheSame(t *testing.T) {
	ca := certificate(t)
	for seed := range uint64(500) {
		inv := random(rand.New(rand.NewPCG(seed, 0)), ca)
		data := inv.Encode(Comments{Head: awkwardRoles, Users: map[string][]string{"no": awkwardRoles}, Groups: map[string][]string{"no": awkwardRoles}})
		again, err := Parse("users.yaml", data, nil)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, data)
		}
		if diff := cmp.Diff(inv, again); diff != "" || inv.Digest() != again.Digest() {
			t.Fatalf("seed %d: %s\n%s", seed, diff, data)
		}
	}
}

// TestEncodeForOldReaders: kubectl's YAML, which still has the booleans of YAML 1.1, reads the same names.
func TestEncodeForOldReaders(t *testing.T) {
	inv := &Inventory{Owner: "no"}
	for _, name := range slices.Concat(awkward, awkwardRoles) {
		inv.Users = append(inv.Users, User{Name: name})
	}
	var read struct {
		Owner string
		Users []struct{ Name any }
	}
	if err := yaml.Unmarshal(inv.Encode(Comments{}), &read); err != nil {
		t.Fatal(err)
	}
	for i, u := range inv.Users {
		if read.Users[i].Name != u.Name {
			t.Errorf("%q is read as %v", u.Name, read.Users[i].Name)
		}
	}
}

// FuzzEncode: whatever can be read is written so that it is read as the same, but for requests, which are left out.
func FuzzEncode(f *testing.F) {
	full, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(full, "comment")
	f.Add([]byte(digestBase), "a\nusers: []")
	f.Add([]byte(withRequest), "request")
	f.Add([]byte(threeClusters), "clusters")
	f.Add([]byte(strings.Replace(withRequest, "owner: prod-eu", "clusters: [{name: a, owner: prod-eu}, {name: b, owner: b}]", 1)), "requests")
	files := fstest.MapFS{"ca.crt": {Data: certificate(f)}, "alice.csr": {Data: []byte(csr(f, nil, "devs"))}}
	for seed := range uint64(20) {
		f.Add(random(rand.New(rand.NewPCG(seed, 1)), nil).Encode(Comments{}), "\u2028- name: mallory\x85\xff")
	}
	f.Fuzz(func(t *testing.T, data []byte, comment string) {
		file, err := parseFile("users.yaml", data, files)
		if err != nil {
			return
		}
		readAgain(t, file)
		if len(file.Members) > 1 {
			return
		}
		inv := file.Effective(file.Members[0])
		c := Comments{Head: []string{comment}, Groups: map[string][]string{}, Users: map[string][]string{}}
		for _, g := range inv.Groups {
			c.Groups[g.Name] = []string{comment, comment}
		}
		for i, u := range inv.Users {
			c.Users[u.Name] = []string{comment}
			inv.Users[i].Request = nil
		}
		written := inv.Encode(c)
		again, err := Parse("users.yaml", written, nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, written)
		}
		if diff := cmp.Diff(inv, again); diff != "" || inv.Digest() != again.Digest() {
			t.Fatalf("%s\n%s", diff, written)
		}
	})
}
