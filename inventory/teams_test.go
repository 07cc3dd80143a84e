package inventory

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory/userkey"
)

// teamHeader is what the file of team payments begins with: what follows it begins in line 4.
const teamHeader = "apiVersion: certsync.dev/v1\nkind: TeamInventory\nteam: payments\n"

const withTeam = header + `groups: [{name: admins, clusterRoles: [admin]}, {name: dev}, {name: ops}]
users: [{name: alice, groups: [admins]}]
teams:
  - name: payments
    file: teams/payments.yaml
    groups: [dev, ops]
    maxExpiration: 24h
`

// parseTeam parses withTeam, whose team has this file.
func parseTeam(file string) (*Inventory, error) {
	return Parse("users.yaml", []byte(withTeam), filesOf("teams/payments.yaml", file))
}

func filesOf(pairs ...string) fstest.MapFS {
	files := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		files[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return files
}

func TestParseReadsTeams(t *testing.T) {
	text := header + `defaults: {expiration: 100h}
groups: [{name: dev, clusterRoles: [view]}, {name: ops}]
teams:
  - {name: payments, file: ./teams//payments.yaml, groups: [dev, ops], maxExpiration: 24h}
  - {name: Search, file: search.yml, groups: [dev], maxExpiration: 101h}
  - {name: empty, file: teams/empty.yaml, groups: []}
users: [{name: alice}]
`
	got := mustParse(t, text, filesOf(
		"teams/payments.yaml", teamHeader+"users: [{name: bob, groups: [ops, dev], expiration: 12h, until: 2027-06-30}, {name: carol}]",
		"search.yml", strings.Replace(teamHeader, "payments", "Search", 1)+"users: [{name: dave, expiration: 101h}, {name: erin, groups: []}]",
		"teams/empty.yaml", strings.Replace(teamHeader, "payments", "empty", 1)+"users: []",
	))
	want := &Inventory{
		Owner:    "prod-eu",
		Defaults: Defaults{Expiration: 100 * time.Hour, RenewBefore: RenewBefore{Share: 33}, KeyAlgorithm: userkey.ECDSAP256},
		Groups:   []Group{{Name: "dev", ClusterRoles: []Grant{{ClusterRole: "view"}}}, {Name: "ops"}},
		Users: []User{
			{Name: "alice", Expiration: 100 * time.Hour},
			{Name: "bob", Team: "payments", Groups: []string{"ops", "dev"}, Expiration: 12 * time.Hour, Until: date(2027, 7, 1)},
			{Name: "carol", Team: "payments", Expiration: 24 * time.Hour}, // the default, cut at the team's
			{Name: "dave", Team: "Search", Expiration: 101 * time.Hour},
			{Name: "erin", Team: "Search", Expiration: 100 * time.Hour},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	again := mustParse(t, string(got.Encode(Comments{})), nil)
	for i := range got.Users {
		got.Users[i].Team = "" // in one file there are none
	}
	if diff := cmp.Diff(got, again); diff != "" || got.Digest() != again.Digest() {
		t.Errorf("written into one file it is another inventory: %s", diff)
	}
}

func TestDigestDoesNotDependOnTheFileOfAUser(t *testing.T) {
	const groups = header + "groups: [{name: dev, clusterRoles: [view]}]\n"
	alone := digest(t, groups+"users: [{name: bob, groups: [dev]}, {name: alice}]")
	for sentence, c := range map[string]struct{ root, file string }{
		"in a team's": {"users: [{name: alice}]", "users: [{name: bob, groups: [dev]}]"},
		"all of them": {"users: []", "users: [{name: alice}, {name: bob, groups: [dev]}]"},
		"no one else": {"users: [{name: bob, groups: [dev]}, {name: alice}]", "users: []"},
	} {
		root := groups + "teams: [{name: payments, file: teams/payments.yaml, groups: [dev], maxExpiration: 168h}]\n" + c.root
		inv := mustParse(t, root, filesOf("teams/payments.yaml", teamHeader+c.file))
		if got := inv.Digest(); got != alone {
			t.Errorf("%s: %s, in one file %s", sentence, got, alone)
		}
	}
}

// fileRefusals are files of team payments in withTeam, and what is wrong with them.
var fileRefusals = map[string]refusal{
	"an empty file":         {"", `teams/payments.yaml:1:1: the file is empty: for no users at all, write users: []`},
	"no users":              {teamHeader, `teams/payments.yaml:1:1: users: is missing: for no users at all, write users: []`},
	"users without a value": {teamHeader + "users:", `teams/payments.yaml:4:7: users: a list is expected, but there is nothing: for no users at all, write users: []`},
	"a list":                {"- name: bob", `teams/payments.yaml:1:1: kind: is not TeamInventory: this is not a team's file`},
	"a second document":     {teamHeader + "users: []\n---\nusers: [{name: bob}]", `teams/payments.yaml:5:1: a second document begins here: a team's file is one document`},
	"an open bracket":       {teamHeader + "users: [\n", `teams/payments.yaml:5:1: the file is not YAML: did not find expected node content`},
	"a line break that git and editors do not show": {teamHeader + "users: # nobody\u2028- name: bob", `teams/payments.yaml:4:16: the control character '\u2028' is not allowed`},
	"an anchor and an alias":                        {teamHeader + "users: [{name: bob, groups: &g [dev]}, {name: carol, groups: *g}]", "teams/payments.yaml:4:29: users[0].groups: anchors, aliases and merge keys are not supported: write the value out\nteams/payments.yaml:4:62: users[1].groups: anchors, aliases and merge keys are not supported: write the value out"},
	"a merge key":                                   {teamHeader + "users: [{name: bob, <<: {groups: [dev]}}]", "teams/payments.yaml:4:21: users[0]: anchors, aliases and merge keys are not supported: write the value out"},
	"users given twice":                             {teamHeader + "users: []\nusers: [{name: bob}]", `teams/payments.yaml:5:1: users: is given twice, first in line 4`},
	"another kind":                                  {"apiVersion: certsync.dev/v1\nkind: Inventory\nteam: payments\nusers: []", `teams/payments.yaml:1:1: kind: is not TeamInventory: this is not a team's file`},
	"another apiVersion":                            {"apiVersion: certsync.dev/v2\nkind: TeamInventory\nteam: payments\nusers: []", `teams/payments.yaml:1:13: apiVersion: "certsync.dev/v2" is unknown (did you mean "certsync.dev/v1"?)`},
	"no team":                                       {"apiVersion: certsync.dev/v1\nkind: TeamInventory\nusers: []", `teams/payments.yaml:1:1: team: is missing: it is the name that the team has in users.yaml`},
	"another team":                                  {"apiVersion: certsync.dev/v1\nkind: TeamInventory\nteam: Payments\nusers: []", `teams/payments.yaml:3:7: team: "Payments" is not team "payments", to which users.yaml gives this file`},
	"a boolean as the team":                         {"apiVersion: certsync.dev/v1\nkind: TeamInventory\nteam: yes\nusers: []", `teams/payments.yaml:3:7: team: text is expected, but yes without quotes is a boolean in YAML: write "yes"`},
	"an owner":                                      {teamHeader + "owner: prod-us\nusers: []", `teams/payments.yaml:4:1: owner: ` + notInFile},
	"a cluster":                                     {teamHeader + "cluster: {server: 'https://evil.example.com'}\nusers: []", `teams/payments.yaml:4:1: cluster: ` + notInFile},
	"defaults":                                      {teamHeader + "defaults: {expiration: 8760h}\nusers: []", `teams/payments.yaml:4:1: defaults: ` + notInFile},
	"groups of its own":                             {teamHeader + "groups: [{name: admins, clusterRoles: [cluster-admin]}]\nusers: []", `teams/payments.yaml:4:1: groups: ` + notInFile},
	"teams of its own":                              {teamHeader + "teams: []\nusers: []", `teams/payments.yaml:4:1: teams: ` + notInFile},
	"a field like no other":                         {teamHeader + "quux: 1\nusers: []", `teams/payments.yaml:4:1: quux: unknown field`},
	"a field with a letter wrong":                   {teamHeader + "user: []\nusers: []", `teams/payments.yaml:4:1: user: unknown field (did you mean "users"?)`},
	"roles of a user":                               {teamHeader + "users: [{name: bob, clusterRoles: [cluster-admin]}]", `teams/payments.yaml:4:21: users[0].clusterRoles: ` + notOfUser},
	"roles in a namespace":                          {teamHeader + "users: [{name: bob, namespaces: {kube-system: [admin]}}]", `teams/payments.yaml:4:21: users[0].namespaces: ` + notOfUser},
	"an old name":                                   {teamHeader + "users: [{name: bob, previously: [alice]}]", `teams/payments.yaml:4:21: users[0].previously: ` + notOfUser},
	"protection of a user":                          {teamHeader + "users: [{name: bob, protected: true}]", `teams/payments.yaml:4:21: users[0].protected: ` + notOfUser},
	"an unknown field of a user":                    {teamHeader + "users: [{name: bob, untill: 2027-01-01}]", `teams/payments.yaml:4:21: users[0].untill: unknown field (did you mean "until"?)`},
	"a group of somebody else":                      {teamHeader + "users: [{name: bob, groups: [dev, admins]}]", `teams/payments.yaml:4:35: users[0].groups[1]: group "admins" is not given to team "payments" in users.yaml`},
	"a group that nobody declared":                  {teamHeader + "users: [{name: bob, groups: [op]}]", `teams/payments.yaml:4:30: users[0].groups[0]: group "op" is not given to team "payments" in users.yaml (did you mean "ops"?)`},
	"a group in another case":                       {teamHeader + "users: [{name: bob, groups: [DEV]}]", `teams/payments.yaml:4:30: users[0].groups[0]: group "DEV" is not given to team "payments" in users.yaml (did you mean "dev"?)`},
	"a group of the system":                         {teamHeader + "users: [{name: bob, groups: ['system:masters']}]", `teams/payments.yaml:4:30: users[0].groups[0]: "system:masters" bypasses all authorization, so nothing can revoke a certificate that carries it: grant cluster-admin instead`},
	"a group named twice":                           {teamHeader + "users: [{name: bob, groups: [dev, dev]}]", `teams/payments.yaml:4:35: users[0].groups[1]: group "dev" is named twice`},
	"a name of the system":                          {teamHeader + "users: [{name: 'system:admin'}]", `teams/payments.yaml:4:16: users[0].name: "system:admin" is reserved: names that begin with system: belong to Kubernetes`},
	"a name with a slash":                           {teamHeader + "users: [{name: ../state}]", `teams/payments.yaml:4:16: users[0].name: "../state" is not a valid name: use letters, digits and . _ @ + -, and begin and end with a letter or digit`},
	"no name":                                       {teamHeader + "users: [{groups: [dev]}]", `teams/payments.yaml:4:9: users[0].name: is missing: every user has one`},
	"text as a user":                                {teamHeader + "users: [bob]", `teams/payments.yaml:4:9: users[0]: a mapping is expected, not "bob"`},
	"a user of the inventory":                       {teamHeader + "users: [{name: alice}]", `teams/payments.yaml:4:16: users[0].name: user "alice" is declared twice, first in line 5 of users.yaml`},
	"a user in another case":                        {teamHeader + "users: [{name: Alice}]", `teams/payments.yaml:4:16: users[0].name: user "Alice" differs from "alice" in line 5 of users.yaml in letter case only`},
	"a user twice":                                  {teamHeader + "users: [{name: bob},\n {name: bob}]", `teams/payments.yaml:5:9: users[1].name: user "bob" is declared twice, first in line 4`},
	"an expiration over the team's":                 {teamHeader + "users: [{name: bob, expiration: 24h1s}]", `teams/payments.yaml:4:33: users[0].expiration: "24h1s" is over 24h, the maxExpiration of team "payments" in users.yaml`},
	"an expiration of a week":                       {teamHeader + "users: [{name: bob, expiration: 168h}]", `teams/payments.yaml:4:33: users[0].expiration: "168h" is over 24h, the maxExpiration of team "payments" in users.yaml`},
	"an expiration under 10 minutes":                {teamHeader + "users: [{name: bob, expiration: 9m}]", `teams/payments.yaml:4:33: users[0].expiration: "9m" is under 10 minutes, the shortest lifetime that Kubernetes issues`},
	"a day that is none":                            {teamHeader + "users: [{name: bob, until: 2027-02-30}]", `teams/payments.yaml:4:28: users[0].until: a date such as 2027-06-30, or a time such as 2027-06-30T18:00:00Z, is expected, not "2027-02-30"`},
	"more than it may hold":                         {teamHeader + "users: [] #" + strings.Repeat(" ", maxTeamFile), `users.yaml:8:11: teams[0].file: file "teams/payments.yaml" is larger than 256 KiB`},
}

const (
	notInFile = `belongs to users.yaml: here, a team's file can have only apiVersion, kind, team, users`
	notOfUser = `belongs to users.yaml: here, a team's file can have only name, groups, expiration, from, until, reason, ticket, clusters`
)

func TestTeamFileRefused(t *testing.T) {
	for sentence, c := range fileRefusals {
		t.Run(sentence, func(t *testing.T) {
			inv, err := parseTeam(c.text)
			if err == nil {
				t.Fatalf("parsed: %+v", inv)
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// teamRefusals are inventories with files of teamFiles, and what is wrong with them.
var teamRefusals = map[string]refusal{
	"teams without a value":                  {header + "users: []\nteams:", `users.yaml:5:7: teams: a list is expected, but there is nothing`},
	"text as a team":                         {header + "users: []\nteams: [payments]", `users.yaml:5:9: teams[0]: a mapping is expected, not "payments"`},
	"an unknown field":                       {rooted("{name: a, file: teams/a.yaml, groups: [dev], owner: x}"), `users.yaml:7:48: teams[0].owner: unknown field`},
	"no name":                                {rooted("{file: teams/a.yaml, groups: [dev]}"), `users.yaml:7:3: teams[0].name: is missing: every team has one`},
	"a name that is none":                    {rooted("{name: a/b, file: teams/b.yaml, groups: [dev]}"), `users.yaml:7:10: teams[0].name: "a/b" is not a valid name: use letters, digits and . _ @ + -, and begin and end with a letter or digit`},
	"no file":                                {rooted("{name: payments, groups: [dev]}"), `users.yaml:7:3: teams[0].file: is missing: it names the file with the team's users, such as teams/payments.yaml`},
	"no groups":                              {rooted("{name: a, file: teams/a.yaml}"), `users.yaml:7:3: teams[0].groups: is missing: the team's file can use these groups only`},
	"groups without a value":                 {rooted("{name: c, file: teams/c.yaml, groups: }"), `users.yaml:7:41: teams[0].groups: a list is expected, but there is nothing`},
	"a group that nobody declared":           {rooted("{name: a, file: teams/a.yaml, groups: [dev, admin]}"), `users.yaml:7:47: teams[0].groups[1]: group "admin" is not declared (did you mean "admins"?)`},
	"a group given twice":                    {rooted("{name: a, file: teams/a.yaml, groups: [dev, dev]}"), `users.yaml:7:47: teams[0].groups[1]: group "dev" is named twice`},
	"a group in two cases":                   {rooted("{name: a, file: teams/a.yaml, groups: [dev, Dev]}"), `users.yaml:7:47: teams[0].groups[1]: group "Dev" is not declared (did you mean "dev"?)`},
	"a file that is missing":                 {rooted("{name: a, file: teams/none.yaml, groups: [dev]}"), `users.yaml:7:19: teams[0].file: file "teams/none.yaml" cannot be read: file does not exist`},
	"a file outside of the folder":           {rooted("{name: a, file: ../a.yaml, groups: [dev]}"), `users.yaml:7:19: teams[0].file: file "../a.yaml" is outside of the inventory's folder`},
	"a file outside by a detour":             {rooted("{name: a, file: teams/../../a.yaml, groups: [dev]}"), `users.yaml:7:19: teams[0].file: file "teams/../../a.yaml" is outside of the inventory's folder`},
	"a file with an absolute path":           {rooted("{name: a, file: /teams/x.yaml, groups: [dev]}"), `users.yaml:7:19: teams[0].file: file "/teams/x.yaml" is outside of the inventory's folder`},
	"a file that does not end as YAML":       {rooted("{name: a, file: teams/a.json, groups: [dev]}"), `users.yaml:7:19: teams[0].file: "teams/a.json" does not end in .yaml or .yml`},
	"an empty file's name":                   {rooted("{name: a, file: '', groups: [dev]}"), `users.yaml:7:19: teams[0].file: is empty`},
	"a folder as the file":                   {rooted("{name: a, file: folder.yaml, groups: [dev]}"), `users.yaml:7:19: teams[0].file: file "folder.yaml" is not a regular file`},
	"two teams of one name":                  {rooted("{name: a, file: teams/a.yaml, groups: [dev]}\n- {name: a, file: teams/c.yaml, groups: [dev]}"), `users.yaml:8:10: teams[1].name: team "a" is declared twice, first in line 7` + "\n" + `teams/c.yaml:3:7: team: "c" is not team "a", to which users.yaml gives this file`},
	"two teams with one file":                {rooted("{name: a, file: teams/a.yaml, groups: [dev]}\n- {name: b, file: ./teams/x/../a.yaml, groups: [dev]}"), `users.yaml:8:19: teams[1].file: file "teams/a.yaml" is declared twice, first in line 7`},
	"a name in two files":                    {rooted("{name: a, file: teams/a.yaml, groups: [dev]}\n- {name: b, file: teams/b.yaml, groups: [dev]}"), `teams/b.yaml:4:16: users[0].name: user "bob" is declared twice, first in line 4 of teams/a.yaml`},
	"a name in two files, in another case":   {rooted("{name: a, file: teams/a.yaml, groups: [dev]}\n- {name: d, file: teams/d.yaml, groups: [dev]}"), `teams/d.yaml:4:16: users[0].name: user "Bob" differs from "bob" in line 4 of teams/a.yaml in letter case only`},
	"an old name that a team has":            {strings.Replace(rooted("{name: a, file: teams/a.yaml, groups: [dev]}"), "alice", "alice, previously: [bob]", 1), `users.yaml:4:36: users[0].previously[0]: "bob" is still a user of this inventory, so it is not an earlier name`},
	"an old name in a team's case":           {strings.Replace(rooted("{name: a, file: teams/a.yaml, groups: [dev]}"), "alice", "alice, previously: [BOB]", 1), `users.yaml:4:36: users[0].previously[0]: old name "BOB" differs from user "bob" in line 4 of teams/a.yaml in letter case only`},
	"a bound without a unit":                 {rooted("{name: a, file: teams/a.yaml, groups: [dev], maxExpiration: 24}"), `users.yaml:7:63: teams[0].maxExpiration: a duration such as 168h is expected, not "24": it has no unit; for seconds, write 24s`},
	"a bound under 10 minutes":               {rooted("{name: a, file: teams/a.yaml, groups: [dev], maxExpiration: 5m}"), `users.yaml:7:63: teams[0].maxExpiration: "5m" is under 10 minutes, the shortest lifetime that Kubernetes issues`},
	"a renewal before a bounded issue":       {rooted("{name: a, file: teams/a.yaml, groups: [dev], maxExpiration: 24h}\ndefaults: {renewBefore: 24h}"), `users.yaml:7:63: teams[0].maxExpiration: renewBefore 24h is over 90% of the expiration 24h: a certificate would be due again as soon as it is issued`},
	"an expiration over the default":         {rooted("{name: e, file: teams/e.yaml, groups: [dev]}\ndefaults: {expiration: 19h}"), `teams/e.yaml:4:33: users[0].expiration: "20h" is over 19h, the default expiration: to allow it, set maxExpiration of team "e" in users.yaml`},
	"a renewal before a team's user's issue": {rooted("{name: e, file: teams/e.yaml, groups: [dev]}\ndefaults: {renewBefore: 24h}"), `teams/e.yaml:4:33: users[0].expiration: renewBefore 24h is over 90% of the expiration 20h: a certificate would be due again as soon as it is issued`},
}

// rooted is an inventory with teams, the first in line 7.
func rooted(teams string) string {
	return header + "users: [{name: alice}]\ngroups: [{name: dev}, {name: admins}]\nteams:\n- " + teams
}

// teamFiles are the files of teams a to e. Those that a text names lie beside it.
func teamFiles(text string) fstest.MapFS {
	files := fstest.MapFS{"folder.yaml/x": {}}
	for team, users := range map[string]string{
		"a": "[{name: bob, groups: [dev]}]", "b": "[{name: bob}]", "c": "[]", "d": "[{name: Bob}]", "e": "[{name: bob, expiration: 20h}]",
	} {
		if name := "teams/" + team + ".yaml"; strings.Contains(text, name) {
			files[name] = &fstest.MapFile{Data: []byte(strings.Replace(teamHeader, "payments", team, 1) + "users: " + users)}
		}
	}
	return files
}

func TestTeamsRefused(t *testing.T) {
	for sentence, c := range teamRefusals {
		t.Run(sentence, func(t *testing.T) {
			inv, err := Parse("users.yaml", []byte(c.text), teamFiles(c.text))
			if err == nil {
				t.Fatalf("parsed: %+v", inv)
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestProblemsOfTeamsComeAfterTheInventorys: each names its file as it lies beside the inventory, wherever that is.
func TestProblemsOfTeamsComeAfterTheInventorys(t *testing.T) {
	root := header + `teams:
  - {name: b, file: b/b.yaml, groups: []}
  - {name: a, file: a.yaml, groups: []}
users: [{nam: x}]
`
	file := strings.Replace(teamHeader, "payments", "b", 1) + "users: [{name: w, groups: [z]}]"
	_, err := Parse("/srv/x/users.yaml", []byte(root), filesOf("b/b.yaml", file, "a.yaml", "{a: b, kind: TeamInventory}"))
	want := `/srv/x/users.yaml:7:9: users[0].name: is missing: every user has one
/srv/x/users.yaml:7:10: users[0].nam: unknown field (did you mean "name"?)
/srv/x/a.yaml:1:1: apiVersion: is missing: write apiVersion: certsync.dev/v1
/srv/x/a.yaml:1:1: team: is missing: it is the name that the team has in /srv/x/users.yaml
/srv/x/a.yaml:1:1: users: is missing: for no users at all, write users: []
/srv/x/a.yaml:1:2: a: unknown field
/srv/x/b/b.yaml:4:28: users[0].groups[0]: group "z" is not given to team "b" in /srv/x/users.yaml`
	if err == nil {
		t.Fatal("parsed")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
}
