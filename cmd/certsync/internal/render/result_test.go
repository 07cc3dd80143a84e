package render

import (
	"path/filepath"
	"testing"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
)

// TestResultText compares the results of runs.
func TestResultText(t *testing.T) {
	for name, o := range fixture.Outcomes(t) {
		t.Run(name, func(t *testing.T) {
			text := string(Result(o, false))
			fixture.Harmless(t, text)
			fixture.Golden(t, filepath.Join("testdata/text", name+".txt"), text)
			if plain := fixture.Colours.ReplaceAllString(string(Result(o, true)), ""); plain != text {
				t.Errorf("colour changes more than the colour:\n%s", plain)
			}
		})
	}
}
