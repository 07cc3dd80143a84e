package strict

import (
	"fmt"
	"strings"
)

// Roll remembers which names of one kind have been declared, and where.
type Roll struct {
	Kind  string // such as: user
	Lacks string // what is wrong with a name that is not on it
	names []string
	first map[string]Declaration // by the name in lower case
}

// Declaration is a name on a Roll.
type Declaration struct {
	Name string
	file string
	line int
}

// Place says where a name was declared, to whoever reads the file of v.
func (d Declaration) Place(v Value) string {
	if d.file == v.file {
		return fmt.Sprintf("line %d", d.line)
	}
	return fmt.Sprintf("line %d of %s", d.line, d.file)
}

// NewRoll returns a Roll without names.
func NewRoll(kind string) *Roll {
	return &Roll{Kind: kind, Lacks: "is not declared", first: map[string]Declaration{}}
}

// Declare notes the name at v. A second one that differs in letter case only is refused: Alice and alice are different
// people to Kubernetes, and one to whoever reads the file.
func (r *Roll) Declare(v Value, name string) (isNew bool) {
	folded := strings.ToLower(name)
	switch first, known := r.first[folded]; {
	case !known:
		r.first[folded] = Declaration{name, v.file, v.node.Line}
		r.names = append(r.names, name)
		return true
	case first.Name == name:
		v.Problem("%s %s is declared twice, first in %s", r.Kind, Quote(name), first.Place(v))
	default:
		v.Problem("%s %s differs from %s in %s in letter case only", r.Kind, Quote(name), Quote(first.Name), first.Place(v))
	}
	return false
}

// Undeclared notes that the name at v is not on the roll, and suggests one that is.
func (r *Roll) Undeclared(v Value, name string) {
	candidates := r.names
	if d, ok := r.Find(name); ok {
		candidates = []string{d.Name}
	}
	v.Problem("%s %s %s%s", r.Kind, Quote(name), r.Lacks, v.DidYouMean(name, candidates))
}

// Names are all that were declared, in that order.
func (r *Roll) Names() []string { return r.names }

// Has reports whether a name was declared in this letter case.
func (r *Roll) Has(name string) bool {
	d, ok := r.Find(name)
	return ok && d.Name == name
}

// Find returns what has been declared under a name in any letter case.
func (r *Roll) Find(name string) (Declaration, bool) {
	d, ok := r.first[strings.ToLower(name)]
	return d, ok
}
