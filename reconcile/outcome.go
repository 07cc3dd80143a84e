package reconcile

import (
	"strings"
	"time"
)

// FormatVersion is the formatVersion of reports: those of a run, status, review, preflight and revocations. Plans, records and
// the state have versions of their own: PlanVersion, RecordVersion and StateVersion.
const FormatVersion = "1"

// Refused is why apply did not begin: exit code 3. Nothing was written.
type Refused struct {
	Violations []string // each names a thing and what lifts the refusal
}

func (r Refused) Error() string { return "refused: " + strings.Join(r.Violations, "; ") }

// Result says how a step ended.
type Result string

// How a step ends.
const (
	// Done: the step was carried out.
	Done Result = "done"
	// Failed: the step was tried, and did not end well.
	Failed Result = "failed"
	// Held: the step was not tried, since something that it needs was not there. That may be an approval by people.
	Held Result = "held"
)

// Event is the end of one step.
type Event struct {
	Time   time.Time `json:"time"`
	Run    string    `json:"run"`
	User   string    `json:"user,omitempty"`
	Group  string    `json:"group,omitempty"`
	Action Action    `json:"action"`
	Object string    `json:"object,omitempty"`
	Result Result    `json:"result"`
	Error  string    `json:"error,omitempty"`
	Hint   string    `json:"hint,omitempty"`
	Note   string    `json:"note,omitempty"` // done, but not quite as asked

	ByPolicy bool      `json:"-"` // held, as was asked for
	Expires  time.Time `json:"-"` // the certificate that was issued
}

// LastEvent ends the Events of a run. Of several clusters each has one, and one without a cluster adds them up.
type LastEvent struct {
	Summary  map[string]int `json:"summary"` // as Outcome.Summary
	ExitCode int            `json:"exitCode"`
}

// EndedEarly is the last event of one of several clusters in which the run ended before its steps.
type EndedEarly struct {
	Error    string `json:"error"`
	Hint     string `json:"hint,omitempty"`
	ExitCode int    `json:"exitCode"`
}

// Outcome is what a run of apply did.
type Outcome struct {
	Plan   Plan
	Events []Event // empty if there was nothing to do
}

// Failed counts the steps that did not end well. Those that the policy holds do as asked.
func (o Outcome) Failed() int {
	n := 0
	for _, e := range o.Events {
		if e.Result != Done && !e.ByPolicy {
			n++
		}
	}
	return n
}

// HeldByPolicy counts the steps that --policy kept from running.
func (o Outcome) HeldByPolicy() int {
	n := 0
	for _, e := range o.Events {
		if e.ByPolicy {
			n++
		}
	}
	return n
}

// Summary counts the steps that were done by action, the others as "failed" and "held", and the users without a step as
// "unchanged".
func (o Outcome) Summary() map[string]int {
	sum := map[string]int{"unchanged": o.Plan.Unchanged}
	for _, e := range o.Events {
		switch e.Result {
		case Done:
			sum[string(e.Action)]++
		case Failed:
			sum["failed"]++
		case Held:
			sum["held"]++
		}
	}
	return sum
}

// Ended lists the steps that ended so, but for those that the policy holds.
func (o Outcome) Ended(how Result) []Event {
	var events []Event
	for _, e := range o.Events {
		if e.Result == how && !e.ByPolicy {
			events = append(events, e)
		}
	}
	return events
}

// LastStep is how long the steps that are under way when a run is interrupted may take to end, unless
// apply.Executor says otherwise.
const LastStep = 20 * time.Second
