package strict

import (
	"slices"
	"strings"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// oldBooleans are booleans in YAML 1.1, which sigs.k8s.io/yaml and so kubectl still read, and text in YAML 1.2: a user
// called "no" must not depend on who reads the file.
var oldBooleans = []string{
	"y", "Y", "yes", "Yes", "YES", "on", "On", "ON",
	"n", "N", "no", "No", "NO", "off", "Off", "OFF",
}

// meanings says what YAML takes a value without quotes for.
var meanings = map[string]string{
	"!!str":       "a boolean", // one of the old ones
	"!!bool":      "a boolean",
	"!!int":       "a number",
	"!!float":     "a number",
	"!!null":      "null",
	"!!timestamp": "a date",
}

// Text returns a string. It refuses a text that YAML takes for something else, with the advice to quote it.
func (v Value) Text() (string, bool) {
	if v.node.Kind != yaml.ScalarNode {
		v.Unwanted("text")
		return "", false
	}
	if !v.tagged("!!str") {
		return "", false
	}
	if v.node.Tag == "!!str" && (v.node.Style != 0 || !slices.Contains(oldBooleans, v.node.Value)) {
		return v.node.Value, true
	}
	switch meant := meanings[v.node.Tag]; {
	case v.node.Value == "":
		v.Unwanted("text")
	case meant == "":
		v.Problem(noAnchors) // <<
	default:
		v.Problem("text is expected, but %s without quotes is %s in YAML: write %s", shorten(v.node.Value), meant, Quote(v.node.Value))
	}
	return "", false
}

// Scalar returns a single value as it is written, for those whose form says what they are: dates, durations, shares.
func (v Value) Scalar(want string) (string, bool) {
	if v.node.Kind != yaml.ScalarNode || v.IsNull() {
		v.Unwanted(want)
		return "", false
	}
	if !v.tagged("!!str") {
		return "", false
	}
	return v.node.Value, true
}

// Boolean returns true or false. It refuses yes, no, on and off, which are booleans in YAML 1.1 only.
func (v Value) Boolean(otherwise bool) bool {
	if v.node.Kind == yaml.ScalarNode && v.node.Tag == "!!bool" && v.node.Style&yaml.TaggedStyle == 0 {
		return strings.EqualFold(v.node.Value, "true")
	}
	v.Unwanted("true or false")
	return otherwise
}

// Checked returns a text in which fault finds nothing, otherwise the empty one.
func (v Value) Checked(fault func(string) string) string {
	s, ok := v.Text()
	if !ok {
		return ""
	}
	if f := fault(s); f != "" {
		v.Problem("%s", f)
		return ""
	}
	return s
}
