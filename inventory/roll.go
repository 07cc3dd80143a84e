package inventory

import "strings"

// roll remembers which names of one kind have been declared, and where.
type roll struct {
	kind  string
	names []string
	first map[string]declaration // by the name in lower case
}

type declaration struct {
	name string
	line int
}

func newRoll(kind string) *roll {
	return &roll{kind: kind, first: map[string]declaration{}}
}

// declare notes the name at v. A second one that differs in letter case only is refused: Alice and alice are different
// people to Kubernetes, and one to whoever reads the file.
func (r *roll) declare(v value, name string) {
	folded := strings.ToLower(name)
	switch first, known := r.first[folded]; {
	case !known:
		r.first[folded] = declaration{name, v.node.Line}
		r.names = append(r.names, name)
	case first.name == name:
		v.problem("%s %s is declared twice, first in line %d", r.kind, show(name), first.line)
	default:
		v.problem("%s %s differs from %s in line %d in letter case only", r.kind, show(name), show(first.name), first.line)
	}
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
