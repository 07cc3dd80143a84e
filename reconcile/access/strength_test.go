package access

import (
	"encoding/json"
	"testing"

	"github.com/certsync/certsync/reconcile"
)

// TestStrengthOf: the strongest rule counts, and what everybody has in any case does not.
func TestStrengthOf(t *testing.T) {
	rule := func(verb, group, resource string) reconcile.Rule {
		return reconcile.Rule{Verbs: []string{verb}, Groups: []string{group}, Resources: []string{resource}}
	}
	for sentence, c := range map[string]struct {
		rules   []reconcile.Rule
		reasons []string
		want    Strength
	}{
		"no rules":                             {nil, nil, GivesNothing},
		"a rule without verbs":                 {[]reconcile.Rule{{Groups: []string{""}, Resources: []string{"pods"}}}, nil, GivesNothing},
		"what everybody has":                   {[]reconcile.Rule{{Verbs: []string{"get"}, URLs: []string{"/version"}}}, nil, GivesNothing},
		"reading":                              {[]reconcile.Rule{rule("get", "", "pods"), rule("watch", "apps", "deployments")}, nil, Reads},
		"reading a URL":                        {[]reconcile.Rule{{Verbs: []string{"get"}, URLs: []string{"/metrics"}}}, nil, Reads},
		"writing":                              {[]reconcile.Rule{rule("get", "", "pods"), rule("create", "apps", "deployments")}, nil, Writes},
		"any verb":                             {[]reconcile.Rule{rule("*", "apps", "deployments")}, nil, Writes},
		"acting as a service account":          {[]reconcile.Rule{rule("impersonate", "", "serviceaccounts")}, nil, Writes},
		"exec, which get is enough for":        {[]reconcile.Rule{{Verbs: []string{"get"}, Groups: []string{""}, Resources: []string{"pods/exec"}, Names: []string{"db-0"}}}, nil, Writes},
		"exec, by all subresources":            {[]reconcile.Rule{rule("get", "", "*/exec")}, nil, Writes},
		"writing bindings":                     {[]reconcile.Rule{rule("create", reconcile.RBACGroup, "rolebindings")}, nil, GivesAccess},
		"the verb bind":                        {[]reconcile.Rule{rule("bind", reconcile.RBACGroup, "clusterroles")}, nil, GivesAccess},
		"everything, where that is no power":   {[]reconcile.Rule{rule("*", "*", "*")}, nil, GivesAccess},
		"something that makes a cluster-admin": {[]reconcile.Rule{rule("get", "", "secrets")}, []string{"may read Secrets"}, AsAdmin},
	} {
		if got := StrengthOf(c.rules, c.reasons); got != c.want {
			t.Errorf("%s: %s, want %s", sentence, got, c.want)
		}
	}
	for s := GivesNothing; s <= AsAdmin; s++ {
		text, err := json.Marshal(s)
		var again Strength
		if err != nil || json.Unmarshal(text, &again) != nil || again != s {
			t.Errorf("%s is read as %s", text, again)
		}
	}
	if err := new(Strength).UnmarshalText([]byte("strong")); err == nil {
		t.Error("any word is a strength")
	}
}
