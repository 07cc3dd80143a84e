package inventory

// parserOnly are the bad examples that no schema can refuse, by the reason. A new bad example is either refused by the schema
// too, or belongs here.
var parserOnly = map[string][]string{
	"another name decides": {
		"name: a group in another case", "name: a group that nobody declared", "name: a group twice", "name: an old name twice, by case",
		"name: a user twice", "name: a user's own name as old", "name: an old name in another case", "name: an old name of a user after",
		"name: an old name of a user before", "name: an old name of two users", "name: groups that differ in case", "name: letters swapped in a group",
		"name: old names that differ in case", "name: two who exchange their names", "name: users that differ in case",
		"name: a role with and without end", "grant: a Role twice", "grant: a namespace listed twice",
		"file: a user twice", "team: a group in two cases", "team: a group that nobody declared", "team: two teams of one name",
		"team: two teams with one file", "clusters: a context that another has by its name", "clusters: a context twice", "clusters: a name twice",
		"clusters: an owner twice", "clusters: names that differ in case", "clusters: a role twice", "clusters: a role everywhere and somewhere",
		"clusters: a user twice, for different clusters", "clusters: an old name that a user has elsewhere",
	},
	"another file decides": {
		"cluster: a CA without a folder", "file: a group in another case", "file: a group of somebody else", "file: a group that nobody declared",
		"file: a user in another case", "file: a user of the inventory", "file: an expiration of a week", "file: an expiration over the team's", "team: an expiration over the default",
		"file: another team", "team: a file that is missing", "team: a folder as the file", "team: a name in two files",
		"team: a name in two files, in another case", "team: a renewal before a team's user's issue", "team: an old name in a team's case",
		"team: an old name that a team has", "../cmd/certsync/testdata/validate-teams-refused/teams/search.yaml",
	},
	"it takes arithmetic": {
		"cluster: a server's port too high", "file: a day that is none", "file: an expiration under 10 minutes", "team: a bound under 10 minutes",
		"team: a renewal before a bounded issue", "time: a day that is none", "time: a part of a second", "time: a renewal before a user's issue",
		"time: a renewal before the issue", "time: a revocation too late", "time: a renewal of no time", "time: an end that stands for none", "time: an expiration beyond int32",
		"time: an expiration under 10 minutes", "grant: many labels", "time: a beginning after the end", "time: a beginning at the end",
		"time: a beginning that is none", "time: a beginning that never is", "clusters: a renewal of a cluster before the default's issue",
		"clusters: an expiration of a cluster under the default's renewal", "clusters: an expiration under a cluster's renewal", "clusters: defaults that are none",
		"clusters: many labels of a cluster",
	},
	"it takes logic": {"grant: a selector of any name", "grant: a selector of what is not"},
	"other labels decide": {
		"clusters: a grant outside of the group's clusters", "clusters: a grant outside of the user's clusters", "clusters: a label that no cluster has",
		"clusters: a grant's selector for one cluster", "clusters: a group that is in none of the user's clusters", "clusters: a selector for one cluster",
		"clusters: a name that no cluster has", "clusters: a selector of a group", "clusters: a selector of nothing together", "clusters: a value of another label",
		"clusters: a value that no cluster has", "clusters: one of the values that no cluster has", "clusters: a label called name",
	},
	"patterns know few characters":          {"name: a reason that turns the text", "name: a reason that nobody sees"},
	"a path has to be followed":             {"team: a file outside by a detour"},
	"the certificates have to be read":      {"cluster: CA data that is not PEM", "clusters: a CA that is none"},
	"how long the file is":                  {"file: more than it may hold"},
	"a schema is for one document":          {"document: a second document", "document: an empty second document", "document: an error in the second document", "file: a second document"},
	"it is not in what YAML means":          {"document: a tag on a list", "document: a tag on a mapping", "document: an anchor on a key", "field: a tag on a date", "field: a tagged boolean", "field: a tag on a grant", "file: an anchor and an alias"},
	"YAML's readers have to refuse it":      {"field: a field given twice", "field: a namespace given twice", "field: users given twice", "file: users given twice"},
	"YAML 1.2 takes it for text":            {"field: a boolean as a namespace", "field: a boolean as a role", "field: a date as a name", "field: an old boolean", "file: a boolean as the team"},
	"it is a comment, but to YAML 1.1 none": {"file: a line break that git and editors do not show", "name: a line break that git and editors do not show"},
}
