package inventory

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const notDeclared = `users.yaml:4:28: users[0].groups[0]: group `

const oldName = `users.yaml:4:32: users[0].previously[0]: `

func TestParseRefusesNames(t *testing.T) { refused(t, nameRefusals) }

var nameRefusals = map[string]refusal{
	"an empty name":                                 {header + "users: [{name: ''}]", `users.yaml:4:16: users[0].name: is empty`},
	"a name with a blank":                           {header + "users: [{name: a b}]", `users.yaml:4:16: users[0].name: "a b" is not a valid name: use letters, digits and . _ @ + -, and begin and end with a letter or digit`},
	"a name with a slash":                           {header + "users: [{name: a/b}]", `users.yaml:4:16: users[0].name: "a/b" is not a valid name: use letters, digits and . _ @ + -, and begin and end with a letter or digit`},
	"a name with a colon":                           {header + "users: [{name: 'a:b'}]", `users.yaml:4:16: users[0].name: "a:b" is not a valid name: use letters, digits and . _ @ + -, and begin and end with a letter or digit`},
	"a name that ends in -":                         {header + "users: [{name: a-}]", `users.yaml:4:16: users[0].name: "a-" is not a valid name: use letters, digits and . _ @ + -, and begin and end with a letter or digit`},
	"a name in other letters":                       {header + "users: [{name: jürgen}]", `users.yaml:4:16: users[0].name: "jürgen" is not a valid name: use letters, digits and . _ @ + -, and begin and end with a letter or digit`},
	"a name with a line end":                        {header + `users: [{name: "a\n"}]`, `users.yaml:4:16: users[0].name: "a\n" is not a valid name: use letters, digits and . _ @ + -, and begin and end with a letter or digit`},
	"a name with an escape":                         {header + `users: [{name: "\e[31mroot"}]`, `users.yaml:4:16: users[0].name: "\x1b[31mroot" is not a valid name: use letters, digits and . _ @ + -, and begin and end with a letter or digit`},
	"a name that is reversed":                       {header + "users: [{name: a\u202eb}]", `users.yaml:4:17: the control character '\u202e' is not allowed`},
	"a line break that git and editors do not show": {header + "users: # until March\u2028- name: mallory", `users.yaml:4:21: the control character '\u2028' is not allowed`},
	"a next-line character":                         {header + "users: []#\u0085x", `users.yaml:4:11: the control character '\u0085' is not allowed`},
	"a carriage return within a line":               {header + "users: []#\rx", `users.yaml:4:11: the control character '\r' is not allowed`},
	"a name with two dots":                          {header + "users: [{name: a..b}]", `users.yaml:4:16: users[0].name: "a..b" is not a valid name: Vault takes no path with two dots in a row`},
	"a name that is too long":                       {header + "users: [{name: " + strings.Repeat("a", 65) + "}]", `users.yaml:4:16: users[0].name: "` + strings.Repeat("a", 60) + `…" has 65 characters, and a certificate can hold 64`},
	"a name of the system":                          {header + "users: [{name: 'system:admin'}]", `users.yaml:4:16: users[0].name: "system:admin" is reserved: names that begin with system: belong to Kubernetes`},
	"a system group":                                {header + "groups: [{name: 'System:nodes'}]\nusers: []", `users.yaml:4:17: groups[0].name: "System:nodes" is reserved: names that begin with system: belong to Kubernetes`},
	"system:masters": {header + "users: [{name: a, groups: ['system:masters']}]",
		`users.yaml:4:28: users[0].groups[0]: "system:masters" bypasses all authorization, so nothing can revoke a certificate that carries it: grant cluster-admin instead`},
	"system:masters, reported where it is declared": {header + "groups: [{name: 'system:masters'}]\nusers: [{name: a, groups: ['system:masters']}]",
		`users.yaml:4:17: groups[0].name: "system:masters" bypasses all authorization, so nothing can revoke a certificate that carries it: grant cluster-admin instead`},
	"kubeadm:cluster-admins": {header + "groups: [{name: 'kubeadm:cluster-admins'}]\nusers: []",
		`users.yaml:4:17: groups[0].name: "kubeadm:cluster-admins" is kubeadm's own group of cluster-admins: grant cluster-admin instead`},
	"a user twice":                  {header + "users:\n- name: a\n- name: b\n- name: a\n", `users.yaml:7:9: users[2].name: user "a" is declared twice, first in line 5`},
	"users that differ in case":     {header + "users:\n- name: a@b\n- name: a@B\n", `users.yaml:6:9: users[1].name: user "a@B" differs from "a@b" in line 5 in letter case only`},
	"a group twice":                 {header + "groups:\n- name: a\n- name: a\nusers: []", `users.yaml:6:9: groups[1].name: group "a" is declared twice, first in line 5`},
	"groups that differ in case":    {header + "groups:\n- name: a\n- name: A\nusers: []", `users.yaml:6:9: groups[1].name: group "A" differs from "a" in line 5 in letter case only`},
	"a group that nobody declared":  {header + "users: [{name: a, groups: [b]}]", notDeclared + `"b" is not declared`},
	"a group in another case":       {header + "users: [{name: a, groups: [OPS]}]\ngroups: [{name: ops}]", notDeclared + `"OPS" is not declared (did you mean "ops"?)`},
	"letters swapped in a group":    {header + "users: [{name: a, groups: [developres]}]\ngroups: [{name: dev}, {name: developers}]", notDeclared + `"developres" is not declared (did you mean "developers"?)`},
	"a group named twice":           {header + "groups: [{name: g}]\nusers: [{name: a, groups: [g, g]}]", `users.yaml:5:31: users[0].groups[1]: group "g" is named twice`},
	"an old name that is none":      {header + "users: [{name: a, previously: [b/c]}]", oldName + `"b/c" is not a valid name: use letters, digits and . _ @ + -, and begin and end with a letter or digit`},
	"an old name of the system":     {header + "users: [{name: a, previously: ['system:admin']}]", oldName + `"system:admin" is reserved: names that begin with system: belong to Kubernetes`},
	"a user's own name as old":      {header + "users: [{name: a, previously: [a]}]", oldName + `"a" is the user's present name: name an earlier one`},
	"an old name twice, by case":    {header + "users: [{name: ab, previously: [Ab, AB]}]", `users.yaml:4:37: users[0].previously[1]: old name "AB" differs from "Ab" in line 4 in letter case only`},
	"an old name of a user before":  {header + "users:\n- name: b\n- {name: a, previously: [b]}\n", `users.yaml:6:26: users[1].previously[0]: "b" is still a user of this inventory, so it is not an earlier name`},
	"an old name of a user after":   {header + "users: [{name: a, previously: [b]}, {name: b}]", oldName + `"b" is still a user of this inventory, so it is not an earlier name`},
	"two who exchange their names":  {header + "users: [{name: a, previously: [b]}, {name: b, previously: [a]}]", oldName + `"b" is still a user of this inventory, so it is not an earlier name` + "\n" + `users.yaml:4:60: users[1].previously[0]: "a" is still a user of this inventory, so it is not an earlier name`},
	"an old name in another case":   {header + "users: [{name: a, previously: [B]},\n {name: b}]", oldName + `old name "B" differs from user "b" in line 5 in letter case only`},
	"an old name twice":             {header + "users: [{name: a, previously: [b, b]}]", `users.yaml:4:35: users[0].previously[1]: old name "b" is declared twice, first in line 4`},
	"an old name of two users":      {header + "users:\n- {name: a, previously: [x]}\n- {name: b, previously: [x]}\n", `users.yaml:6:26: users[1].previously[0]: old name "x" is declared twice, first in line 5`},
	"old names that differ in case": {header + "users:\n- {name: a, previously: [x]}\n- {name: b, previously: [X]}\n", `users.yaml:6:26: users[1].previously[0]: old name "X" differs from "x" in line 5 in letter case only`},
	"an empty owner":                {"apiVersion: certsync.dev/v1\nkind: Inventory\nowner: ''\nusers: []", `users.yaml:3:8: owner: is empty`},
	"an owner with a dot":           {"apiVersion: certsync.dev/v1\nkind: Inventory\nowner: a.b\nusers: []", `users.yaml:3:8: owner: "a.b" is not a valid owner: use a-z, 0-9 and -, and do not begin or end with -`},
	"an owner that is too long":     {"apiVersion: certsync.dev/v1\nkind: Inventory\nowner: " + strings.Repeat("a", 41) + "\nusers: []", `users.yaml:3:8: owner: "` + strings.Repeat("a", 41) + `" is longer than 40 characters`},
	"a namespace in capitals":       {header + "users: [{name: a, namespaces: {Kube: [view]}}]", `users.yaml:4:32: users[0].namespaces.Kube: "Kube" is not a valid namespace: use a-z, 0-9 and -, do not begin or end with -, and use at most 63 characters`},
	"a namespace that is too long":  {header + "users: [{name: a, namespaces: {" + strings.Repeat("n", 64) + ": []}}]", `users.yaml:4:32: users[0].namespaces["` + strings.Repeat("n", 60) + `…"]: "` + strings.Repeat("n", 60) + `…" is not a valid namespace: use a-z, 0-9 and -, do not begin or end with -, and use at most 63 characters`},
	"a namespace for all":           {header + "users: [{name: a, namespaces: {'*': [view]}}]", `users.yaml:4:32: users[0].namespaces["*"]: "*" is not a valid namespace: use a-z, 0-9 and -, do not begin or end with -, and use at most 63 characters`},
	"a namespace's roles missing":   {header + "users: [{name: a, namespaces: {x: }}]", `users.yaml:4:35: users[0].namespaces.x: a list is expected, but there is nothing`},
	"a role in place of roles":      {header + "users: [{name: a, clusterRoles: view}]", `users.yaml:4:33: users[0].clusterRoles: a list is expected, not "view"`},
	"an empty role":                 {header + "users: [{name: a, clusterRoles: ['']}]", `users.yaml:4:34: users[0].clusterRoles[0]: is empty`},
	"two dots as a role":            {header + "users: [{name: a, clusterRoles: [..]}]", `users.yaml:4:34: users[0].clusterRoles[0]: ".." is not a valid name for a ClusterRole: it must not be . or .., or contain / or %`},
	"a role with a percent sign":    {header + "users: [{name: a, clusterRoles: [a%b]}]", `users.yaml:4:34: users[0].clusterRoles[0]: "a%b" is not a valid name for a ClusterRole: it must not be . or .., or contain / or %`},
	"a role with the mark of parts": {header + "users: [{name: a, clusterRoles: ['view#2']}]", `users.yaml:4:34: users[0].clusterRoles[0]: "view#2" cannot be granted: certsync uses # in its own names`},
	"a role with a blank":           {header + "users: [{name: a, clusterRoles: [a b]}]", `users.yaml:4:34: users[0].clusterRoles[0]: "a b" cannot be granted: it contains a space or a control character`},
	"a role that is too long":       {header + "users: [{name: a, clusterRoles: [" + strings.Repeat("r", 254) + "]}]", `users.yaml:4:34: users[0].clusterRoles[0]: "` + strings.Repeat("r", 60) + `…" is longer than 253 characters`},
	"a role twice":                  {header + "users: [{name: a, clusterRoles: [view, edit, view]}]", `users.yaml:4:46: users[0].clusterRoles[2]: role "view" is granted twice, first in line 4`},
	"a role with and without end":   {header + "groups: [{name: a, namespaces: {x: [view, {name: view, until: 2027-01-01}]}}]\nusers: []", `users.yaml:4:43: groups[0].namespaces.x[1]: role "view" is granted twice, first in line 4`},
	"a grant without a name":        {header + "users: [{name: a, clusterRoles: [{until: 2027-01-01}]}]", `users.yaml:4:34: users[0].clusterRoles[0].name: is missing: it is the ClusterRole that is granted`},
	"an empty reason":               {header + "users: [{name: a, reason: ''}]", `users.yaml:4:27: users[0].reason: is empty: write something, or leave it out`},
	"a reason of blanks":            {header + "users: [{name: a, clusterRoles: [{name: x, ticket: '  '}]}]", `users.yaml:4:52: users[0].clusterRoles[0].ticket: is empty: write something, or leave it out`},
	"a reason of nothing":           {header + "users: [{name: a, reason: }]", `users.yaml:4:27: users[0].reason: text is expected, but there is nothing`},
	"a reason that is too long":     {header + "users: [{name: a, reason: " + strings.Repeat("ä", 201) + "}]", `users.yaml:4:27: users[0].reason: has 201 characters, and can have 200`},
	"a reason of two lines":         {header + "users: [{name: a, reason: \"a\\nb\"}]", `users.yaml:4:27: users[0].reason: has more than one line`},
	"a reason that nobody sees":     {header + "users: [{name: a, reason: \"\\u3164\"}]", `users.yaml:4:27: users[0].reason: contains a character that is not printed, such as a control character: "ㅤ"`},
	"a reason that turns the text":  {header + "users: [{name: a, reason: \"a\\u202eb\"}]", `users.yaml:4:27: users[0].reason: contains a character that is not printed, such as a control character: "a\u202eb"`},
	"a reason with an escape":       {header + "users: [{name: a, ticket: \"\\x1b[2J\"}]", `users.yaml:4:27: users[0].ticket: contains a character that is not printed, such as a control character: "\x1b[2J"`},
	"a ticket that is a number":     {header + "users: [{name: a, ticket: 1234}]", `users.yaml:4:27: users[0].ticket: text is expected, but 1234 without quotes is a number in YAML: write "1234"`},
	"a reason of a group":           {header + "groups: [{name: a, reason: x}]\nusers: []", `users.yaml:4:20: groups[0].reason: unknown field`},
	"protection in words":           {header + "users: [{name: a, protected: yes}]", `users.yaml:4:30: users[0].protected: true or false is expected, not "yes"`},
	"an unknown field in a grant":   {header + "users: [{name: a, clusterRoles: [{name: x, til: 2027-01-01}]}]", `users.yaml:4:44: users[0].clusterRoles[0].til: unknown field`},
}

// TestRenameByCase: a user's own name in other letters is an old name as any. Vault knows users in lower case by some methods.
func TestRenameByCase(t *testing.T) {
	inv, err := Parse("users.yaml", []byte(header+"users: [{name: alice.smith, previously: [Alice.Smith]}]"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"Alice.Smith"}, inv.Users[0].Previously); diff != "" {
		t.Error(diff)
	}
}

func TestParseRefusesTimes(t *testing.T) { refused(t, timeRefusals) }

const noDate = `users.yaml:4:26: users[0].until: a date such as 2027-06-30, or a time such as 2027-06-30T18:00:00Z, is expected, `

var timeRefusals = map[string]refusal{
	"a revocation at no time":        {header + "defaults: {revokedBefore: soon}\nusers: []", `users.yaml:4:27: defaults.revokedBefore: a time such as 2026-11-28T10:00:00Z, or a date such as 2026-11-28, is expected, not "soon"`},
	"a revocation too late":          {header + "users: [{name: a, revokedBefore: 9999-12-31T23:59:59-01:00}]", `users.yaml:4:34: users[0].revokedBefore: "9999-12-31T23:59:59-01:00" lies after the year 9999: it would revoke nothing`},
	"a day that is none":             {header + "users: [{name: a, until: 2027-02-30}]", noDate + `not "2027-02-30"`},
	"a day in YAML's looser form":    {header + "users: [{name: a, until: 2027-2-3}]", noDate + `not "2027-2-3"`},
	"a time in YAML's looser form":   {header + "users: [{name: a, until: 2027-06-30 18:00:00}]", noDate + `not "2027-06-30 18:00:00"`},
	"a time without a zone":          {header + "users: [{name: a, until: 2027-06-30T18:00:00}]", noDate + `not "2027-06-30T18:00:00"`},
	"an hour of one digit":           {header + "users: [{name: a, until: 2027-06-30T8:00:00Z}]", noDate + `not "2027-06-30T8:00:00Z"`},
	"a year":                         {header + "users: [{name: a, until: 2027}]", noDate + `not "2027"`},
	"no end":                         {header + "users: [{name: a, until: ~}]", noDate + `but there is nothing`},
	"a list of ends":                 {header + "users: [{name: a, until: [2027-01-01]}]", noDate + `not a list`},
	"an end as of no end":            {header + "users: [{name: a, until: 0001-01-01T00:00:00Z}]", `users.yaml:4:26: users[0].until: "0001-01-01T00:00:00Z" lies before the year 2000`},
	"an end that stands for none":    {header + "users: [{name: a, until: 9999-12-31}]", `users.yaml:4:26: users[0].until: "9999-12-31" lies after the year 9999: leave it out for access without an end`},
	"an end of a grant":              {header + "users: [{name: a, clusterRoles: [{name: x, until: soon}]}]", `users.yaml:4:51: users[0].clusterRoles[0].until: a date such as 2027-06-30, or a time such as 2027-06-30T18:00:00Z, is expected, not "soon"`},
	"a beginning at no time":         {header + "users: [{name: a, from: monday}]", `users.yaml:4:25: users[0].from: a date such as 2027-01-31, or a time such as 2027-01-31T08:00:00Z, is expected, not "monday"`},
	"a beginning of a grant":         {header + "users: [{name: a, clusterRoles: [{name: x, from: 2027-1-1}]}]", `users.yaml:4:50: users[0].clusterRoles[0].from: a date such as 2027-01-31, or a time such as 2027-01-31T08:00:00Z, is expected, not "2027-1-1"`},
	"a beginning that is none":       {header + "users: [{name: a, from: 1999-12-31}]", `users.yaml:4:25: users[0].from: "1999-12-31" lies before the year 2000`},
	"a beginning that never is":      {header + "users: [{name: a, from: 9999-12-31T23:59:59-01:00}]", `users.yaml:4:25: users[0].from: "9999-12-31T23:59:59-01:00" lies after the year 9999: it would never begin`},
	"a beginning after the end":      {header + "users: [{name: a, from: 2027-02-01, until: 2027-01-31}]", `users.yaml:4:25: users[0].from: "2027-02-01" is not before the end of access, until "2027-01-31"`},
	"a beginning at the end":         {header + "users: [{name: a, clusterRoles: [{name: x, until: 2027-01-31T08:00:00+01:00, from: 2027-01-31T07:00:00Z}]}]", `users.yaml:4:84: users[0].clusterRoles[0].from: "2027-01-31T07:00:00Z" is not before the end of access, until "2027-01-31T08:00:00+01:00"`},
	"an expiration in days":          {header + "users: [{name: a, expiration: 7d}]", `users.yaml:4:31: users[0].expiration: a duration such as 168h is expected, not "7d": write 168h`},
	"an expiration in weeks":         {header + "users: [{name: a, expiration: 2w}]", `users.yaml:4:31: users[0].expiration: a duration such as 168h is expected, not "2w": write 336h`},
	"an expiration without a unit":   {header + "users: [{name: a, expiration: 3600}]", `users.yaml:4:31: users[0].expiration: a duration such as 168h is expected, not "3600": it has no unit; for seconds, write 3600s`},
	"an expiration in words":         {header + "users: [{name: a, expiration: never}]", `users.yaml:4:31: users[0].expiration: a duration such as 168h is expected, not "never"`},
	"an expiration of nothing":       {header + "defaults: {expiration: }\nusers: []", `users.yaml:4:24: defaults.expiration: a duration such as 168h is expected, but there is nothing`},
	"an expiration under 10 minutes": {header + "defaults: {expiration: 9m59s}\nusers: []", `users.yaml:4:24: defaults.expiration: "9m59s" is under 10 minutes, the shortest lifetime that Kubernetes issues`},
	"an expiration below zero":       {header + "users: [{name: a, expiration: -24h}]", `users.yaml:4:31: users[0].expiration: "-24h" is under 10 minutes, the shortest lifetime that Kubernetes issues`},
	"an expiration beyond int32":     {header + "users: [{name: a, expiration: 2147483648s}]", `users.yaml:4:31: users[0].expiration: "2147483648s" is over 2147483647 seconds (68 years), the longest lifetime that Kubernetes takes`},
	"a part of a second":             {header + "users: [{name: a, expiration: 3600.5s}]", `users.yaml:4:31: users[0].expiration: "3600.5s" is not in whole seconds`},
	"a renewal over 90%":             {header + "defaults: {renewBefore: 91%}\nusers: []", `users.yaml:4:25: defaults.renewBefore: "91%" is over 90%: a certificate would be due again as soon as it is issued`},
	"a renewal of 0%":                {header + "defaults: {renewBefore: 0%}\nusers: []", `users.yaml:4:25: defaults.renewBefore: "0%" is not above zero`},
	"a renewal below 0%":             {header + "defaults: {renewBefore: -5%}\nusers: []", `users.yaml:4:25: defaults.renewBefore: "-5%" is not above zero`},
	"a part of a percent":            {header + "defaults: {renewBefore: 33.3%}\nusers: []", `users.yaml:4:25: defaults.renewBefore: "33.3%" is not a whole percentage, such as 33%`},
	"a renewal of no time":           {header + "defaults: {renewBefore: 0s}\nusers: []", `users.yaml:4:25: defaults.renewBefore: "0s" is not above zero`},
	"a renewal below zero":           {header + "defaults: {renewBefore: -1h}\nusers: []", `users.yaml:4:25: defaults.renewBefore: "-1h" is not above zero`},
	"a renewal in words":             {header + "defaults: {renewBefore: early}\nusers: []", `users.yaml:4:25: defaults.renewBefore: a share such as 33% or a duration such as 24h is expected, not "early"`},
	"a renewal as a fraction":        {header + "defaults: {renewBefore: 0.33}\nusers: []", `users.yaml:4:25: defaults.renewBefore: a share such as 33% or a duration such as 24h is expected, not "0.33"`},
	"a renewal before the issue":     {header + "defaults: {renewBefore: 160h}\nusers: []", `users.yaml:4:25: defaults.renewBefore: renewBefore 160h is over 90% of the expiration 168h: a certificate would be due again as soon as it is issued`},
	"a renewal before a user's issue": {header + "defaults: {renewBefore: 24h}\nusers: [{name: a, expiration: 24h}]",
		`users.yaml:5:31: users[0].expiration: renewBefore 24h is over 90% of the expiration 24h: a certificate would be due again as soon as it is issued`},
	"a key algorithm in small letters": {header + "defaults: {keyAlgorithm: rsa-2048}\nusers: []", `users.yaml:4:26: defaults.keyAlgorithm: key algorithm "rsa-2048" is unknown (did you mean "RSA-2048"?)`},
	"a key algorithm of its own":       {header + "defaults: {keyAlgorithm: Ed25519}\nusers: []", `users.yaml:4:26: defaults.keyAlgorithm: key algorithm "Ed25519" is unknown: use RSA-2048, RSA-3072, RSA-4096, ECDSA-P256 or ECDSA-P384`},
}
