package strict

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// Element is a part of a document that is written.
type Element struct{ node yaml.Node }

// Write returns a document, and before it a comment of lines. A value that is written as Text is text for every reader.
func Write(head []string, root *Element) []byte {
	var out bytes.Buffer
	for _, line := range commented(head) {
		out.WriteString(line + "\n")
	}
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&root.node); err != nil {
		panic(err) // text in nodes, into memory
	}
	return out.Bytes()
}

// Mapping returns a mapping without keys.
func Mapping() *Element { return &Element{yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}} }

// List returns a list without items. An empty list reads as null unless it is InLine.
func List() *Element { return &Element{yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}} }

// InLine writes a mapping or a list in one line, and returns it.
func (e *Element) InLine() *Element {
	e.node.Style = yaml.FlowStyle
	return e
}

// Add adds a key to a mapping.
func (e *Element) Add(key string, value *Element) {
	e.node.Content = append(e.node.Content, &Text(key).node, &value.node)
}

// AddFilled is Add, but leaves out a list or mapping that holds nothing.
func (e *Element) AddFilled(key string, value *Element) {
	if len(value.node.Content) > 0 {
		e.Add(key, value)
	}
}

// Item adds an item to a list, with comments before it. Each becomes one line.
func (e *Element) Item(value *Element, comments []string) {
	value.node.HeadComment = strings.Join(commented(comments), "\n")
	e.node.Content = append(e.node.Content, &value.node)
}

// maxRow is how many characters of a list stand in one line.
const maxRow = 80

// Row is a list in one line, or one item a line where it would be too long to be read and to be compared.
func Row(items []*Element) *Element {
	row, length := List(), 0
	for _, item := range items {
		row.node.Content = append(row.node.Content, &item.node)
		length += len(item.node.Value) + 2
	}
	if length > maxRow {
		return row
	}
	return row.InLine()
}

// Texts are the elements of a list of texts.
func Texts(values []string) []*Element {
	out := make([]*Element, len(values))
	for i, v := range values {
		out[i] = Text(v)
	}
	return out
}

// plainText is text that every reader of YAML takes for text without quotes: no number, date, base-60 number or alias,
// in a flow or outside of one.
var plainText = regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9._@+/-]*[A-Za-z0-9])?$`)

// Text is a string, in quotes where YAML could take it for something else. The library knows of true and null, but lets
// the old booleans stand bare.
func Text(s string) *Element {
	e := &Element{yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}}
	if !plainText.MatchString(s) || slices.Contains(oldBooleans, s) {
		e.node.Style = yaml.DoubleQuotedStyle
	}
	return e
}

// Scalar is a date, a duration or a share.
func Scalar(s string) *Element { return &Element{yaml.Node{Kind: yaml.ScalarNode, Value: s}} }

// commented makes comments of lines. A name of the cluster in one of them must not begin a line of its own.
func commented(lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = strings.TrimRight("# "+printable(line), " ")
	}
	return out
}
