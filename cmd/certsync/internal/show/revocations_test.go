package show

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/reconcile/revocation"
)

// TestRevocations: each form of the list is as in its golden file, and nothing in it controls a terminal.
func TestRevocations(t *testing.T) {
	for name, r := range fixture.Revocations() {
		t.Run(name, func(t *testing.T) {
			text := string(Revocations(r, false))
			fixture.Golden(t, "testdata/text/"+name+".txt", text)
			if strings.ContainsAny(text, "\x1b\x07") || strings.Contains(text, "\n  admission: yes") != (r.Tiers.Admission == revocation.InForce) {
				t.Errorf("%q", text)
			}
			if name != "revocations-some" {
				return
			}
			asJSON, err := json.MarshalIndent(r, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			fixture.Golden(t, "testdata/text/"+name+".json", string(asJSON)+"\n")
		})
	}
}
