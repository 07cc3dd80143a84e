// Package selector has the label selectors of namespaces, as an inventory writes them.
package selector

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/certsync/certsync/inventory/strict"
)

// Selector asks for labels of namespaces, as a label selector of Kubernetes does. A namespace has to meet all that it asks for.
type Selector struct {
	Labels      map[string]string
	Expressions []Expression
}

// Expression is one of a selector's matchExpressions.
type Expression struct {
	Key      string
	Operator Operator
	Values   []string // of In and NotIn
}

// Operator is what an Expression asks of a label.
type Operator string

// The operators of Kubernetes. A namespace without the label meets NotIn.
const (
	In           Operator = "In"
	NotIn        Operator = "NotIn"
	Exists       Operator = "Exists"
	DoesNotExist Operator = "DoesNotExist"
)

// The operators, by whether they take values.
var (
	WithValues    = []string{string(In), string(NotIn)}
	WithoutValues = []string{string(Exists), string(DoesNotExist)}
)

// Limits of one selector, so that matching all namespaces stays cheap.
const (
	MaxRequirements = 20  // labels and expressions
	MaxValues       = 100 // of one expression
)

// The keys under selector that are no labels. The second one is refused, with advice.
const (
	expressionsField = "matchExpressions"
	LabelsField      = "matchLabels"
)

// nameLabel is a label that Kubernetes gives to every namespace, with its name.
const nameLabel = "kubernetes.io/metadata.name"

// Of asks for one value of a label. A label whose key is a field of a selector is asked for by an expression.
func Of(key, value string) Selector {
	if key == expressionsField || key == LabelsField {
		return Selector{Expressions: []Expression{{key, In, []string{value}}}}
	}
	return Selector{Labels: map[string]string{key: value}}
}

// Matches reports whether a namespace with these labels meets the selector.
func (s Selector) Matches(labels map[string]string) bool {
	for key, want := range s.Labels {
		if got, ok := labels[key]; !ok || got != want {
			return false
		}
	}
	return !slices.ContainsFunc(s.Expressions, func(e Expression) bool { return !e.matches(labels) })
}

func (e Expression) matches(labels map[string]string) bool {
	value, has := labels[e.Key]
	switch e.Operator {
	case In:
		return has && slices.Contains(e.Values, value)
	case NotIn:
		return !has || !slices.Contains(e.Values, value)
	case Exists:
		return has
	case DoesNotExist:
		return !has
	}
	return false
}

// String is the selector as `kubectl get namespaces --selector` takes it, sorted.
func (s Selector) String() string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(s.Labels)) {
		all = append(all, key+"="+s.Labels[key])
	}
	for _, e := range s.Sorted() {
		switch e.Operator {
		case In, NotIn:
			all = append(all, fmt.Sprintf("%s %s (%s)", e.Key, strings.ToLower(string(e.Operator)), strings.Join(e.Values, ",")))
		case Exists:
			all = append(all, e.Key)
		case DoesNotExist:
			all = append(all, "!"+e.Key)
		}
	}
	return strings.Join(all, ",")
}

// Sorted returns the expressions in an order of their own, with sorted values.
func (s Selector) Sorted() []Expression {
	var all []Expression
	for _, e := range s.Expressions {
		all = append(all, Expression{e.Key, e.Operator, slices.Sorted(slices.Values(e.Values))})
	}
	slices.SortFunc(all, func(a, b Expression) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Operator, b.Operator), slices.Compare(a.Values, b.Values))
	})
	return all
}

// Asks reports whether a namespace must carry something to be matched. One that asks only for what is not there would match
// every namespace that somebody makes.
func (s Selector) Asks() bool {
	return len(s.Labels) > 0 || slices.ContainsFunc(s.Expressions, func(e Expression) bool {
		return e.Operator == In || e.Operator == Exists && e.Key != nameLabel
	})
}

// Encode writes the selector as an inventory has it.
func (s Selector) Encode() *strict.Element {
	m := strict.Mapping().InLine()
	for _, key := range slices.Sorted(maps.Keys(s.Labels)) {
		m.Add(key, strict.Text(s.Labels[key]))
	}
	var all []*strict.Element
	for _, e := range s.Expressions {
		x := strict.Mapping().InLine()
		x.Add("key", strict.Text(e.Key))
		x.Add("operator", strict.Text(string(e.Operator)))
		x.AddFilled("values", strict.Row(strict.Texts(e.Values)).InLine())
		all = append(all, x)
	}
	m.AddFilled(expressionsField, strict.Row(all).InLine())
	return m
}

// Parse returns a selector: labels, and beside them matchExpressions.
func Parse(v strict.Value) (s Selector, ok bool) {
	entries, ok := v.Entries()
	for _, e := range entries {
		switch e.Name {
		case expressionsField:
			for _, item := range e.Value.Items() {
				x, good := parseExpression(item)
				s.Expressions, ok = append(s.Expressions, x), ok && good
			}
		case LabelsField:
			e.Key.Problem("write the labels directly under selector, such as selector: {team: payments}")
			ok = false
		default:
			if fault := KeyFault(e.Name); fault != "" {
				e.Key.Problem("%s", fault)
				ok = false
			}
			value, good := Value(e.Value)
			if s.Labels == nil {
				s.Labels = map[string]string{}
			}
			s.Labels[e.Name], ok = value, ok && good
		}
	}
	switch n := len(s.Labels) + len(s.Expressions); {
	case !ok:
	case n > MaxRequirements:
		v.Problem("it has %d labels and expressions, and a selector can have %d", n, MaxRequirements)
	case !s.Asks():
		v.Problem("it would match every namespace: ask for something that a namespace carries, by a label, In or Exists (%s is in every namespace)", nameLabel)
	default:
		return s, true
	}
	return Selector{}, false
}

// parseExpression returns one of a selector's matchExpressions.
func parseExpression(v strict.Value) (e Expression, ok bool) {
	fields, ok := v.Fields("key", "operator", "values")
	if !ok {
		return e, false
	}
	key, hasKey := fields["key"]
	if hasKey {
		e.Key = key.Checked(KeyFault)
	} else {
		v.Missing("key", "it is the label that the expression is about")
	}
	operator, hasOperator := fields["operator"]
	if hasOperator {
		e.Operator = Operator(operator.Checked(func(s string) string { return operatorFault(operator, s) }))
	} else {
		v.Missing("operator", "write In, NotIn, Exists or DoesNotExist")
	}
	values, hasValues := fields["values"]
	takes := slices.Contains(WithValues, string(e.Operator))
	switch {
	case e.Key == "" || e.Operator == "":
		return e, false
	case takes && !hasValues:
		v.Missing("values", string(e.Operator)+" compares the label with them")
		return e, false
	case hasValues && !takes:
		values.Problem("%s takes no values", e.Operator)
		return e, false
	case !takes:
		return e, true
	}
	e.Values, ok = parseValues(values, e.Operator)
	return e, ok
}

// parseValues returns the values of an expression, each once.
func parseValues(v strict.Value, of Operator) (values []string, ok bool) {
	items := v.Items()
	switch {
	case items == nil:
		return nil, false
	case len(items) == 0:
		v.Problem("%s takes at least one value", of)
		return nil, false
	case len(items) > MaxValues:
		v.Problem("there are %d values, and an expression can have %d", len(items), MaxValues)
		return nil, false
	}
	ok = true
	for _, item := range items {
		value, good := Value(item)
		if ok = ok && good; good && slices.Contains(values, value) {
			item.Problem("value %s is given twice", strict.Quote(value))
			ok = false
		}
		values = append(values, value)
	}
	return values, ok
}

func operatorFault(v strict.Value, s string) string {
	known := slices.Concat(WithValues, WithoutValues)
	if slices.Contains(known, s) {
		return ""
	}
	return "operator " + strict.Quote(s) + " is unknown" + cmp.Or(v.DidYouMean(s, known), ": write In, NotIn, Exists or DoesNotExist")
}

// Value returns the value of a label, which may be empty.
func Value(v strict.Value) (string, bool) {
	s, ok := v.Text()
	if ok && (len(s) > MaxLabel || !ValueForm.MatchString(s)) {
		v.Problem("%s is not a valid value of a label: use letters, digits and . _ -, begin and end with a letter or digit, and use at most %d characters", strict.Quote(s), MaxLabel)
		return "", false
	}
	return s, ok
}

// The forms of Kubernetes: a label's key is a name, and before it there may be a domain and a slash.
const (
	MaxLabel    = 63
	MaxDomain   = 253
	labelName   = `[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?`
	labelDomain = `[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*`
)

// The forms of values and keys, for the schema too.
var (
	// ValueForm is that of a value.
	ValueForm = regexp.MustCompile(`^(` + labelName + `)?$`)
	// KeyForm is that of a key.
	KeyForm = regexp.MustCompile(`^(` + labelDomain + `/)?` + labelName + `$`)
)

// ValidKey says whether s is a legal key of a label.
func ValidKey(s string) bool { return KeyFault(s) == "" }

// KeyFault says what keeps s from being a legal key of a label, or nothing.
func KeyFault(s string) string {
	domain, name, prefixed := strings.Cut(s, "/")
	if !prefixed {
		domain, name = "", s
	}
	if len(name) > MaxLabel || len(domain) > MaxDomain || !KeyForm.MatchString(s) {
		return fmt.Sprintf("%s is not a valid key of a label: use letters, digits and . _ -, with at most %d characters, and before it a domain and a slash if there is one", strict.Quote(s), MaxLabel)
	}
	return ""
}
