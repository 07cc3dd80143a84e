package inventory

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory/strict"
)

// refusal is a text, and the problems that it has.
type refusal struct {
	text string
	want string
}

func refused(t *testing.T, table map[string]refusal) {
	t.Helper()
	for sentence, c := range table {
		t.Run(sentence, func(t *testing.T) {
			inv, err := Parse("users.yaml", []byte(c.text), nil)
			if err == nil {
				t.Fatalf("parsed: %+v", inv)
			}
			if _, ok := err.(strict.Problems); !ok {
				t.Errorf("a %T, want strict.Problems", err)
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseRefusesDocuments(t *testing.T) { refused(t, documentRefusals) }

var documentRefusals = map[string]refusal{
	"an empty file":            {"", `users.yaml:1:1: the file is empty: for no users at all, write users: []`},
	"comments only":            {"# nothing\n", `users.yaml:1:1: the file is empty: for no users at all, write users: []`},
	"an empty document":        {"---\n", `users.yaml:2:1: the document is empty: for no users at all, write users: []`},
	"null":                     {"null", `users.yaml:1:1: the document is empty: for no users at all, write users: []`},
	"a list":                   {"- a", `users.yaml:1:1: this is not an inventory: write apiVersion: certsync.dev/v1 and kind: Inventory`},
	"text":                     {"users", `users.yaml:1:1: this is not an inventory: write apiVersion: certsync.dev/v1 and kind: Inventory`},
	"no users":                 {header, `users.yaml:1:1: users: is missing: for no users at all, write users: []`},
	"users without a value":    {header + "users:\n", `users.yaml:4:7: users: a list is expected, but there is nothing: for no users at all, write users: []`},
	"users as null":            {header + "users: ~\n", `users.yaml:4:8: users: a list is expected, but there is nothing: for no users at all, write users: []`},
	"users as a mapping":       {header + "users: {alice: {}}\n", `users.yaml:4:8: users: a list is expected, not a mapping`},
	"users as text":            {header + "users: alice\n", `users.yaml:4:8: users: a list is expected, not "alice"`},
	"a second document":        {header + "users: []\n---\nusers: []\n", `users.yaml:5:1: a second document begins here: an inventory is one document`},
	"an empty second document": {header + "users: []\n---\n", `users.yaml:5:1: a second document begins here: an inventory is one document`},
	"UTF-16":                   {"\xff\xfea\x00", `users.yaml:1:1: the file is not UTF-8`},
	"Latin-1":                  {header + "users: # f\xfcr\n", `users.yaml:4:11: the file is not UTF-8`},
	"a control character":      {header + "users: # \x1b[2J\n", `users.yaml:4:10: the control character '\x1b' is not allowed`},
	"a tab as indentation":     {header + "users:\n\t- name: a\n", `users.yaml:5:1: the file is not YAML: found character that cannot start any token`},
	"an open bracket":          {header + "users: [\n", `users.yaml:5:1: the file is not YAML: did not find expected node content`},
	"an error in the second document": {header + "users: []\n---\n]\n",
		`users.yaml:6:1: the file is not YAML: did not find expected node content`},
	"an alias to nothing": {header + "users: [{name: *alice}]\n",
		`users.yaml:4:1: the file is not YAML: anchors, aliases and merge keys are not supported: write the value out`},
	"an anchor and aliases": {header + "groups: &g [{name: a}]\nusers: [{name: x, groups: *g}, *g]\n", `
users.yaml:4:9: groups: anchors, aliases and merge keys are not supported: write the value out
users.yaml:5:27: users[0].groups: anchors, aliases and merge keys are not supported: write the value out
users.yaml:5:32: users[1]: anchors, aliases and merge keys are not supported: write the value out`[1:]},
	"an anchor on a key": {header + "users: [{&k name: x}]\n", `users.yaml:4:10: users[0]: anchors, aliases and merge keys are not supported: write the value out`},
	"a merge key": {header + "users: [{name: x, <<: {until: 2027-01-01}}]\n",
		`users.yaml:4:19: users[0]: anchors, aliases and merge keys are not supported: write the value out`},
	"a bracket open in a later line": {header + "users: []\ngroups: [\n", `users.yaml:6:1: the file is not YAML: did not find expected node content`},
	"a list that is not closed":      {header + "users: [{name: a}\n\n\n", `users.yaml:4:1: the file is not YAML: did not find expected ',' or ']'`},
	"text that is not closed":        {header + "users: 'a\n\n\n", `users.yaml:4:1: the file is not YAML: found unexpected end of stream`},
	"a wrong indentation":            {header + "users:\n  - name: a\n groups: []\n", `users.yaml:6:1: the file is not YAML: did not find expected key`},
	"a tag on a list":                {header + "users: !!set []\n", `users.yaml:4:8: users: the YAML tag "!!set" is not supported`},
	"a tag on a mapping":             {header + "users: [!user {name: x}]\n", `users.yaml:4:9: users[0]: the YAML tag "!user" is not supported`},
	"a tag on text":                  {header + "users: [{name: !!binary eA==}]\n", `users.yaml:4:16: users[0].name: the YAML tag "!!binary" is not supported`},
}

func TestParseRefusesFields(t *testing.T) { refused(t, fieldRefusals) }

var fieldRefusals = map[string]refusal{
	"an unknown field":            {header + "users: [{name: a, grops: []}]", `users.yaml:4:19: users[0].grops: unknown field (did you mean "groups"?)`},
	"an unknown field at the top": {header + "user: []\nusers: []", `users.yaml:4:1: user: unknown field (did you mean "users"?)`},
	"a field in the wrong case":   {header + "users: [{name: a, clusterroles: []}]", `users.yaml:4:19: users[0].clusterroles: unknown field (did you mean "clusterRoles"?)`},
	"a field like no other":       {header + "users: []\nquux: 1", `users.yaml:5:1: quux: unknown field`},
	"a field with an escape":      {header + "users: []\n\"\\e[2J\": 1", `users.yaml:5:1: ["\x1b[2J"]: unknown field`},
	"a field given twice":         {header + "users: [{name: a, name: b}]", `users.yaml:4:19: users[0].name: is given twice, first in line 4`},
	"users given twice":           {header + "users: []\nusers: []", `users.yaml:5:1: users: is given twice, first in line 4`},
	"a namespace given twice":     {header + "users: [{name: a, namespaces: {x: [], x: []}}]", `users.yaml:4:39: users[0].namespaces.x: is given twice, first in line 4`},
	"a list as a key":             {header + "users: [{name: a, [x]: 1}]", `users.yaml:4:19: users[0]: text is expected, not a list`},
	"a null as a key":             {header + "users: [{name: a, ~: 1}]", `users.yaml:4:19: users[0]: text is expected, but ~ without quotes is null in YAML: write "~"`},
	"an empty key":                {header + "users: [{name: a, ? : 1}]", `users.yaml:4:21: users[0]: text is expected, but there is nothing`},
	"a boolean as a namespace":    {header + "users: [{name: a, namespaces: {on: [view]}}]", `users.yaml:4:32: users[0].namespaces: text is expected, but on without quotes is a boolean in YAML: write "on"`},
	"no apiVersion":               {"kind: Inventory\nowner: a\nusers: []", `users.yaml:1:1: apiVersion: is missing: write apiVersion: certsync.dev/v1`},
	"another apiVersion":          {"apiVersion: certsync.dev/v2\nkind: Inventory\nowner: a\nusers: []", `users.yaml:1:13: apiVersion: "certsync.dev/v2" is unknown (did you mean "certsync.dev/v1"?)`},
	"an apiVersion of something else": {"apiVersion: apps/v1\nkind: Inventory\nowner: a\nusers: []",
		`users.yaml:1:13: apiVersion: "apps/v1" is unknown: write certsync.dev/v1`},
	"no kind":                   {"apiVersion: certsync.dev/v1\nowner: a\nusers: []", `users.yaml:1:1: kind: is missing: write kind: Inventory`},
	"another kind":              {"apiVersion: certsync.dev/v1\nkind: inventory\nowner: a\nusers: []", `users.yaml:2:7: kind: "inventory" is unknown (did you mean "Inventory"?)`},
	"no owner":                  {"apiVersion: certsync.dev/v1\nkind: Inventory\nusers: []", `users.yaml:1:1: owner: is missing: it names the Vault folder and marks every object, such as prod-eu`},
	"a null as list":            {header + "groups:\nusers: []", `users.yaml:4:8: groups: a list is expected, but there is nothing`},
	"a null as a mapping":       {header + "cluster:\nusers: []", `users.yaml:4:9: cluster: a mapping is expected, but there is nothing`},
	"text as a mapping":         {header + "defaults: 24h\nusers: []", `users.yaml:4:11: defaults: a mapping is expected, not "24h"`},
	"text as a group":           {header + "groups: [ops]\nusers: []", `users.yaml:4:10: groups[0]: a mapping is expected, not "ops"`},
	"a tag on a date":           {header + "users: [{name: a, until: !!timestamp 2027-01-01}]", `users.yaml:4:26: users[0].until: the YAML tag "!!timestamp" is not supported`},
	"a list as a renewal":       {header + "defaults: {renewBefore: []}\nusers: []", `users.yaml:4:25: defaults.renewBefore: a share such as 33% or a duration such as 24h is expected, not a list`},
	"a list as a key algorithm": {header + "defaults: {keyAlgorithm: []}\nusers: []", `users.yaml:4:26: defaults.keyAlgorithm: text is expected, not a list`},
	"no as a boolean":           {header + "defaults: {groupsInCertificate: no}\nusers: []", `users.yaml:4:33: defaults.groupsInCertificate: true or false is expected, not "no"`},
	"a boolean in quotes":       {header + "defaults: {groupsInCertificate: 'false'}\nusers: []", `users.yaml:4:33: defaults.groupsInCertificate: true or false is expected, not "false"`},
	"a tagged boolean":          {header + "defaults: {groupsInCertificate: !!bool no}\nusers: []", `users.yaml:4:33: defaults.groupsInCertificate: true or false is expected, not "no"`},
	"nothing as a boolean":      {header + "defaults: {groupsInCertificate: }\nusers: []", `users.yaml:4:33: defaults.groupsInCertificate: true or false is expected, but there is nothing`},
	"a list as a CA":            {header + "cluster: {certificateAuthority: []}\nusers: []", `users.yaml:4:33: cluster.certificateAuthority: text is expected, not a list`},
	"a list as CA data":         {header + "cluster: {certificateAuthorityData: []}\nusers: []", `users.yaml:4:37: cluster.certificateAuthorityData: text is expected, not a list`},
	"a merge key in a grant":    {header + "users: [{name: a, clusterRoles: [{<<: x}]}]", "users.yaml:4:34: users[0].clusterRoles[0].name: is missing: it is the ClusterRole that is granted\nusers.yaml:4:35: users[0].clusterRoles[0]: anchors, aliases and merge keys are not supported: write the value out"},
	"a tag on a grant":          {header + "users: [{name: a, clusterRoles: [!role {name: x}]}]", `users.yaml:4:34: users[0].clusterRoles[0]: the YAML tag "!role" is not supported`},
	"text as a user":            {header + "users: [alice]", `users.yaml:4:9: users[0]: a mapping is expected, not "alice"`},
	"a null as a user":          {header + "users:\n- \n", `users.yaml:5:2: users[0]: a mapping is expected, but there is nothing`},
	"no name":                   {header + "users: [{}]", `users.yaml:4:9: users[0].name: is missing: every user has one`},
	"no name for a group":       {header + "groups: [{}]\nusers: []", `users.yaml:4:10: groups[0].name: is missing: every group has one`},
	"a boolean as a name":       {header + "users: [{name: true}]", `users.yaml:4:16: users[0].name: text is expected, but true without quotes is a boolean in YAML: write "true"`},
	"an old boolean":            {header + "users: [{name: yes}]", `users.yaml:4:16: users[0].name: text is expected, but yes without quotes is a boolean in YAML: write "yes"`},
	"a number as a name":        {header + "users: [{name: 123}]", `users.yaml:4:16: users[0].name: text is expected, but 123 without quotes is a number in YAML: write "123"`},
	"a float as a name":         {header + "users: [{name: 1e3}]", `users.yaml:4:16: users[0].name: text is expected, but 1e3 without quotes is a number in YAML: write "1e3"`},
	"a date as a name":          {header + "users: [{name: 2027-01-01}]", `users.yaml:4:16: users[0].name: text is expected, but 2027-01-01 without quotes is a date in YAML: write "2027-01-01"`},
	"a null as a name":          {header + "users: [{name: ~}]", `users.yaml:4:16: users[0].name: text is expected, but ~ without quotes is null in YAML: write "~"`},
	"nothing as a name":         {header + "users:\n- name:\n", `users.yaml:5:8: users[0].name: text is expected, but there is nothing`},
	"a list as a name":          {header + "users: [{name: [a]}]", `users.yaml:4:16: users[0].name: text is expected, not a list`},
	"a number as an old name":   {header + "users: [{name: a, previously: [7]}]", `users.yaml:4:32: users[0].previously[0]: text is expected, but 7 without quotes is a number in YAML: write "7"`},
	"text as old names":         {header + "users: [{name: a, previously: b}]", `users.yaml:4:31: users[0].previously: a list is expected, not "b"`},
	"nothing as old names":      {header + "users: [{name: a, previously: }]", `users.yaml:4:31: users[0].previously: a list is expected, but there is nothing`},
	"an old name's field":       {header + "users: [{name: a, previous: [b]}]", `users.yaml:4:19: users[0].previous: unknown field (did you mean "previously"?)`},
	"old names of a group":      {header + "groups: [{name: a, previously: [b]}]\nusers: []", `users.yaml:4:20: groups[0].previously: unknown field`},
	"a number as a group":       {header + "users: [{name: a, groups: [7]}]", `users.yaml:4:28: users[0].groups[0]: text is expected, but 7 without quotes is a number in YAML: write "7"`},
	"a boolean as a role":       {header + "users: [{name: a, clusterRoles: [no]}]", `users.yaml:4:34: users[0].clusterRoles[0]: text is expected, but no without quotes is a boolean in YAML: write "no"`},
	"a number as a server":      {header + "cluster: {server: 6443}\nusers: []", `users.yaml:4:19: cluster.server: text is expected, but 6443 without quotes is a number in YAML: write "6443"`},
}

func TestParseReportsAllProblemsInTheOrderOfTheFile(t *testing.T) {
	text := `users:
  - name: alice
    groups: [developres, developers, developers]
    clusterRoles: [view, a/b]
  - name: Alice
    until: tomorrow
  - {nmae: bob}
owner: Prod
groups:
  - name: developers
    namespaces:
      Staging: [edit]
kind: Inventory
`
	refused(t, map[string]refusal{"": {text, strings.TrimSpace(`
users.yaml:1:1: apiVersion: is missing: write apiVersion: certsync.dev/v1
users.yaml:3:14: users[0].groups[0]: group "developres" is not declared (did you mean "developers"?)
users.yaml:3:38: users[0].groups[2]: group "developers" is named twice
users.yaml:4:26: users[0].clusterRoles[1]: "a/b" is not a valid name for a ClusterRole: it must not be . or .., or contain / or %
users.yaml:5:11: users[1].name: user "Alice" differs from "alice" in line 2 in letter case only
users.yaml:6:12: users[1].until: a date such as 2027-06-30, or a time such as 2027-06-30T18:00:00Z, is expected, not "tomorrow"
users.yaml:7:5: users[2].name: is missing: every user has one
users.yaml:7:6: users[2].nmae: unknown field (did you mean "name"?)
users.yaml:8:8: owner: "Prod" is not a valid owner: use a-z, 0-9 and -, and do not begin or end with -
users.yaml:12:7: groups[0].namespaces.Staging: "Staging" is not a valid namespace: use a-z, 0-9 and -, do not begin or end with -, and use at most 63 characters`)}})
}
