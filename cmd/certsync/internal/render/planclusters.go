package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/reconcile"
)

// Plans shows the plans of several clusters: a table of the clusters, and what is the same in several of them once, with where. digest
// is that of all plans.
func Plans(all []terminal.InCluster[reconcile.Plan], digest string, c terminal.Palette) []byte {
	var b bytes.Buffer
	title := fmt.Sprintf("Plan for %s:", terminal.Plural(len(all), "cluster"))
	b.WriteString(strings.Replace(terminal.Wrap("", title+" "+plansSummary(all)), title, c.Bold(title), 1))
	var rows [][]string
	for _, in := range all {
		row := []string{terminal.TextName(in.Cluster), in.OwnerText(), removedText(in.Value), shortDigest(in.Value), planText(in.Value)}
		if in.Problem != "" {
			row[4] = terminal.Failed + " " + terminal.Clean(in.Problem)
		}
		rows = append(rows, row)
	}
	terminal.WriteClusterTable(&b, c, []string{"CLUSTER", "OWNER", "REMOVED", "DIGEST", "CHANGES"}, rows)
	for _, part := range sharedPlans(all) {
		terminal.WriteWhere(&b, c, all, part.in)
		writePlan(&b, c, part.plan)
	}
	if anyChanges(all) {
		fmt.Fprintf(&b, "\nDigest: %s\n", digest)
		b.WriteString(terminal.Wrap("", fmt.Sprintf("The digest is for all %d clusters. certsync plan --cluster NAME shows one of them, and its digest.", len(all))))
	}
	return b.Bytes()
}

// planText is a plan in one line of a table.
func planText(plan reconcile.Plan) string {
	if len(plan.Refusals()) > 0 {
		return "refused: " + summaryLine(plan)
	}
	return summaryLine(plan)
}

// shortDigest is the beginning of a plan's digest, or "" if there is nothing to apply.
func shortDigest(plan reconcile.Plan) string {
	if !plan.Changes() {
		return ""
	}
	return strings.TrimPrefix(plan.Digest(), "sha256:")[:12]
}

// removedUsers counts the users that a plan removes.
func removedUsers(plan reconcile.Plan) int {
	n := 0
	for _, s := range stepsToRun(plan) {
		if s.Action == reconcile.Remove {
			n++
		}
	}
	return n
}

func removedText(plan reconcile.Plan) string {
	if n := removedUsers(plan); n > 0 {
		return strconv.Itoa(n)
	}
	return ""
}

// plansSummary counts clusters by what becomes of them.
func plansSummary(all []terminal.InCluster[reconcile.Plan]) string {
	counts := make([]int, 4)
	for _, in := range all {
		switch {
		case in.Problem != "":
			counts[3]++
		case len(in.Value.Refusals()) > 0:
			counts[2]++
		case in.Value.Changes():
			counts[0]++
		default:
			counts[1]++
		}
	}
	var parts []string
	for i, what := range []string{"with changes", "without changes", "refused", "failed"} {
		if counts[i] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[i], what))
		}
	}
	return strings.Join(parts, ", ")
}

func anyChanges(all []terminal.InCluster[reconcile.Plan]) bool {
	return slices.ContainsFunc(all, func(in terminal.InCluster[reconcile.Plan]) bool { return in.Value.Changes() })
}

// sharedPlan is the part of the plans that the same clusters have.
type sharedPlan struct {
	in   []int
	plan reconcile.Plan
}

// planPiece is a step, a note or a reason to refuse.
type planPiece struct {
	Steps             []reconcile.Step
	Notes             []reconcile.Note
	Forbidden, Guards []string
}

// pieces splits a plan. Without an owner they are as the plan has them. With one, they lack what differs between clusters and says
// nothing to a reader: the owner in names, the batch, and the cluster that the kubeconfig leads to.
func pieces(plan reconcile.Plan, owner string) []planPiece {
	text := func(s string) string { return s }
	if owner != "" {
		text = terminal.Ownerless(owner)
	}
	var all []planPiece
	for _, s := range plan.Steps {
		if owner != "" {
			s.Name, s.Held, s.Batch = text(s.Name), text(s.Held), 0
			if s.Detail != nil {
				detail := *s.Detail
				detail.Kubeconfig = nil
				s.Detail = &detail
			}
		}
		all = append(all, planPiece{Steps: []reconcile.Step{s}})
	}
	for _, n := range plan.Notes {
		n.Object, n.Message = text(n.Object), text(n.Message)
		all = append(all, planPiece{Notes: []reconcile.Note{n}})
	}
	for _, why := range plan.Forbidden {
		all = append(all, planPiece{Forbidden: []string{text(why)}})
	}
	for _, why := range plan.Guards {
		all = append(all, planPiece{Guards: []string{text(why)}})
	}
	return all
}

// sharedPlans splits plans by the clusters that have the same steps, notes and refusals. The part of a single cluster is as its plan has it.
func sharedPlans(all []terminal.InCluster[reconcile.Plan]) []sharedPlan {
	type both struct{ own, plain planPiece }
	lists := make([][]both, len(all))
	for i, in := range all {
		own := pieces(in.Value, "")
		for j, plain := range pieces(in.Value, in.Owner) {
			lists[i] = append(lists[i], both{own[j], plain})
		}
	}
	var parts []sharedPlan
	for _, s := range terminal.InCommon(lists, func(p both) string {
		text, err := json.Marshal(p.plain)
		if err != nil {
			panic(err) // strings, numbers and times only
		}
		return string(text)
	}) {
		part := sharedPlan{s.In, reconcile.Plan{Owner: terminal.AnyOwner}}
		if len(s.In) == 1 {
			part.plan.Owner = all[s.In[0]].Owner
		}
		for _, p := range s.Items {
			is := p.plain
			if len(s.In) == 1 {
				is = p.own
			}
			part.plan.Steps, part.plan.Notes = append(part.plan.Steps, is.Steps...), append(part.plan.Notes, is.Notes...)
			part.plan.Forbidden, part.plan.Guards = append(part.plan.Forbidden, is.Forbidden...), append(part.plan.Guards, is.Guards...)
		}
		parts = append(parts, part)
	}
	return parts
}
