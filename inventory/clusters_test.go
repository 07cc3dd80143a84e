package inventory

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory/clusters"
	"github.com/certsync/certsync/inventory/selector"
)

// withClusters is what an inventory for three clusters begins with: what follows it begins in line 7.
const withClusters = `apiVersion: certsync.dev/v1
kind: Inventory
clusters:
  - {name: dev, owner: dev, labels: {env: dev}}
  - {name: prod-eu, owner: eu, labels: {env: prod, region: eu}, defaults: {expiration: 12h, renewBefore: 6h}}
  - {name: prod-us, owner: us, labels: {env: prod, region: us}, context: admin@us}
`

// listed is an inventory with these clusters, which begin in line 4.
func listed(clusters ...string) string {
	return "apiVersion: certsync.dev/v1\nkind: Inventory\nclusters:\n  - " + strings.Join(clusters, "\n  - ") + "\nusers: []\n"
}

func TestParseRefusesSeveralClusters(t *testing.T) { refused(t, clustersRefusals) }

// manyClusters are one more than there can be, and labelsTooMany too.
func manyClusters() string {
	var all []string
	for i := range clusters.Max + 1 {
		all = append(all, fmt.Sprintf("{name: c%d, owner: o%d}", i, i))
	}
	return listed(all...)
}

func labelsTooMany() string {
	var all []string
	for i := range selector.MaxRequirements + 1 {
		all = append(all, fmt.Sprintf("l%d: x", i))
	}
	return listed("{name: a, owner: a, labels: {" + strings.Join(all, ", ") + "}}")
}

var clustersRefusals = map[string]refusal{
	"clusters without a value":               {"apiVersion: certsync.dev/v1\nkind: Inventory\nclusters:\nusers: []", `users.yaml:3:10: clusters: a list is expected, but there is nothing`},
	"no cluster":                             {"apiVersion: certsync.dev/v1\nkind: Inventory\nclusters: []\nusers: [{name: a, clusters: {env: prod}}]", `users.yaml:3:11: clusters: is empty: name at least one cluster`},
	"an owner beside":                        {withClusters + "owner: prod-eu\nusers: []", `users.yaml:7:8: owner: each of the clusters has its own: write it there, or leave out clusters`},
	"a cluster beside":                       {withClusters + "cluster: {name: prod-eu}\nusers: []", `users.yaml:7:10: cluster: each of the clusters has its own: write it there, or leave out clusters`},
	"text as a cluster":                      {listed("dev"), `users.yaml:4:5: clusters[0]: a mapping is expected, not "dev"`},
	"an unknown field":                       {listed("{name: a, owner: a, contxt: b}"), `users.yaml:4:25: clusters[0].contxt: unknown field (did you mean "context"?)`},
	"no name":                                {listed("{owner: a}"), `users.yaml:4:5: clusters[0].name: is missing: it is the name of the cluster in kubeconfigs`},
	"no owner":                               {listed("{name: a}"), `users.yaml:4:5: clusters[0].owner: is missing: it names the Vault folder and marks every object, such as prod-eu`},
	"a bad name":                             {listed("{name: a b, owner: a}"), `users.yaml:4:12: clusters[0].name: "a b" is not a valid name for a cluster: use letters, digits and . _ : / @ + -, begin and end with a letter or digit, and use at most 253 characters`},
	"a bad owner":                            {listed("{name: a, owner: A}"), `users.yaml:4:22: clusters[0].owner: "A" is not a valid owner: use a-z, 0-9 and -, and do not begin or end with -`},
	"a name twice":                           {listed("{name: a, owner: a}", "{name: a, owner: b}"), `users.yaml:5:12: clusters[1].name: cluster "a" is declared twice, first in line 4`},
	"names that differ in case":              {listed("{name: a, owner: a}", "{name: A, owner: b}"), `users.yaml:5:12: clusters[1].name: cluster "A" differs from "a" in line 4 in letter case only`},
	"an owner twice":                         {listed("{name: a, owner: a}", "{name: b, owner: a}"), `users.yaml:5:22: clusters[1].owner: owner "a" is declared twice, first in line 4`},
	"a context twice":                        {listed("{name: a, owner: a, context: x}", "{name: b, owner: b, context: x}"), `users.yaml:5:34: clusters[1].context: context "x" is declared twice, first in line 4`},
	"a context that another has by its name": {listed("{name: a, owner: a, context: b}", "{name: b, owner: b}"), `users.yaml:5:12: clusters[1].name: context "b" is declared twice, first in line 4`},
	"an empty context":                       {listed("{name: a, owner: a, context: ''}"), `users.yaml:4:34: clusters[0].context: "" is not a usable name of a context: use printed characters, and at most 253`},
	"a blank context":                        {listed("{name: a, owner: a, context: ' '}"), `users.yaml:4:34: clusters[0].context: " " is not a usable name of a context: use printed characters, and at most 253`},
	"a context with an escape":               {listed("{name: a, owner: a, context: \"\\e[2J\"}"), `users.yaml:4:34: clusters[0].context: "\x1b[2J" is not a usable name of a context: use printed characters, and at most 253`},
	"a CA that is none":                      {listed("{name: a, owner: a, certificateAuthorityData: QQ==}"), `users.yaml:4:51: clusters[0].certificateAuthorityData: holds something other than PEM certificates`},
	"two CAs":                                {listed("{name: a, owner: a, certificateAuthority: ca.crt, certificateAuthorityData: QQ==}"), `users.yaml:4:81: clusters[0].certificateAuthorityData: certificateAuthority is given too: keep one of the two`},
	"a server without TLS":                   {listed("{name: a, owner: a, server: 'http://a'}"), `users.yaml:4:33: clusters[0].server: is not a URL that begins with https://`},
	"more clusters than there can be":        {manyClusters(), `users.yaml:4:3: clusters: has 257 clusters, and can have 256: use several inventories`},
	"many labels of a cluster":               {labelsTooMany(), `users.yaml:4:33: clusters[0].labels: there are 21 labels, and a cluster can have 20`},
	"a label that is none":                   {listed("{name: a, owner: a, labels: {a b: x}}"), `users.yaml:4:34: clusters[0].labels["a b"]: "a b" is not a valid key of a label: use letters, digits and . _ -, with at most 63 characters, and before it a domain and a slash if there is one`},
	"a label called name":                    {listed("{name: a, owner: a, labels: {name: x}}"), `users.yaml:4:34: clusters[0].labels.name: a selector finds a cluster's name under this key: use another key for the label`},
	"a label's value that is none":           {listed("{name: a, owner: a, labels: {env: a b}}"), `users.yaml:4:39: clusters[0].labels.env: "a b" is not a valid value of a label: use letters, digits and . _ -, begin and end with a letter or digit, and use at most 63 characters`},
	"a number as a label's value":            {listed("{name: a, owner: a, labels: {env: 1}}"), `users.yaml:4:39: clusters[0].labels.env: text is expected, but 1 without quotes is a number in YAML: write "1"`},
	"labels as a list":                       {listed("{name: a, owner: a, labels: [env]}"), `users.yaml:4:33: clusters[0].labels: a mapping is expected, not a list`},
	"defaults that are none":                 {listed("{name: a, owner: a, defaults: {expiration: 1m}}"), `users.yaml:4:48: clusters[0].defaults.expiration: "1m" is under 10 minutes, the shortest lifetime that Kubernetes issues`},
	"a renewal of a cluster before the default's issue":      {strings.Replace(listed("{name: a, owner: a, defaults: {renewBefore: 100h}}"), "users", "defaults: {expiration: 24h}\nusers", 1), `users.yaml:4:49: clusters[0].defaults.renewBefore: renewBefore 100h is over 90% of the expiration 24h: a certificate would be due again as soon as it is issued`},
	"an expiration of a cluster under the default's renewal": {strings.Replace(listed("{name: a, owner: a, defaults: {expiration: 12h}}"), "users", "defaults: {renewBefore: 24h}\nusers", 1), `users.yaml:4:48: clusters[0].defaults.expiration: renewBefore 24h is over 90% of the expiration 12h: a certificate would be due again as soon as it is issued`},

	"a selector for one cluster":                     {header + "users: [{name: a, clusters: {env: prod}}]", `users.yaml:4:29: users[0].clusters: belongs to an inventory for several clusters: list them under clusters, in place of owner and cluster`},
	"a grant's selector for one cluster":             {header + "users: [{name: a, clusterRoles: [{name: view, clusters: {env: prod}}]}]", `users.yaml:4:57: users[0].clusterRoles[0].clusters: belongs to an inventory for several clusters: list them under clusters, in place of owner and cluster`},
	"an empty selector":                              {withClusters + "users: [{name: a, clusters: {}}]", `users.yaml:7:29: users[0].clusters: is empty: write labels or a name, such as {env: prod}, or leave it out for all clusters`},
	"a selector without a value":                     {withClusters + "users: [{name: a, clusters: }]", `users.yaml:7:29: users[0].clusters: a mapping is expected, but there is nothing`},
	"text as a selector":                             {withClusters + "users: [{name: a, clusters: dev}]", `users.yaml:7:29: users[0].clusters: a mapping is expected, not "dev"`},
	"a list as a selector":                           {withClusters + "users: [{name: a, clusters: [dev]}]", `users.yaml:7:29: users[0].clusters: a mapping is expected, not a list`},
	"a label that no cluster has":                    {withClusters + "users: [{name: a, clusters: {evn: prod}}]", `users.yaml:7:30: users[0].clusters.evn: no cluster has the label "evn" (did you mean "env"?)`},
	"a value that no cluster has":                    {withClusters + "users: [{name: a, clusters: {env: prd}}]", `users.yaml:7:35: users[0].clusters.env: no cluster has label env with the value "prd" (did you mean "prod"?)`},
	"one of the values that no cluster has":          {withClusters + "users: [{name: a, clusters: {region: [eu, su]}}]", `users.yaml:7:43: users[0].clusters.region[1]: no cluster has label region with the value "su" (did you mean "eu"?)`},
	"a value of another label":                       {withClusters + "users: [{name: a, clusters: {region: staging}}]", `users.yaml:7:38: users[0].clusters.region: no cluster has label region with the value "staging": there are eu, us`},
	"a name that no cluster has":                     {withClusters + "users: [{name: a, clusters: {name: prod-ue}}]", `users.yaml:7:36: users[0].clusters.name: no cluster has the name "prod-ue" (did you mean "prod-eu"?)`},
	"a selector of a group":                          {withClusters + "groups: [{name: g, clusters: {env: staging}}]\nusers: []", `users.yaml:7:36: groups[0].clusters.env: no cluster has label env with the value "staging": there are dev, prod`},
	"a value twice":                                  {withClusters + "users: [{name: a, clusters: {env: [dev, dev]}}]", `users.yaml:7:41: users[0].clusters.env[1]: value "dev" is given twice`},
	"no values":                                      {withClusters + "users: [{name: a, clusters: {env: []}}]", `users.yaml:7:35: users[0].clusters.env: is empty: write at least one value`},
	"a mapping as a value":                           {withClusters + "users: [{name: a, clusters: {env: {in: prod}}}]", `users.yaml:7:35: users[0].clusters.env: text is expected, not a mapping`},
	"a number as a value":                            {withClusters + "users: [{name: a, clusters: {env: [1]}}]", `users.yaml:7:36: users[0].clusters.env[0]: text is expected, but 1 without quotes is a number in YAML: write "1"`},
	"a selector of nothing together":                 {withClusters + "users: [{name: a, clusters: {env: dev, region: eu}}]", `users.yaml:7:29: users[0].clusters: no cluster has all of this at once`},
	"a grant outside of the user's clusters":         {withClusters + "users: [{name: a, clusters: {env: dev}, clusterRoles: [{name: view, clusters: {env: prod}}]}]", `users.yaml:7:79: users[0].clusterRoles[0].clusters: selects no cluster among those of the user or group that it belongs to`},
	"a grant outside of the group's clusters":        {withClusters + "groups: [{name: g, clusters: {region: eu}, namespaces: {shop: [{role: r, clusters: {region: us}}]}}]\nusers: []", `users.yaml:7:84: groups[0].namespaces.shop[0].clusters: selects no cluster among those of the user or group that it belongs to`},
	"a group that is in none of the user's clusters": {withClusters + "groups: [{name: g, clusters: {env: prod}}]\nusers: [{name: a, groups: [g], clusters: {env: dev}}]", `users.yaml:8:28: users[0].groups[0]: group "g" is in none of the user's clusters`},
	"a role twice":                                   {withClusters + "users: [{name: a, clusterRoles: [{name: view, clusters: {env: prod}}, {name: view, clusters: {region: eu}}]}]", `users.yaml:7:71: users[0].clusterRoles[1]: role "view" is granted twice, first in line 7`},
	"a role everywhere and somewhere":                {withClusters + "users: [{name: a, clusterRoles: [view, {name: view, clusters: {region: eu}}]}]", `users.yaml:7:40: users[0].clusterRoles[1]: role "view" is granted twice, first in line 7`},
	"an expiration under a cluster's renewal":        {withClusters + "users: [{name: a, expiration: 5h}]", `users.yaml:7:31: users[0].expiration: renewBefore 6h of cluster "prod-eu" is over 90% of the expiration 5h: a certificate would be due again as soon as it is issued`},
	"a user twice, for different clusters":           {withClusters + "users: [{name: a, clusters: {env: dev}}, {name: a, clusters: {env: prod}}]", `users.yaml:7:49: users[1].name: user "a" is declared twice, first in line 7`},
	"an old name that a user has elsewhere":          {withClusters + "users: [{name: a, previously: [b], clusters: {env: dev}}, {name: b, clusters: {env: prod}}]", `users.yaml:7:32: users[0].previously[0]: "b" is still a user of this inventory, so it is not an earlier name`},
}

// TestParseRefusesFilesOfSeveralClusters: what a request or a team's file says has to fit in every cluster that it is for.
func TestParseRefusesFilesOfSeveralClusters(t *testing.T) {
	const clusters = "apiVersion: certsync.dev/v1\nkind: Inventory\nclusters:\n- {name: dev, owner: dev, labels: {env: dev}}\n" +
		"- {name: prod, owner: prod, labels: {env: prod}, defaults: {renewBefore: 20h, expiration: 100h}}\ngroups: [{name: devs}, {name: ops, clusters: {env: prod}}]\n"
	const team = clusters + "users: []\nteams: [{name: payments, file: payments.yaml, groups: [devs, ops]"
	for sentence, c := range map[string]struct{ root, team, want string }{
		"a request of somebody whose groups differ": {clusters + "users: [{name: alice, groups: [devs, ops], request: both.csr}]", "",
			`users.yaml:7:53: users[0].request: file "both.csr" cannot fit in all clusters: certificates carry other groups in "prod" than in "dev": give the user the same groups there, or set groupsInCertificate: false`},
		"a request with a group too many": {clusters + "users: [{name: alice, groups: [devs], request: both.csr}]", "",
			`users.yaml:7:48: users[0].request: file "both.csr" is for another name or other groups than the inventory has: make a new one with the same key: openssl req -new -key KEY -subj /CN=alice/O=devs -out both.csr`},
		"a team's bound under a cluster's renewal": {team + ", maxExpiration: 22h}]", teamHeader + "users: []",
			`users.yaml:8:83: teams[0].maxExpiration: renewBefore 20h of cluster "prod" is over 90% of the expiration 22h: a certificate would be due again as soon as it is issued`},
		"a team's user in clusters that there are not": {team + "}]", teamHeader + "users: [{name: bob, clusters: {env: stage}}]",
			`payments.yaml:4:37: users[0].clusters.env: no cluster has label env with the value "stage": there are dev, prod`},
		"a team's user in a group that is elsewhere": {team + "}]", teamHeader + "users: [{name: bob, groups: [ops], clusters: {env: dev}}]",
			`payments.yaml:4:30: users[0].groups[0]: group "ops" is in none of the user's clusters`},
		"an expiration over the default of a cluster": {team + "}]", teamHeader + "users: [{name: bob, expiration: 168h, clusters: {env: dev}}, {name: carol, expiration: 101h}]",
			`payments.yaml:4:88: users[1].expiration: "101h" is over 100h, the default expiration of cluster "prod": to allow it, set maxExpiration of team "payments" in users.yaml`},
		"a team's user whose certificate is due at once": {team + "}]", teamHeader + "users: [{name: bob, expiration: 21h, clusters: {env: dev}}, {name: carol, expiration: 21h}]",
			`payments.yaml:4:87: users[1].expiration: renewBefore 20h of cluster "prod" is over 90% of the expiration 21h: a certificate would be due again as soon as it is issued`},
	} {
		t.Run(sentence, func(t *testing.T) {
			files := filesOf("devs.csr", csr(t, nil, "devs"), "both.csr", csr(t, nil, "devs", "ops"))
			if c.team != "" {
				files["payments.yaml"] = &fstest.MapFile{Data: []byte(c.team)}
			}
			_, err := parseFile("users.yaml", []byte(c.root), files)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

// TestRequestInSeveralClusters: one request is for all clusters in which its user carries the same groups.
func TestRequestInSeveralClusters(t *testing.T) {
	const clusters = "apiVersion: certsync.dev/v1\nkind: Inventory\nclusters:\n- {name: a, owner: a}\n- {name: b, owner: b, defaults: {groupsInCertificate: false}}\n- {name: c, owner: c}\n"
	for text, groups := range map[string][]string{
		"groups: [{name: devs, clusters: {name: a}}]\nusers: [{name: alice, groups: [devs], clusters: {name: a}, request: alice.csr}]":                   {"devs"},
		"groups: [{name: devs, clusters: {name: b}}]\nusers: [{name: alice, groups: [devs], request: alice.csr}]":                                        nil,
		"groups: [{name: ops, clusters: {name: b}}, {name: devs}]\nusers: [{name: alice, groups: [devs], clusters: {name: [a, c]}, request: alice.csr}]": {"devs"},
	} {
		f, err := parseFile("users.yaml", []byte(clusters+text), filesOf("alice.csr", csr(t, nil, groups...)))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		readAgain(t, f)
	}
}

// TestRoleTwiceInDifferentClusters: a role may have another end in another cluster, and a user may be left without any group.
func TestRoleTwiceInDifferentClusters(t *testing.T) {
	f, err := parseFile("users.yaml", []byte(withClusters+"groups: [{name: g, clusters: {env: prod}}]\n"+
		"users: [{name: a, groups: [g], clusterRoles: [{name: view, clusters: {env: dev}}, {name: view, clusters: {env: prod}, until: 2027-01-31}]}]"), nil)
	if err != nil {
		t.Fatal(err)
	}
	readAgain(t, f)
	for i, want := range []User{
		{Name: "a", ClusterRoles: []Grant{{ClusterRole: "view"}}, Expiration: builtIn.Expiration},
		{Name: "a", ClusterRoles: []Grant{{ClusterRole: "view", Until: date(2027, 2, 1)}}, Groups: []string{"g"}, Expiration: 12 * time.Hour},
	} {
		if diff := cmp.Diff(want, f.Effective(f.Members[i]).Users[0]); diff != "" {
			t.Error(diff)
		}
	}
	if _, err := f.Only(); err == nil {
		t.Error("three clusters are one")
	}
}

// TestTooManyParts: what all clusters have in all is bounded, and that is said once.
func TestTooManyParts(t *testing.T) {
	var text strings.Builder
	text.WriteString(strings.TrimSuffix(manyClusters(), "users: []\n"))
	begun := strings.Replace(text.String(), fmt.Sprintf("  - {name: c%d, owner: o%d}\n", clusters.Max, clusters.Max), "", 1)
	users := func(n int, more string) string {
		var b strings.Builder
		b.WriteString(begun + "users:\n")
		for i := range n {
			fmt.Fprintf(&b, "- {name: u%d%s}\n", i, more)
		}
		return b.String()
	}
	if _, err := parseFile("users.yaml", []byte(users(maxParts/clusters.Max, "")), nil); err != nil {
		t.Error(err)
	}
	for _, text := range []string{users(maxParts/clusters.Max+2, ""), users(maxParts/clusters.Max/2+1, ", clusterRoles: [view]")} {
		_, err := parseFile("users.yaml", []byte(text), nil)
		if err == nil || !strings.Contains(err.Error(), "is one too many: there can be 1000000 users, groups and roles") || strings.Contains(err.Error(), "\n") {
			t.Error(err)
		}
	}
	if _, err := parseFile("users.yaml", []byte(users(20_000, ", clusters: {name: c7}, clusterRoles: [view]")), nil); err != nil {
		t.Error(err)
	}
}
