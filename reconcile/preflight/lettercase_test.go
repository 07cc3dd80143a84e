package preflight

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestNamesWithCapitals: preflight warns of names that Vault turns into lower case, and nobody else.
func TestNamesWithCapitals(t *testing.T) {
	const hint = "rename them in the inventory (name: alice.smith, previously: [Alice.Smith]), give each a policy of their own, " +
		"or set case_sensitive_names in Vault's LDAP method"
	const cannot = " have names in lower case in Vault, so with one policy for all users a name with capitals cannot read its credential: "
	for sentence, tt := range map[string]struct {
		names   string
		methods AuthMethods
		want    string
	}{
		"lower case only":               {"alice.smith", AuthMethods{Folding: []string{"userpass at userpass/"}}, ""},
		"a method that folds":           {"Alice.Smith", AuthMethods{Folding: []string{"userpass at userpass/", "ldap at corp/"}, Others: true}, "users who log in with userpass at userpass/ and ldap at corp/" + cannot + `"Alice.Smith"`},
		"other methods":                 {"Alice.Smith", AuthMethods{Others: true}, ""},
		"a Vault that shows none":       {"bob, Alice.Smith", AuthMethods{}, "if users log in with userpass or LDAP, they" + cannot + `"Alice.Smith"`},
		"more names than anybody reads": {"Alice.Smith, B, C, D, E, F, G", AuthMethods{}, "if users log in with userpass or LDAP, they" + cannot + `"Alice.Smith", "B", "C", "D", "E", 2 more`},
	} {
		t.Run(sentence, func(t *testing.T) {
			f, p := flight(t)
			f.Issue, p.methods = false, tt.methods
			f.Inventory = reconciletest.Parse(t, "users: [{name: "+strings.ReplaceAll(tt.names, ", ", "}, {name: ")+"}]")
			got := ""
			for _, c := range f.Do(t.Context()).Checks {
				if c.Name == "users' names" {
					if got = c.Detail; c.Hint != hint || c.Verdict != Warning {
						t.Errorf("%+v", c)
					}
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
