package inventory

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// decoder is what the values of one file share.
type decoder struct {
	*run
	file string // what stands before every problem
	what string // what the file is, such as: an inventory
}

// run is what all files of one run share.
type run struct {
	root     string            // the inventory's file
	files    fs.FS             // may be nil
	opened   map[string][]byte // what was read from files, by its path there; nil keeps nothing
	keys     map[string]value  // the requests' keys, see Fingerprint, and where each was named
	left     budget
	problems Problems
	more     int // problems that are not among them, see maxProblems
}

func (d *decoder) note(line, column int, path, message string) {
	if len(d.problems) == maxProblems {
		d.more++
		return
	}
	d.problems = append(d.problems, Problem{d.file, max(line, 1), max(column, 1), path, message})
}

// value is a place in the document: a node, and the path to it.
type value struct {
	*decoder
	node *yaml.Node
	path string
}

const noAnchors = "anchors, aliases and merge keys are not supported: write the value out"

// at is the only way to a value, and so the one place where anchors are refused. Nothing ever follows an alias, so a
// document that would expand to gigabytes is harmless.
func (d *decoder) at(node *yaml.Node, path string) value {
	v := value{d, node, path}
	if node.Kind == yaml.AliasNode || node.Anchor != "" {
		v.problem(noAnchors)
	}
	return v
}

func (v value) problem(format string, args ...any) {
	if len(v.problems) == maxProblems {
		v.more++ // without the work of the message
		return
	}
	v.note(v.node.Line, v.node.Column, v.path, fmt.Sprintf(format, args...))
}

// missing notes that a mapping lacks a key.
func (v value) missing(key, hint string) {
	v.note(v.node.Line, v.node.Column, join(v.path, key), "is missing: "+hint)
}

// says returns the key of a mapping, if this text stands under it.
func (v value) says(key, text string) *yaml.Node {
	for i := 0; v.node.Kind == yaml.MappingNode && i+1 < len(v.node.Content); i += 2 {
		if k := v.node.Content[i]; k.Value == key && v.node.Content[i+1].Value == text {
			return k
		}
	}
	return nil
}

// null says that there is nothing, not that it could not be read.
func (v value) null() bool { return v.node.Kind == yaml.ScalarNode && v.node.Tag == "!!null" }

// unwanted notes that something else is wanted. An alias is a problem already.
func (v value) unwanted(want string) {
	switch {
	case v.node.Kind == yaml.AliasNode:
	case v.null():
		v.problem("%s is expected, but there is nothing", want)
	case v.node.Kind == yaml.MappingNode:
		v.problem("%s is expected, not a mapping", want)
	case v.node.Kind == yaml.SequenceNode:
		v.problem("%s is expected, not a list", want)
	default:
		v.problem("%s is expected, not %s", want, show(v.node.Value))
	}
}

// items returns the elements of a list.
func (v value) items() []value {
	if v.node.Kind != yaml.SequenceNode {
		v.unwanted("a list")
		return nil
	}
	if !v.tagged("!!seq") {
		return nil
	}
	items := make([]value, len(v.node.Content))
	for i, node := range v.node.Content {
		items[i] = v.at(node, v.path+"["+strconv.Itoa(i)+"]")
	}
	return items
}

// entry is a key of a mapping, and its value. The path of both is that of the value.
type entry struct {
	name       string
	key, value value
}

// entries returns what a mapping holds, in the order of the file and each key once.
func (v value) entries() ([]entry, bool) {
	if v.node.Kind != yaml.MappingNode {
		v.unwanted("a mapping")
		return nil, false
	}
	if !v.tagged("!!map") {
		return nil, false
	}
	entries := make([]entry, 0, len(v.node.Content)/2)
	lines := map[string]int{}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		key := v.at(v.node.Content[i], v.path)
		name, ok := key.text()
		if !ok {
			continue
		}
		key.path = join(v.path, name)
		if first, twice := lines[name]; twice {
			key.problem("is given twice, first in line %d", first)
			continue
		}
		lines[name] = key.node.Line
		entries = append(entries, entry{name, key, v.at(v.node.Content[i+1], key.path)})
	}
	return entries, true
}

// fields returns the values of a mapping whose keys are known.
func (v value) fields(known ...string) (map[string]value, bool) {
	return v.fieldsOf(known, nil)
}

// fieldsOf is fields, and refuses differently what is known elsewhere.
func (v value) fieldsOf(known []string, elsewhere func(entry) bool) (map[string]value, bool) {
	entries, ok := v.entries()
	fields := make(map[string]value, min(len(known), len(entries))) // either may be a lot more than the other
	for _, e := range entries {
		switch {
		case slices.Contains(known, e.name):
			fields[e.name] = e.value
		case elsewhere == nil || !elsewhere(e):
			e.key.problem("unknown field%s", v.didYouMean(e.name, known))
		}
	}
	return fields, ok
}

// tagged notes an explicit tag other than want.
func (v value) tagged(want string) bool {
	if v.node.Style&yaml.TaggedStyle == 0 || v.node.Tag == want {
		return true
	}
	v.problem("the YAML tag %s is not supported", show(v.node.Tag))
	return false
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]{1,63}$`)

// join appends a key to a path: users[0].name, or users[0]["full name"] where the key is not as keys are.
func join(path, key string) string {
	switch {
	case !plainKey.MatchString(key):
		return path + "[" + show(key) + "]"
	case path == "":
		return key
	}
	return path + "." + key
}
