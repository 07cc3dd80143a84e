package report

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/certsync/certsync/reconcile"
)

// EventReason is the reason of an Event.
type EventReason string

// The reasons. All but EventApplied are warnings: somebody should look.
const (
	EventApplied EventReason = "Applied" // something was changed
	EventFailed  EventReason = "Failed"  // steps, or the run as a whole
	EventHeld    EventReason = "Held"    // steps that were not tried
	EventRefused EventReason = "Refused" // nothing was written
)

// KubernetesEvent is what a run has to say for one reason, for any number of users.
type KubernetesEvent struct {
	Reason  EventReason
	Message string // may hold others' text, uncleaned, and be of any length
}

// maxNamed is how many names a message lists. The report has all of them.
const maxNamed = 10

// KubernetesEvents returns at most one Event for each reason. There is none if there was nothing to do, after an interruption
// before the first step, and while another run has the lock.
func (a Account) KubernetesEvents() []KubernetesEvent {
	var events []KubernetesEvent
	tell := func(reason EventReason, format string, args ...any) {
		events = append(events, KubernetesEvent{reason, fmt.Sprintf("run %s: ", a.RunID) + fmt.Sprintf(format, args...)})
	}
	o := a.Outcome
	switch {
	case len(o.Ended(reconcile.Done)) > 0:
		tell(EventApplied, "%s; unchanged users: %d", counts(o), o.Plan.Unchanged)
	case a.Err == nil && o.Plan.RecordState:
		tell(EventApplied, "%s is recorded; nothing else was changed", o.Plan.Records())
	}
	if failed := o.Ended(reconcile.Failed); len(failed) > 0 {
		tell(EventFailed, "%s", about("failed", failed))
	}
	if err := a.failure(); err != nil {
		tell(EventFailed, "%s", err)
	}
	if held := o.Ended(reconcile.Held); len(held) > 0 {
		tell(EventHeld, "%s", about("held back", held))
	}
	if refused := a.refusals(); len(refused) > 0 {
		tell(EventRefused, "nothing was written: %s", strings.Join(refused, "; "))
	}
	return events
}

// counts says what was done, such as "2 issue, 1 bind".
func counts(o reconcile.Outcome) string {
	var parts []string
	done := changes(o)
	for _, action := range reconcile.Actions {
		if done[action] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", done[action], action))
		}
	}
	return strings.Join(parts, ", ")
}

// about says for whom steps ended in a way, and why the first of them did.
func about(how string, events []reconcile.Event) string {
	var names []string
	for _, e := range events {
		names = append(names, cmp.Or(e.User, e.Group, e.Object))
	}
	names = reconcile.SortedSet(names)
	more := ""
	if n := len(names) - maxNamed; n > 0 {
		names, more = names[:maxNamed], fmt.Sprintf(" and %d more", n)
	}
	first := events[0]
	return fmt.Sprintf("steps %s: %d, for %s%s; %s of %s: %s", how, len(events), strings.Join(names, ", "), more,
		first.Action, cmp.Or(first.User, first.Group, first.Object), first.Error)
}
