package render

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
)

// Each kind of item has a limit. Otherwise a user who can make a thousand bindings could push other kinds out of the comment.
const (
	maxItems       = 25
	maxItemsLength = 5000 // of one kind, in characters
)

// attention is the list at the top of a comment that a reviewer must see. The most serious kinds come first, and each kind
// has its own room:
//
//   - refused and held steps;
//   - bindings of others that name users of the inventory;
//   - users who become as good as cluster-admin, now and later;
//   - certificates for another key than before;
//   - kubeconfigs that lead to another server than before, or trust another one;
//   - users who are not protected any more;
//   - removed users, and access that users lose.
func attention(plan reconcile.Plan) string {
	var b strings.Builder
	for _, kind := range attentionKinds(plan, kubeconfigItems(plan)) {
		b.WriteString(boundedList(kind))
	}
	if b.Len() == 0 {
		return ""
	}
	return attentionHead + b.String()
}

const attentionHead = "\n#### Check this first\n\n"

// ranked is an item with its rank among those of its kind: the lowest is the most serious.
type ranked struct {
	rank int
	text string
}

func withRank(rank int, items []string) []ranked {
	all := make([]ranked, len(items))
	for i, text := range items {
		all[i] = ranked{rank, text}
	}
	return all
}

// attentionKinds has the items of that list by kind, the most serious of each kind first. The items about kubeconfigs are the caller's:
// what several clusters have in common does not say where a kubeconfig leads.
func attentionKinds(plan reconcile.Plan, kubeconfigs []string) [][]ranked {
	var refused []string
	for _, why := range plan.Forbidden {
		refused = append(refused, "**Refused**, apply writes nothing: "+prose(why))
	}
	return [][]ranked{
		withRank(0, refused),
		withRank(0, heldItems(plan, plan.HeldByGuard(), "**Held by a guard**, apply refuses the plan; `--hold` applies the rest: ")),
		withRank(0, heldItems(plan, plan.Skipped(), "**Held**, apply skips this and applies the rest: ")),
		accessItems(plan), powerItems(plan), beginningItems(plan), keyItems(plan), withRank(0, kubeconfigs),
		withRank(0, protectionItems(plan)), withRank(0, removalItems(plan)), withRank(0, lossItems(plan)),
	}
}

// boundedList lists as many items as a kind has room for, and counts the rest.
func boundedList(items []ranked) string {
	var b strings.Builder
	room := maxItemsLength
	for i, item := range items {
		if room -= length(item.text); i == maxItems || i > 0 && room < 0 {
			b.WriteString(moreItems(len(items) - i))
			break
		}
		b.WriteString("- " + item.text + "\n")
	}
	return b.String()
}

func moreItems(n int) string {
	return "- **and " + terminal.WithCommas(n) + " more** of these, which `certsync plan` shows\n"
}

// heldItems returns one item for all steps that are held for the same reason.
func heldItems(plan reconcile.Plan, held []reconcile.Step, beginning string) []string {
	var items []string
	for _, same := range terminal.GroupBy(held, func(s reconcile.Step) string { return s.Held }) {
		var steps []string
		for _, s := range same[:min(len(same), 3)] {
			text := stepSubject(s) + " " + stepMarkdown(plan, s)
			if plan.Powerful(s) != "" {
				text += ", as good as cluster-admin"
			}
			steps = append(steps, text)
		}
		text := strings.Join(steps, "; ")
		if more := len(same) - len(steps); more > 0 {
			text += fmt.Sprintf("; and %s more", pluralWithCommas(more, "step"))
		}
		items = append(items, beginning+text+": "+prose(same[0].Held))
	}
	return items
}

// accessItems returns the bindings of others: first those as good as cluster-admin, then cluster-wide ones. So a user who
// may only make bindings in one namespace cannot push those out.
func accessItems(plan reconcile.Plan) []ranked {
	var powerful, wide, limited []string
	for _, g := range groupNotes(plan) {
		if g.kind() != reconcile.ExistingAccess {
			continue
		}
		items := &limited
		if len(g.notes[0].Power) > 0 {
			items = &powerful
		} else if strings.HasPrefix(g.notes[0].Object, string(reconcile.ClusterRoleBinding)+" ") {
			items = &wide
		}
		*items = append(*items, "**Existing access**: "+g.markdown())
	}
	return slices.Concat(withRank(0, powerful), withRank(1, wide), withRank(2, limited))
}

// powerItems returns the changes that make a user as good as cluster-admin. The strongest roles come first, so that many
// weaker ones do not push them out.
func powerItems(plan reconcile.Plan) []ranked {
	var items []ranked
	forEachChange(plan, func(names string, c change) {
		if c.powerful == "" {
			return
		}
		if c.unlistedAdds > 0 {
			names += fmt.Sprintf(", for %s", pluralWithCommas(c.unlistedAdds, "member"))
		}
		item := fmt.Sprintf("**As good as cluster-admin**: %s: %s (%s)", names, c.markdown(code), c.powerful)
		items = append(items, ranked{access.Severity(c.powerful), item})
	})
	sortRanked(items)
	return items
}

// keyItems returns the certificates for another key than before, the strongest first. The holder of the new key gets the
// user's access.
func keyItems(plan reconcile.Plan) []ranked {
	exchanged := slices.DeleteFunc(stepsToRun(plan), func(s reconcile.Step) bool { return !slices.Contains(s.Reasons, reconcile.RequestChanged) })
	slices.SortFunc(exchanged, func(a, b reconcile.Step) int {
		return cmp.Or(cmp.Compare(severityOf(a), severityOf(b)), cmp.Compare(a.User, b.User))
	})
	text := func(s reconcile.Step) string {
		if len(s.Power) > 0 {
			return stepMarkdown(plan, s) + ", as good as cluster-admin: " + s.Power[0]
		}
		return stepMarkdown(plan, s)
	}
	var items []ranked
	for _, same := range terminal.GroupBy(exchanged, text) {
		var names []string
		for _, s := range same {
			names = append(names, s.User)
		}
		items = append(items, ranked{severityOf(same[0]), fmt.Sprintf("**Key changed**: %s: %s", boundedNames(names), text(same[0]))})
	}
	return items
}

func sortRanked(items []ranked) {
	slices.SortStableFunc(items, func(a, b ranked) int { return cmp.Compare(a.rank, b.rank) })
}

// severityOf orders steps by the power that they give; the strongest has the lowest number.
func severityOf(s reconcile.Step) int {
	if len(s.Power) == 0 {
		return math.MaxInt
	}
	return access.Severity(s.Power[0])
}

// protectionItems returns the users who are not protected any more.
func protectionItems(plan reconcile.Plan) []string {
	var names []string
	for _, s := range stepsToRun(plan) {
		if slices.Contains(s.Reasons, reconcile.Unprotected) {
			names = append(names, s.User)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []string{"**Not protected any more**: " + boundedNames(names)}
}

// removalItems returns the users that the plan removes.
func removalItems(plan reconcile.Plan) []string {
	var items []string
	forEachChange(plan, func(names string, c change) {
		if c.action == reconcile.Remove {
			items = append(items, fmt.Sprintf("**Removed**: %s: %s (%s)", names, c.markdown(code), c.reasonText()))
		}
	})
	return items
}

// lossItems returns the access that subjects lose who are not removed.
func lossItems(plan reconcile.Plan) []string {
	var items []string
	forEachChange(plan, func(names string, c change) {
		if c.action == reconcile.Unbind || len(c.remove) > 0 {
			items = append(items, fmt.Sprintf("**Loses access**: %s: %s (%s)", names, c.markdown(code), c.reasonText()))
		}
	})
	return items
}

// forEachChange calls do for every change, with the names of its entry.
func forEachChange(plan reconcile.Plan, do func(names string, c change)) {
	for _, e := range entries(plan, code) {
		names := boundedNames(e.names)
		if e.section == groups {
			names = "group " + names
		}
		for _, c := range e.changes {
			do(names, c)
		}
	}
}

// boundedNames lists names up to half of the room of a kind, and counts the rest.
func boundedNames(names []string) string {
	var first []string
	room := maxItemsLength / 2
	for _, n := range names {
		n = code(n)
		if room -= length(n) + 2; room < 0 && len(first) > 0 {
			return strings.Join(first, ", ") + " and " + terminal.WithCommas(len(names)-len(first)) + " more"
		}
		first = append(first, n)
	}
	return strings.Join(first, ", ")
}

// stepSubject is the user or the group of a step.
func stepSubject(s reconcile.Step) string {
	if s.Group != "" {
		return "group " + code(s.Group)
	}
	return code(s.User)
}

// stepMarkdown shows one step without its subject.
func stepMarkdown(plan reconcile.Plan, s reconcile.Step) string {
	c := change{action: s.Action, objects: []string{objectText(plan, s, code)}}
	if s.Detail != nil && s.Group != "" {
		c.add, c.remove = s.Detail.Add, s.Detail.Remove
	}
	return fmt.Sprintf("%s (%s)", c.markdown(code), joinReasons(s.Reasons))
}

// stepInFull shows one step with the object that it writes, the cluster of its kubeconfig, and its batch.
func stepInFull(plan reconcile.Plan, s reconcile.Step) string {
	text := stepSubject(s) + " " + stepMarkdown(plan, s)
	if s.Object() != "" {
		text += ", writes " + code(s.Object())
	}
	if s.Detail != nil && s.Detail.Kubeconfig != nil {
		text += ", kubeconfig " + kubeconfigText(*s.Detail.Kubeconfig)
	}
	if why := terminal.WhyText(s.Why, longCode); why != "" {
		text += ", why: " + why
	}
	if s.Batch > 0 {
		text += fmt.Sprintf(", in batch %d", s.Batch)
	}
	if s.Held != "" {
		text += ", held"
	}
	return text
}
