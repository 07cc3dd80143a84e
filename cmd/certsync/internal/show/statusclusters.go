package show

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/reconcile/status"
)

// Statuses shows the users of several clusters: a table of the clusters, and the rows that are the same in several of them once, with
// where.
func Statuses(all []terminal.InCluster[status.Report], c terminal.Palette, wide bool) []byte {
	var b bytes.Buffer
	title := fmt.Sprintf("Users of %s:", terminal.Plural(len(all), "cluster"))
	b.WriteString(strings.Replace(terminal.Wrap("", title+" "+readSummary(all)), title, c.Bold(title), 1))
	writeStatusTable(&b, c, all)
	lists := make([][]status.User, len(all))
	var everybody []status.User
	for i, in := range all {
		lists[i] = in.Value.Users
		everybody = append(everybody, lists[i]...)
	}
	for _, part := range terminal.InCommon(lists, func(u status.User) string {
		row := newRow(false, u, wide)
		row.stateText = nil
		return fmt.Sprintf("%#v", row)
	}) {
		terminal.WriteWhere(&b, c, all, part.In)
		writeStaysAndGoes(&b, c, part.Items, wide)
	}
	writeEverybody(&b, c, all)
	if len(everybody) > 0 {
		b.WriteString("\n" + legend(everybody, wide))
		b.WriteString("certsync status --cluster NAME --user NAME shows everything about one user.\n")
	}
	return b.Bytes()
}

// readSummary counts the clusters that could be read, and those that could not.
func readSummary[T any](all []terminal.InCluster[T]) string {
	failures := 0
	for _, in := range all {
		if in.Problem != "" {
			failures++
		}
	}
	switch {
	case failures == 0:
		return "all could be read"
	case failures == len(all):
		return "none could be read"
	}
	return fmt.Sprintf("%d could be read, %d failed", len(all)-failures, failures)
}

func writeStatusTable(b *bytes.Buffer, c terminal.Palette, all []terminal.InCluster[status.Report]) {
	var rows [][]string
	for _, in := range all {
		row := []string{terminal.TextName(in.Cluster), in.OwnerText(), "", "", "", outstandingText(in.Outstanding)}
		if in.Problem != "" {
			row[5] = failureText(in)
			rows = append(rows, row)
			continue
		}
		counts := [3]int{}
		for _, u := range in.Value.Users {
			switch {
			case u.State == status.HasAccess:
				counts[0]++
			case isGone(u):
				counts[1]++
			}
			if u.State == status.InConflict || u.State == status.StandsDenied || len(wrongOf(u)) > 0 {
				counts[2]++
			}
		}
		for i, n := range counts {
			row[i+2] = strconv.Itoa(n)
		}
		rows = append(rows, row)
	}
	terminal.WriteClusterTable(b, c, []string{"CLUSTER", "OWNER", "ACTIVE", "LEFT", "PROBLEMS", "REMOVALS OUTSTANDING"}, rows)
}

// failureText says why a cluster has no report, and whose removal waits there.
func failureText(in terminal.InCluster[status.Report]) string {
	text := terminal.Failed + " " + terminal.Clean(in.Problem)
	if waits := outstandingText(in.Outstanding); waits != "" {
		text += "; " + waits
	}
	return text
}

// outstandingText names the users whose removal waits.
func outstandingText(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("%s outstanding: %s", terminal.Plural(len(names), "removal"), terminal.NameList(names, terminal.MaxListed))
}

// writeEverybody warns of access that others give to everybody, once for the clusters that have it.
func writeEverybody(b *bytes.Buffer, c terminal.Palette, all []terminal.InCluster[status.Report]) {
	lists := make([][]string, len(all))
	for i, in := range all {
		if text := everybodyText(in.Value, c); text != "" {
			lists[i] = []string{text}
		}
	}
	for _, part := range terminal.InCommon(lists, func(text string) string { return text }) {
		terminal.WriteWhere(b, c, all, part.In)
		b.WriteString(strings.Join(part.Items, ""))
	}
}

// UsersInClusters shows everything in the reports about each of their users, by cluster.
func UsersInClusters(all []terminal.InCluster[status.Report], c terminal.Palette) []byte {
	var b bytes.Buffer
	for i, in := range all {
		if len(in.Value.Users) > 0 {
			terminal.WriteWhere(&b, c, all, []int{i})
			b.Write(Users(in.Value, c))
		}
	}
	for i, in := range all {
		if in.Problem != "" {
			terminal.WriteWhere(&b, c, all, []int{i})
			b.WriteString(strings.Replace(terminal.Wrap("  ", failureText(in)), terminal.Failed, c.Red(terminal.Failed), 1))
		}
	}
	return b.Bytes()
}

func isGone(u status.User) bool {
	return slices.Contains([]status.Standing{status.HasLapsed, status.IsLeaving, status.HasLeft}, u.State)
}
