package main

import (
	"testing"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/issuing"
)

// TestRunTime: an apply may take longer for more users, and as long as people may take to approve.
func TestRunTime(t *testing.T) {
	manual := issuerFlags{Approval: "manual", ApprovalTimeout: issuing.WaitingTime(10 * time.Minute)}
	for sentence, tt := range map[string]struct {
		flags issuerFlags
		users int
		want  time.Duration
	}{
		"a few users":            {issuerFlags{ApprovalTimeout: issuing.WaitingTime(time.Hour)}, 3, time.Minute},
		"many users":             {issuerFlags{}, 2400, 3 * time.Minute},
		"people who approve":     {manual, 3, 11 * time.Minute},
		"people who approve all": {manual, 1200, 12 * time.Minute},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := tt.flags.RunTime(tt.users); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
