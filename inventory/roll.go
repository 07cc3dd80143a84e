package inventory

import (
	"fmt"
	"strings"
)

// roll remembers which names of one kind have been declared, and where.
type roll struct {
	kind  string
	lacks string // what is wrong with a name that is not on it
	names []string
	first map[string]declaration // by the name in lower case
}

type declaration struct {
	name, file string
	line       int
}

// place says where a name was declared, to whoever reads the file of v.
func (d declaration) place(v value) string {
	if d.file == v.file {
		return fmt.Sprintf("line %d", d.line)
	}
	return fmt.Sprintf("line %d of %s", d.line, d.file)
}

func newRoll(kind string) *roll {
	return &roll{kind: kind, lacks: "is not declared", first: map[string]declaration{}}
}

// declare notes the name at v. A second one that differs in letter case only is refused: Alice and alice are different
// people to Kubernetes, and one to whoever reads the file.
func (r *roll) declare(v value, name string) (isNew bool) {
	folded := strings.ToLower(name)
	switch first, known := r.first[folded]; {
	case !known:
		r.first[folded] = declaration{name, v.file, v.node.Line}
		r.names = append(r.names, name)
		return true
	case first.name == name:
		v.problem("%s %s is declared twice, first in %s", r.kind, show(name), first.place(v))
	default:
		v.problem("%s %s differs from %s in %s in letter case only", r.kind, show(name), show(first.name), first.place(v))
	}
	return false
}

// candidates are the names to suggest in place of an undeclared one.
func (r *roll) candidates(name string) []string {
	if d, ok := r.find(name); ok {
		return []string{d.name}
	}
	return r.names
}

func (r *roll) has(name string) bool {
	d, ok := r.find(name)
	return ok && d.name == name
}

// find returns what has been declared under a name in any letter case.
func (r *roll) find(name string) (declaration, bool) {
	d, ok := r.first[strings.ToLower(name)]
	return d, ok
}
