package render

import (
	"encoding/json"
	"path/filepath"
	"testing"

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
			fixture.Harmless(t, text)
			fixture.Golden(t, filepath.Join("testdata/text", name+".txt"), text)
			coloured := string(Plan(plan, true))
			if plain := fixture.Colours.ReplaceAllString(coloured, ""); plain != text {
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
