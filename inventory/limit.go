package inventory

// The limits of one inventory together with its teams' files, the files that it names and those beside teams' files. A
// pull request may put anything there. An inventory of 10,000 users with their groups, roles and requests stays within
// each of them.
const (
	maxSize    = 8 << 20  // bytes of the inventory alone: it keeps a wrong path from filling the memory
	maxBytes   = 32 << 20 // of all files that are named or parsed
	maxMarks   = 500_000  // of the characters that make a YAML document costly, see strict.NewReport
	maxNamed   = 12_000   // files that are named: the signature of a request takes up to 2 ms to verify
	maxEntries = 10_000   // of the folders that are searched for teams' files
)

// budget is the rest of these limits in a run, without what package strict counts.
type budget struct{ bytes, named, entries int }

func newBudget() budget { return budget{maxBytes, maxNamed, maxEntries} }

// take lowers a rest by n, if that much is left.
func take(rest *int, n int) bool {
	if *rest < n {
		return false
	}
	*rest -= n
	return true
}
