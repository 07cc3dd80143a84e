package kube

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWarnings: each different warning is told once, and neither their number nor their length is without a bound.
func TestWarnings(t *testing.T) {
	var told []string
	w := newWarnings(func(text string) { told = append(told, text) })
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() { w.HandleWarningHeader(299, "-", strings.Repeat("x", 2*maxWarningText)) })
	}
	group.Wait()
	w.HandleWarningHeader(199, "-", "for a machine")
	w.HandleWarningHeader(299, "-", "")
	if diff := cmp.Diff([]string{strings.Repeat("x", maxWarningText) + "…"}, told); diff != "" {
		t.Error(diff)
	}
	for n := range 10 * maxWarnings {
		w.HandleWarningHeader(299, "-", fmt.Sprint("warning ", n))
	}
	if len(told) != maxWarnings+1 || told[maxWarnings-1] != "warning 18" || told[maxWarnings] != "there are more warnings, which certsync does not show" {
		t.Errorf("%d told, the last ones %q", len(told), told[maxWarnings-1:])
	}
}

// TestWarningsForNobody: without a listener, warnings are ignored.
func TestWarningsForNobody(t *testing.T) {
	newWarnings(nil).HandleWarningHeader(299, "-", "x")
}
