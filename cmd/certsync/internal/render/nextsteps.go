package render

import (
	"slices"
	"strings"

	"github.com/certsync/certsync/inventory/shell"
)

// NextStep is a command that the reader can run next.
type NextStep struct {
	Words []string // of the command line
	Why   string   // the effect of the command, in a few words
}

// NextSteps lists commands, each on a line that a shell can run. It returns nothing if there is none. A command that a terminal
// would change when somebody copies it is left out.
func NextSteps(steps []NextStep) []byte {
	steps = slices.DeleteFunc(slices.Clone(steps), func(s NextStep) bool {
		return slices.ContainsFunc(s.Words, func(word string) bool { return !shell.Pasteable(word) })
	})
	if len(steps) == 0 {
		return nil
	}
	var lines []string
	longest := 0
	for _, step := range steps {
		var words []string
		for _, word := range step.Words {
			words = append(words, shell.Quote(word))
		}
		line := strings.Join(words, " ")
		lines = append(lines, line)
		longest = max(longest, len(line))
	}
	var b strings.Builder
	b.WriteString("\nNext:\n")
	for i, line := range lines {
		b.WriteString("  " + line)
		if why := steps[i].Why; why != "" {
			b.WriteString(strings.Repeat(" ", longest-len(line)+2) + "# " + why)
		}
		b.WriteString("\n")
	}
	return []byte(b.String())
}
