package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// clustersMarker is the first line of a comment about several clusters. No owner has a blank in its name.
const clustersMarker = "<!-- certsync plan: several clusters -->\n"

// clusterTableLimit is how many characters the whole table of clusters has at most. A longer one is written briefly, and 256 clusters
// still leave half of the comment.
const clusterTableLimit = 16000

// maxProblem is how many bytes of a problem the table of clusters shows.
const maxProblem = 200

// PlansMarkdown shows the plans of several clusters in one comment, as PlanMarkdown shows one. The table of clusters is always whole.
// The part that several clusters have in common stands there once, with where.
func PlansMarkdown(all []terminal.InCluster[reconcile.Plan], digest string) []byte {
	top := fmt.Sprintf("%s**certsync plan for %s**: %s\n%s", clustersMarker, terminal.Plural(len(all), "cluster"), plansSummary(all), clustersMarkdown(all))
	end := plansDigestMarkdown(all, digest)
	b := budget{room: commentLimit - length(top) - length(end) - length(omittedText(1<<60, 1<<60))}
	kinds, lines := [][]ranked{withRank(0, problemItems(all))}, []string(nil)
	var more []details
	for _, part := range sharedPlans(all) {
		in := func(quote terminal.Quoter) string { return terminal.Where(all, part.in, namesPerRow, quote) }
		for i, items := range attentionKinds(part.plan, nil) {
			if len(kinds) < i+2 {
				kinds = append(kinds, nil)
			}
			for _, item := range items {
				kinds[i+1] = append(kinds[i+1], ranked{item.rank, located(in(code), item.text)})
			}
		}
		lines = append(lines, clusterRows(in(cell), rows(part.plan, cell))...)
		for i, d := range allDetails(part.plan) {
			if len(more) < i+1 {
				more = append(more, details{title: d.title})
			}
			for _, item := range d.items {
				more[i].items = append(more[i].items, located(in(code), item))
			}
		}
	}
	first := b.attention(append(kinds, withRank(0, kubeconfigItemsOf(all))))
	table := b.lines("\n| where | who | what | why |\n|:--|:--|:--|:--|\n", lines, func(n int) string { return "| | | " + moreRows(n) + " | |\n" })
	text := ""
	for _, d := range slices.Insert(more, max(0, len(more)-1), kubeconfigDetails(all)) { // before all steps, which can be many
		text += b.details(d)
	}
	return []byte(top + omittedText(b.rowsOmitted, b.itemsOmitted) + first + table + end + text)
}

// clustersMarkdown is the table of clusters.
func clustersMarkdown(all []terminal.InCluster[reconcile.Plan]) string {
	table := "\n| cluster | owner | changes | removed | digest |\n|:--|:--|:--|:--|:--|\n"
	for _, in := range all {
		owner := ""
		if in.Owner != in.Cluster {
			owner = cell(in.Owner)
		}
		if in.Problem != "" {
			table += fmt.Sprintf("| %s | %s | **failed**: %s | | |\n", cell(in.Cluster), owner, cell(inventory.Shorten(in.Problem, maxProblem)))
			continue
		}
		digest := shortDigest(in.Value)
		if digest != "" {
			digest = "`" + digest + "`"
		}
		table += fmt.Sprintf("| %s | %s | %s | %s | %s |\n", cell(in.Cluster), owner, planText(in.Value), removedText(in.Value), digest)
	}
	if length(table) <= clusterTableLimit {
		return table
	}
	table = "\n| cluster | steps | removed |\n|:--|:--|:--|\n"
	for _, in := range all {
		steps := terminal.WithCommas(len(in.Value.Steps))
		switch {
		case in.Problem != "":
			steps = "**failed**"
		case len(in.Value.Refusals()) > 0:
			steps += ", refused"
		}
		table += fmt.Sprintf("| %s | %s | %s |\n", cell(in.Cluster), steps, removedText(in.Value))
	}
	return table
}

// problemItems returns the clusters of which there is no plan.
func problemItems(all []terminal.InCluster[reconcile.Plan]) []string {
	var items []string
	for _, in := range all {
		if in.Problem != "" {
			items = append(items, "**Failed**: "+code(in.Cluster)+": "+prose(in.Problem))
		}
	}
	return items
}

// located says of an item in which clusters it is.
func located(where, item string) string { return "In " + where + ": " + item }

// clusterRows writes rows of the table, with where in the first of them.
func clusterRows(where string, rows []row) []string {
	var lines []string
	for _, r := range rows {
		lines = append(lines, "| "+where+" "+r.String())
		where = ""
	}
	return lines
}

// attention lists items by kind, as the function attention does. The kinds share the room, and each has at most its own. The most
// serious items of a kind come first, whichever cluster they are in, so that many others do not push them out.
func (b *budget) attention(kinds [][]ranked) string {
	var text strings.Builder
	b.room -= length(attentionHead) + len(kinds)*length(moreItems(1<<60))
	share := min(maxItemsLength, b.room/len(kinds))
	for _, items := range kinds {
		room := share
		sortRanked(items)
		for i, item := range items {
			line := "- " + item.text + "\n"
			n := length(line)
			if i == maxItems || i > 0 && n > room || n > b.room {
				text.WriteString(moreItems(len(items) - i))
				break
			}
			room, b.room = room-n, b.room-n
			text.WriteString(line)
		}
	}
	if text.Len() == 0 {
		return ""
	}
	return attentionHead + text.String()
}

// plansDigestMarkdown shows the digest of all plans, and the command that applies exactly these plans.
func plansDigestMarkdown(all []terminal.InCluster[reconcile.Plan], digest string) string {
	if !anyChanges(all) {
		return ""
	}
	text := fmt.Sprintf("\n**Digest**: `%s`\n\n```sh\ncertsync apply --expect %s\n```\n", digest, digest)
	if slices.ContainsFunc(all, func(in terminal.InCluster[reconcile.Plan]) bool { return len(in.Value.Refusals()) > 0 }) {
		text += "\napply refuses the clusters with refused or held items above, until you settle those.\n"
	}
	return text
}

// kubeconfigItemsOf returns the items of kubeconfigItems for each cluster.
func kubeconfigItemsOf(all []terminal.InCluster[reconcile.Plan]) []string {
	var items []string
	for _, in := range all {
		for _, item := range kubeconfigItems(in.Value) {
			items = append(items, located(code(in.Cluster), item))
		}
	}
	return items
}

// kubeconfigDetails says where new kubeconfigs lead, once for each cluster. The steps that clusters have in common do not say it.
func kubeconfigDetails(all []terminal.InCluster[reconcile.Plan]) details {
	d := details{title: "New kubeconfigs"}
	for _, in := range all {
		seen := map[string]bool{}
		for _, s := range in.Value.Steps {
			if s.Detail == nil || s.Detail.Kubeconfig == nil {
				continue
			}
			item := located(code(in.Cluster), kubeconfigText(*s.Detail.Kubeconfig))
			if !seen[item] {
				seen[item] = true
				d.items = append(d.items, item)
			}
		}
	}
	return d
}
