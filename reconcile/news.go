package reconcile

import (
	"cmp"
	"fmt"
	"strings"
)

// NewsKind is what news is about.
type NewsKind string

// The kinds of news. All but NewsApplied are warnings: somebody should look.
const (
	NewsApplied NewsKind = "Applied" // something was changed
	NewsFailed  NewsKind = "Failed"  // steps, or the run as a whole
	NewsHeld    NewsKind = "Held"    // steps that were not tried
	NewsRefused NewsKind = "Refused" // nothing was written
)

// News is one kind of thing that a run has to tell, whatever the number of users whom it is about.
type News struct {
	Kind    NewsKind
	Message string // may hold others' text, uncleaned, and be of any length
}

// maxNamed is how many names a message lists. The report has all of them.
const maxNamed = 10

// News is what happened in a run, at most one of each kind: nothing if there was nothing to do, nor after an interruption
// before the first step, nor where another run has the lock.
func (a Account) News() []News {
	var news []News
	tell := func(kind NewsKind, format string, args ...any) {
		news = append(news, News{kind, fmt.Sprintf("run %s: ", a.RunID) + fmt.Sprintf(format, args...)})
	}
	o := a.Outcome
	switch {
	case len(o.ended(Done)) > 0:
		tell(NewsApplied, "%s; unchanged users: %d", counts(o), o.Plan.Unchanged)
	case a.Err == nil && o.Plan.recordState:
		tell(NewsApplied, "the inventory is recorded; nothing else was changed")
	}
	if failed := o.ended(Failed); len(failed) > 0 {
		tell(NewsFailed, "%s", about("failed", failed))
	}
	if err := a.failure(); err != nil {
		tell(NewsFailed, "%s", err)
	}
	if held := o.ended(Held); len(held) > 0 {
		tell(NewsHeld, "%s", about("held back", held))
	}
	if refused := a.refusals(); len(refused) > 0 {
		tell(NewsRefused, "nothing was written: %s", strings.Join(refused, "; "))
	}
	return news
}

// counts says what was done, such as "2 issue, 1 bind".
func counts(o Outcome) string {
	var parts []string
	done := changes(o)
	for _, action := range actions {
		if done[action] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", done[action], action))
		}
	}
	return strings.Join(parts, ", ")
}

// about says for whom steps ended in a way, and why the first of them did.
func about(how string, events []Event) string {
	var names []string
	for _, e := range events {
		names = append(names, cmp.Or(e.User, e.Group))
	}
	names = sortedSet(names)
	more := ""
	if n := len(names) - maxNamed; n > 0 {
		names, more = names[:maxNamed], fmt.Sprintf(" and %d more", n)
	}
	first := events[0]
	return fmt.Sprintf("steps %s: %d, for %s%s; %s of %s: %s", how, len(events), strings.Join(names, ", "), more,
		first.Action, cmp.Or(first.User, first.Group), first.Error)
}
