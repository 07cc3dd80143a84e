package strict

import (
	"fmt"
	"strings"
)

// MaxProblems is how many problems a Report keeps.
const MaxProblems = 100

// Report is what the documents of one run share: their problems, and how much may still be parsed.
type Report struct {
	root     string // the first document's file
	left     int    // see marks
	problems Problems
	more     int // problems that are not among them, see MaxProblems
}

// NewReport returns a Report without problems. Root is the file of the document that leads to the others. All documents
// together can hold as many of the characters , : ? - [ { # as limit; the tree of one takes up to 170 bytes for each.
func NewReport(root string, limit int) *Report { return &Report{root: root, left: limit} }

// Root is the file of the document that leads to the others.
func (r *Report) Root() string { return r.root }

// Problems are those of all documents, sorted, and nil where there are none.
func (r *Report) Problems() Problems {
	r.problems.sort(r.root)
	if r.more == 0 {
		return r.problems
	}
	return append(r.problems, Problem{r.root, 1, 1, "", fmt.Sprintf("and %d more", r.more)})
}

// full says that no further problem is kept.
func (r *Report) full() bool { return len(r.problems) == MaxProblems }

// Note adds a problem at a line and column of a file. It takes 1 for a line or column that is not known.
func (r *Report) Note(file string, line, column int, path, message string) {
	if r.full() {
		r.more++
		return
	}
	r.problems = append(r.problems, Problem{file, max(line, 1), max(column, 1), path, message})
}

// Afford takes what it costs to parse data from what the run has left. False: there is not that much.
func (r *Report) Afford(data []byte) bool {
	cost := marks(data)
	if r.left < cost {
		return false
	}
	r.left -= cost
	return true
}

// marks is an upper bound for the nodes of a YAML document. Each node is an item of a list, or a key or a value of a
// mapping, and needs one of these characters; so does a comment. Those in texts count too, since only a parser can tell
// them apart.
func marks(data []byte) int {
	n := 1
	for i, c := range data {
		switch c {
		case ',', ':', '?', '{': // {a,b: c,? d} has six nodes: what has no value gets null
			n += 2
		case '[':
			n++
		case '-':
			if rest := data[i+1:]; len(rest) == 0 || strings.IndexByte(" \t\r\n", rest[0]) >= 0 {
				n++
			}
		case '#': // a comment takes as much as three nodes while it is parsed
			if i == 0 || strings.IndexByte(" \t\r\n", data[i-1]) >= 0 {
				n += 3
			}
		case '%': // each %TAG is compared with all before it
			if i == 0 || data[i-1] == '\n' {
				n += 100
			}
		}
	}
	return n
}
