package render

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
)

// TestPlanText compares plans as text, as text in colour, and as JSON.
func TestPlanText(t *testing.T) {
	for name, plan := range withRemovals(t) {
		t.Run(name, func(t *testing.T) {
			digest := plan.Digest()
			text := string(Plan(plan, false))
			if plan.Digest() != digest {
				t.Error("rendering changes the plan")
			}
			harmless(t, text)
			fixture.Golden(t, filepath.Join("testdata/text", name+".txt"), text)
			coloured := string(Plan(plan, true))
			if plain := colours.ReplaceAllString(coloured, ""); plain != text {
				t.Errorf("colour changes more than the colour:\n%s", plain)
			}
			if name != "changes" && name != "held" {
				return
			}
			fixture.Golden(t, filepath.Join("testdata/text", name+".colour"), coloured)
			asJSON, err := json.MarshalIndent(plan, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			fixture.Golden(t, filepath.Join("testdata/text", name+".json"), string(asJSON)+"\n")
		})
	}
}

var colours = regexp.MustCompile("\x1b\\[(0|1|31|32|33)m")

// harmless checks that text holds no control character, and that no name looks like a line of its own.
func harmless(t *testing.T, text string) {
	t.Helper()
	for n, line := range strings.Split(text, "\n") {
		if i := strings.IndexFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("line %d holds %q", n+1, line[i:])
		}
		if n > 0 && strings.HasPrefix(line, "Plan for") {
			t.Errorf("line %d is forged: %s", n+1, line)
		}
	}
}
