package inventory

import (
	"fmt"
	"strings"
)

// The limits of one inventory together with its teams' files, the files that it names and those beside teams' files. A
// pull request may put anything there. An inventory of 10,000 users with their groups, roles and requests stays within
// each of them.
const (
	maxSize     = 8 << 20  // bytes of the inventory alone: it keeps a wrong path from filling the memory
	maxBytes    = 32 << 20 // of all files that are named or parsed
	maxMarks    = 500_000  // see marks; the tree of one YAML document takes up to 170 bytes a mark
	maxNamed    = 12_000   // files that are named: the signature of a request takes up to 2 ms to verify
	maxEntries  = 10_000   // of the folders that are searched for teams' files
	maxProblems = 100      // that are reported
)

// budget is the rest of these limits in a run.
type budget struct{ bytes, marks, named, entries int }

func newBudget() budget { return budget{maxBytes, maxMarks, maxNamed, maxEntries} }

// take lowers a rest by n, if that much is left.
func take(rest *int, n int) bool {
	if *rest < n {
		return false
	}
	*rest -= n
	return true
}

// affordable notes a document that would cost too much to parse.
func (d *decoder) affordable(data []byte) bool {
	if take(&d.left.marks, marks(data)) {
		return true
	}
	d.note(1, 1, "", fmt.Sprintf("the file is too large: an inventory and its teams' files can hold %d of the characters , : ? - [ { # in all, "+
		"which is enough for 10,000 users. Move some users to an inventory with another owner", maxMarks))
	return false
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
