package inventory

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

// text returns a string. What YAML takes for something else is refused, with the advice to quote it.
func (v value) text() (string, bool) {
	if v.node.Kind != yaml.ScalarNode {
		v.unwanted("text")
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
		v.unwanted("text")
	case meant == "":
		v.problem(noAnchors) // <<
	default:
		v.problem("text is expected, but %s without quotes is %s in YAML: write %s", shorten(v.node.Value), meant, show(v.node.Value))
	}
	return "", false
}

// scalar returns a single value as it is written, for those whose form says what they are: dates, durations, shares.
func (v value) scalar(want string) (string, bool) {
	if v.node.Kind != yaml.ScalarNode || v.null() {
		v.unwanted(want)
		return "", false
	}
	if !v.tagged("!!str") {
		return "", false
	}
	return v.node.Value, true
}

// boolean returns true or false. It refuses yes, no, on and off, which are booleans in YAML 1.1 only.
func (v value) boolean(otherwise bool) bool {
	if v.node.Kind == yaml.ScalarNode && v.node.Tag == "!!bool" && v.node.Style&yaml.TaggedStyle == 0 {
		return strings.EqualFold(v.node.Value, "true")
	}
	v.unwanted("true or false")
	return otherwise
}

// checked returns a text in which fault finds nothing, otherwise the empty one.
func (v value) checked(fault func(string) string) string {
	s, ok := v.text()
	if !ok {
		return ""
	}
	if f := fault(s); f != "" {
		v.problem("%s", f)
		return ""
	}
	return s
}
