package kube

import (
	"sync"

	"github.com/certsync/certsync/inventory"
)

const (
	// maxWarnings bounds how many different warnings are told. Admission policies and webhooks choose them.
	maxWarnings = 20
	// maxWarningText is the number of bytes of one that are told.
	maxWarningText = 500
	// warningCode is the code of a Warning header that is for people.
	warningCode = 299
)

// warnings tells each different warning of the API server once. tell is called by one goroutine at a time.
type warnings struct {
	tell func(text string)

	mu   sync.Mutex
	told map[string]bool
}

// newWarnings returns a handler for tell, which may be nil.
func newWarnings(tell func(text string)) *warnings {
	return &warnings{tell: tell, told: map[string]bool{}}
}

// HandleWarningHeader tells a warning, unless it was told before or there were too many. The other arguments are those of
// client-go.
func (w *warnings) HandleWarningHeader(code int, _, text string) {
	text = inventory.Shorten(text, maxWarningText)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tell == nil || code != warningCode || text == "" || w.told[text] || len(w.told) > maxWarnings {
		return
	}
	w.told[text] = true
	if len(w.told) > maxWarnings {
		text = "there are more warnings, which certsync does not show"
	}
	w.tell(text)
}
