package render

import (
	"fmt"
	"slices"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
)

// beginningPower is why access that begins later is as good as cluster-admin, or "".
func beginningPower(n reconcile.Note) string {
	if n.Kind != reconcile.Begins || len(n.Power) == 0 {
		return ""
	}
	return n.Power[0]
}

// beginningItems returns the users and grants that begin later and are as good as cluster-admin, the strongest first. A reviewer sees
// them now: nobody may see the plan of that run.
func beginningItems(plan reconcile.Plan) []ranked {
	powerful := slices.DeleteFunc(groupNotes(plan), func(g noteGroup) bool { return beginningPower(g.notes[0]) == "" })
	var items []ranked
	for _, g := range powerful {
		power := beginningPower(g.notes[0])
		items = append(items, ranked{access.Severity(power), fmt.Sprintf("**As good as cluster-admin, later**: %s (%s)", g.markdown(), power)})
	}
	sortRanked(items)
	return items
}

// nextText says which user or grant begins next, or is "".
func nextText(plan reconcile.Plan, name, message terminal.Quoter) string {
	var next *reconcile.Note
	same := 0
	for i, n := range plan.Notes {
		switch {
		case n.Kind != reconcile.Begins || n.From == nil:
		case next == nil || n.From.Before(*next.From):
			next, same = &plan.Notes[i], 0
		case n.From.Equal(*next.From):
			same++
		}
	}
	if next == nil {
		return ""
	}
	who := name(next.User)
	if next.Group != "" {
		who = "group " + name(next.Group)
	}
	text := fmt.Sprintf("Next: %s: %s at %s", who, message(next.Message), reconcile.TimeText(*next.From))
	if same > 0 {
		text += fmt.Sprintf(", and %d more at that time", same)
	}
	return text
}
