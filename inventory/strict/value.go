package strict

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// Value is a place in a document: a node, and the path to it.
type Value struct {
	*document
	node *yaml.Node
	path string
}

const noAnchors = "anchors, aliases and merge keys are not supported: write the value out"

// at is the only way to a value, and so the one place where anchors are refused. Nothing ever follows an alias, so a
// document that would expand to gigabytes is harmless.
func (d *document) at(node *yaml.Node, path string) Value {
	v := Value{d, node, path}
	if node.Kind == yaml.AliasNode || node.Anchor != "" {
		v.Problem(noAnchors)
	}
	return v
}

// Line is where the value stands in its file, from 1.
func (v Value) Line() int { return v.node.Line }

// Path leads to the value from the root, such as users[3].groups[0].
func (v Value) Path() string { return v.path }

// Written is a single value as the file has it.
func (v Value) Written() string { return v.node.Value }

// Problem notes what is wrong with the value.
func (v Value) Problem(format string, args ...any) { v.problemAt(v.path, format, args...) }

// ProblemOf notes what is wrong with a key of a mapping, at the place of the mapping.
func (v Value) ProblemOf(key, format string, args ...any) {
	v.problemAt(join(v.path, key), format, args...)
}

func (v Value) problemAt(path, format string, args ...any) {
	if v.report.full() {
		v.report.more++ // without the work of the message
		return
	}
	v.report.Note(v.file, v.node.Line, v.node.Column, path, fmt.Sprintf(format, args...))
}

// Missing notes that a mapping lacks a key.
func (v Value) Missing(key, hint string) { v.ProblemOf(key, "is missing: %s", hint) }

// Silent reports whether further problems are counted only, and not shown.
func (v Value) Silent() bool { return v.report.full() }

// DidYouMean returns ` (did you mean "developers"?)` for the candidate that is nearest to got, or nothing.
func (v Value) DidYouMean(got string, candidates []string) string {
	if v.report.full() {
		return "" // in a file in which nearly every name is wrong, the rest are not shown
	}
	return DidYouMean(got, candidates)
}

// Says returns the key of a mapping, if this text stands under it.
func (v Value) Says(key, text string) (Value, bool) {
	for i := 0; v.IsMapping() && i+1 < len(v.node.Content); i += 2 {
		if k := v.node.Content[i]; k.Value == key && v.node.Content[i+1].Value == text {
			return Value{v.document, k, join(v.path, key)}, true
		}
	}
	return Value{}, false
}

// IsMapping says that there is a mapping.
func (v Value) IsMapping() bool { return v.node.Kind == yaml.MappingNode }

// IsList says that there is a list.
func (v Value) IsList() bool { return v.node.Kind == yaml.SequenceNode }

// IsNull says that there is nothing, not that it could not be read.
func (v Value) IsNull() bool { return v.node.Kind == yaml.ScalarNode && v.node.Tag == "!!null" }

// Unwanted notes that the value is of another kind than is expected. An alias is a problem already.
func (v Value) Unwanted(want string) {
	switch {
	case v.node.Kind == yaml.AliasNode:
	case v.IsNull():
		v.Problem("%s is expected, but there is nothing", want)
	case v.IsMapping():
		v.Problem("%s is expected, not a mapping", want)
	case v.node.Kind == yaml.SequenceNode:
		v.Problem("%s is expected, not a list", want)
	default:
		v.Problem("%s is expected, not %s", want, Quote(v.node.Value))
	}
}

// Items returns the elements of a list.
func (v Value) Items() []Value {
	if v.node.Kind != yaml.SequenceNode {
		v.Unwanted("a list")
		return nil
	}
	if !v.tagged("!!seq") {
		return nil
	}
	items := make([]Value, len(v.node.Content))
	for i, node := range v.node.Content {
		items[i] = v.at(node, v.path+"["+strconv.Itoa(i)+"]")
	}
	return items
}

// Entry is a key of a mapping, and its value. The path of both is that of the value.
type Entry struct {
	Name       string
	Key, Value Value
}

// Entries returns what a mapping holds, in the order of the file and each key once.
func (v Value) Entries() ([]Entry, bool) {
	if !v.IsMapping() {
		v.Unwanted("a mapping")
		return nil, false
	}
	if !v.tagged("!!map") {
		return nil, false
	}
	entries := make([]Entry, 0, len(v.node.Content)/2)
	lines := map[string]int{}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		key := v.at(v.node.Content[i], v.path)
		name, ok := key.Text()
		if !ok {
			continue
		}
		key.path = join(v.path, name)
		if first, twice := lines[name]; twice {
			key.Problem("is given twice, first in line %d", first)
			continue
		}
		lines[name] = key.node.Line
		entries = append(entries, Entry{name, key, v.at(v.node.Content[i+1], key.path)})
	}
	return entries, true
}

// Fields returns the values of a mapping whose keys are known.
func (v Value) Fields(known ...string) (map[string]Value, bool) {
	return v.FieldsOf(known, nil)
}

// FieldsOf is Fields, and refuses differently what is known elsewhere.
func (v Value) FieldsOf(known []string, elsewhere func(Entry) bool) (map[string]Value, bool) {
	entries, ok := v.Entries()
	fields := make(map[string]Value, min(len(known), len(entries))) // either may be a lot more than the other
	for _, e := range entries {
		switch {
		case slices.Contains(known, e.Name):
			fields[e.Name] = e.Value
		case elsewhere == nil || !elsewhere(e):
			e.Key.Problem("unknown field%s", v.DidYouMean(e.Name, known))
		}
	}
	return fields, ok
}

// tagged notes an explicit tag other than want.
func (v Value) tagged(want string) bool {
	if v.node.Style&yaml.TaggedStyle == 0 || v.node.Tag == want {
		return true
	}
	v.Problem("the YAML tag %s is not supported", Quote(v.node.Tag))
	return false
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]{1,63}$`)

// join appends a key to a path: users[0].name, or users[0]["full name"] where the key is not as keys are.
func join(path, key string) string {
	switch {
	case !plainKey.MatchString(key):
		return path + "[" + Quote(key) + "]"
	case path == "":
		return key
	}
	return path + "." + key
}
