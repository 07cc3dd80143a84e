package inventory

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory/selector"
)

// randomSelector is a selector as Parse could return it, but for what it asks for.
func randomSelector(r *rand.Rand) Selector {
	keys, values := []string{"team", "env", "example.com/tier", "kubernetes.io/metadata.name", "no"}, []string{"", "a", "b", "1", "no", "a.b_c-D"}
	var s Selector
	for range r.IntN(3) {
		if s.Labels == nil {
			s.Labels = map[string]string{}
		}
		s.Labels[keys[r.IntN(len(keys))]] = values[r.IntN(len(values))]
	}
	for range r.IntN(3) {
		e := Expression{Key: keys[r.IntN(len(keys))], Operator: []Operator{In, NotIn, Exists, DoesNotExist}[r.IntN(4)]}
		if e.Operator == In || e.Operator == NotIn {
			r.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
			e.Values = slices.Clone(values[:1+r.IntN(3)])
		}
		s.Expressions = append(s.Expressions, e)
	}
	return s
}

// TestSelectorsAreKubernetes: a selector matches what the same one does in Kubernetes, and kubectl understands it as text.
func TestSelectorsAreKubernetes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	matched := 0
	for range 20_000 {
		s := randomSelector(r)
		theirs := &metav1.LabelSelector{MatchLabels: s.Labels}
		for _, e := range s.Expressions {
			theirs.MatchExpressions = append(theirs.MatchExpressions, metav1.LabelSelectorRequirement{Key: e.Key, Operator: metav1.LabelSelectorOperator(e.Operator), Values: e.Values})
		}
		want, err := metav1.LabelSelectorAsSelector(theirs)
		if err != nil {
			t.Fatal(err)
		}
		written, err := labels.Parse(s.String())
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		carried := randomSelector(r).Labels
		got := s.Matches(carried)
		if got != want.Matches(labels.Set(carried)) || got != written.Matches(labels.Set(carried)) {
			t.Fatalf("%s matches %v: %t", s, carried, got)
		}
		if got {
			matched++
		}
	}
	if matched < 1000 {
		t.Errorf("only %d matched", matched)
	}
}

// TestLabelsAreKubernetes: keys and values are legal where they are for Kubernetes.
func TestLabelsAreKubernetes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	long := strings.Repeat("a", 62)
	parts := []string{"a", "B", "1", "-", "_", ".", "/", " ", "ä", "=", long, "example.com"}
	legal := 0
	for range 20_000 {
		var b strings.Builder
		for range r.IntN(6) {
			b.WriteString(parts[r.IntN(len(parts))])
		}
		text := b.String()
		_, err := labels.NewRequirement(text, "exists", nil)
		if mine := selector.KeyFault(text); (mine == "") != (err == nil) {
			t.Fatalf("key %q: %q, %v", text, mine, err)
		}
		_, err = labels.NewRequirement("a", "in", []string{text})
		if mine := len(text) <= selector.MaxLabel && selector.ValueForm.MatchString(text); mine != (err == nil) {
			t.Fatalf("value %q: %t, %v", text, mine, err)
		}
		if err == nil {
			legal++
		}
	}
	if legal < 1000 {
		t.Errorf("only %d were legal", legal)
	}
}

func TestParseNamespaces(t *testing.T) {
	inv := mustParse(t, header+`
groups:
  - name: a
    namespaces: {staging: [edit, {role: edit}, {role: 'x:y.z', until: 2027-01-31}, {name: view}]}
  - name: b
    namespaces:
      - {name: staging, clusterRoles: [edit, {name: view, until: 2027-01-31}], roles: [edit]}
      - selector: {team: payments, example.com/env: "", matchExpressions: [{key: tier, operator: In, values: [gold, ""]}, {key: old, operator: DoesNotExist}]}
        roles: [deployer, {name: reader, until: 2027-01-31}]
      - {selector: {matchExpressions: [{key: team, operator: Exists}]}, clusterRoles: [view]}
      - {selector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [x]}]}, clusterRoles: [view]}
      - {selector: {team: none}, roles: []}
users: []`, nil)
	end := date(2027, 2, 1)
	want := []Group{
		{Name: "a", Namespaces: map[string][]Grant{"staging": {{ClusterRole: "edit"}, {Role: "edit"}, {Role: "x:y.z", Until: end}, {ClusterRole: "view"}}}},
		{Name: "b", Namespaces: map[string][]Grant{"staging": {{ClusterRole: "edit"}, {ClusterRole: "view", Until: end}, {Role: "edit"}}}, ByLabel: []Selection{
			{Selector{Labels: map[string]string{"team": "payments", "example.com/env": ""}, Expressions: []Expression{{Key: "tier", Operator: In, Values: []string{"gold", ""}}, {Key: "old", Operator: DoesNotExist}}},
				[]Grant{{Role: "deployer"}, {Role: "reader", Until: end}}},
			{Selector{Expressions: []Expression{{Key: "team", Operator: Exists}}}, []Grant{{ClusterRole: "view"}}},
			{Selector{Expressions: []Expression{{Key: "kubernetes.io/metadata.name", Operator: In, Values: []string{"x"}}}}, []Grant{{ClusterRole: "view"}}},
		}},
	}
	if diff := cmp.Diff(want, inv.Groups); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"edit", "view"}, inv.ClusterRoles()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"deployer", "edit", "reader", "x:y.z"}, inv.Roles()); diff != "" {
		t.Error(diff)
	}
	if got, want := inv.Groups[1].ByLabel[0].Selector.String(), "example.com/env=,team=payments,!old,tier in (,gold)"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
}

func TestParseRefusesGrants(t *testing.T) { refused(t, grantRefusals) }

const (
	everything = "it would match every namespace: ask for something that a namespace carries, by a label, In or Exists (kubernetes.io/metadata.name is in every namespace)"
	badKey     = " is not a valid key of a label: use letters, digits and . _ -, with at most 63 characters, and before it a domain and a slash if there is one"
	badValue   = " is not a valid value of a label: use letters, digits and . _ -, begin and end with a letter or digit, and use at most 63 characters"
)

func inNamespace(value string) string {
	return header + "users: [{name: a, namespaces: {x: [" + value + "]}}]"
}

func bySelector(selector string) string {
	return header + "users: [{name: a, namespaces: [{clusterRoles: [view], selector: " + selector + "}]}]"
}

func byExpression(expression string) string {
	return bySelector("{matchExpressions: [" + expression + "]}")
}

const (
	grantPlace      = `users.yaml:4:36: users[0].namespaces.x[0]`
	selectorPlace   = `users.yaml:4:65: users[0].namespaces[0].selector`
	itemPlace       = `users.yaml:4:32: users[0].namespaces[0]`
	expressionPlace = `users.yaml:4:85: users[0].namespaces[0].selector.matchExpressions[0]`
)

var grantRefusals = map[string]refusal{
	"a Role cluster-wide": {header + "users: [{name: a, clusterRoles: [{role: x}]}]",
		`users.yaml:4:35: users[0].clusterRoles[0].role: a Role belongs to one namespace: grant it under namespaces, such as {staging: [{role: deployer}]}`},
	"a name and a role":           {inNamespace("{name: x, role: z}"), grantPlace + `: has both name and role: write one item for the ClusterRole, and one for the Role`},
	"neither name nor role":       {inNamespace("{until: 2027-01-31}"), grantPlace + `.name: is missing: it is the ClusterRole that is granted; for a Role of the namespace, write role`},
	"a Role twice":                {inNamespace("{role: x}, x, {role: x, until: 2027-01-31}"), `users.yaml:4:50: users[0].namespaces.x[2]: role "x" is granted twice, first in line 4`},
	"a Role with the mark":        {inNamespace("{role: 'x#2'}"), `users.yaml:4:43: users[0].namespaces.x[0].role: "x#2" cannot be granted: certsync uses # in its own names`},
	"a Role that is a path":       {inNamespace("{role: ..}"), `users.yaml:4:43: users[0].namespaces.x[0].role: ".." is not a valid name for a Role: it must not be . or .., or contain / or %`},
	"a role in a list's roles":    {header + "users: [{name: a, namespaces: [{name: x, roles: [{role: z}]}]}]", `users.yaml:4:51: users[0].namespaces[0].roles[0].role: under roles, write name: all of them are Roles`},
	"a Role among ClusterRoles":   {header + "users: [{name: a, namespaces: [{name: x, clusterRoles: [{role: z}]}]}]", `users.yaml:4:58: users[0].namespaces[0].clusterRoles[0].role: write a Role of the namespace under roles, beside clusterRoles`},
	"a name and a selector":       {header + "users: [{name: a, namespaces: [{name: x, selector: {a: b}, roles: [edit]}]}]", itemPlace + `: has both name and selector: write one item for the namespace, and one for the selector`},
	"neither name nor selector":   {header + "users: [{name: a, namespaces: [{roles: [edit]}]}]", itemPlace + `.name: is missing: write the namespace's name, or a selector of namespaces by their labels`},
	"an item without roles":       {header + "users: [{name: a, namespaces: [{name: x}]}]", itemPlace + `.clusterRoles: is missing: write clusterRoles, roles or both`},
	"a namespace listed twice":    {header + "users:\n- name: a\n  namespaces:\n  - {name: x, roles: [edit]}\n  - {name: x, clusterRoles: [edit]}\n", `users.yaml:8:12: users[0].namespaces[1].name: namespace "x" is listed twice, first in line 7`},
	"a namespace in capitals":     {header + "users: [{name: a, namespaces: [{name: X, roles: [edit]}]}]", `users.yaml:4:39: users[0].namespaces[0].name: "X" is not a valid namespace: use a-z, 0-9 and -, do not begin or end with -, and use at most 63 characters`},
	"an empty selector":           {bySelector("{}"), selectorPlace + ": " + everything},
	"a selector of what is not":   {byExpression("{key: x, operator: DoesNotExist}, {key: b, operator: NotIn, values: [z]}"), selectorPlace + ": " + everything},
	"a selector of any name":      {byExpression("{key: kubernetes.io/metadata.name, operator: Exists}"), selectorPlace + ": " + everything},
	"matchLabels":                 {bySelector("{matchLabels: {a: b}}"), `users.yaml:4:66: users[0].namespaces[0].selector.matchLabels: write the labels directly under selector, such as selector: {team: payments}`},
	"a label's key with a blank":  {bySelector("{a b: c}"), `users.yaml:4:66: users[0].namespaces[0].selector["a b"]: "a b"` + badKey},
	"a label's value with a dash": {bySelector("{a: -b}"), `users.yaml:4:69: users[0].namespaces[0].selector.a: "-b"` + badValue},
	"a label that is true":        {bySelector("{a: true}"), `users.yaml:4:69: users[0].namespaces[0].selector.a: text is expected, but true without quotes is a boolean in YAML: write "true"`},
	"many labels": {bySelector("{" + manyLabels(21) + "}"),
		selectorPlace + `: it has 21 labels and expressions, and a selector can have 20`},
	"an expression without key":         {byExpression("{operator: Exists}"), expressionPlace + `.key: is missing: it is the label that the expression is about`},
	"an expression without operator":    {byExpression("{key: a}"), expressionPlace + `.operator: is missing: write In, NotIn, Exists or DoesNotExist`},
	"an operator in small letters":      {byExpression("{key: a, operator: in, values: [b]}"), `users.yaml:4:104: users[0].namespaces[0].selector.matchExpressions[0].operator: operator "in" is unknown (did you mean "In"?)`},
	"an operator of others":             {byExpression("{key: a, operator: GreaterThan, values: [b]}"), `users.yaml:4:104: users[0].namespaces[0].selector.matchExpressions[0].operator: operator "GreaterThan" is unknown: write In, NotIn, Exists or DoesNotExist`},
	"In without values":                 {byExpression("{key: a, operator: In}"), expressionPlace + `.values: is missing: In compares the label with them`},
	"NotIn with no value":               {byExpression("{key: a, operator: NotIn, values: []}"), `users.yaml:4:119: users[0].namespaces[0].selector.matchExpressions[0].values: NotIn takes at least one value`},
	"Exists with values":                {byExpression("{key: a, operator: Exists, values: [b]}"), `users.yaml:4:120: users[0].namespaces[0].selector.matchExpressions[0].values: Exists takes no values`},
	"a value twice":                     {byExpression("{key: a, operator: In, values: [b, b]}"), `users.yaml:4:120: users[0].namespaces[0].selector.matchExpressions[0].values[1]: value "b" is given twice`},
	"a value that is none":              {byExpression("{key: a, operator: In, values: [a/b]}"), `users.yaml:4:117: users[0].namespaces[0].selector.matchExpressions[0].values[0]: "a/b"` + badValue},
	"many values":                       {byExpression("{key: a, operator: In, values: [" + strings.Repeat("x, ", 101) + "]}"), `users.yaml:4:116: users[0].namespaces[0].selector.matchExpressions[0].values: there are 101 values, and an expression can have 100`},
	"an unknown field in a namespace":   {header + "users: [{name: a, namespaces: [{name: x, role: [edit], roles: [z]}]}]", `users.yaml:4:42: users[0].namespaces[0].role: unknown field (did you mean "roles"?)`},
	"an unknown field in an expression": {byExpression("{key: a, operator: Exists, value: b}"), `users.yaml:4:112: users[0].namespaces[0].selector.matchExpressions[0].value: unknown field (did you mean "values"?)`},
}

func manyLabels(n int) string {
	var all []string
	for i := range n {
		all = append(all, "l"+strings.Repeat("x", i)+": a")
	}
	return strings.Join(all, ", ")
}
