package render

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
)

// TestPlanIsItsFields: a plan that was read from JSON has the same text, Markdown and digest. So a program sees all that a
// reviewer sees.
func TestPlanIsItsFields(t *testing.T) {
	for name, plan := range withRemovals(t) {
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(plan)
			if err != nil {
				t.Fatal(err)
			}
			var read struct {
				Owner, ClusterUID, InventoryDigest string
				Changes                            bool
				Summary                            map[string]int
				Refusals                           []reconcile.Refusal
				Steps                              []reconcile.Step
				Notes                              []reconcile.Note
				RemovalsOnly                       bool
				Revoked                            map[string]time.Time
			}
			if err := json.Unmarshal(text, &read); err != nil {
				t.Fatal(err)
			}
			again := reconcile.Plan{Owner: read.Owner, ClusterUID: read.ClusterUID, InventoryDigest: read.InventoryDigest,
				RemovalsOnly: read.RemovalsOnly, Revoked: read.Revoked, Steps: read.Steps, Notes: read.Notes, Unchanged: read.Summary["unchanged"], RecordState: read.Changes && len(read.Steps) == 0}
			for _, r := range read.Refusals {
				if r.Hold {
					again.Guards = append(again.Guards, r.Message)
				} else {
					again.Forbidden = append(again.Forbidden, r.Message)
				}
			}
			if diff := cmp.Diff(string(Plan(plan, true)), string(Plan(again, true))); diff != "" {
				t.Errorf("text: %s", diff)
			}
			if diff := cmp.Diff(string(PlanMarkdown(plan)), string(PlanMarkdown(again))); diff != "" {
				t.Errorf("Markdown: %s", diff)
			}
			if plan.Digest() != again.Digest() {
				t.Errorf("the digest is %s, and was %s", again.Digest(), plan.Digest())
			}
		})
	}
}
