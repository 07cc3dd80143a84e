package show

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/reconcile/preflight"
	"github.com/certsync/certsync/reconcile/revocation"
)

// Preflights shows the checks of several clusters: a table of the clusters, and the checks that are the same in several of them once,
// with where.
func Preflights(all []terminal.InCluster[preflight.Report], c terminal.Palette) []byte {
	type both struct{ own, plain preflight.Check }
	var b bytes.Buffer
	failures, rows, lists := 0, [][]string(nil), make([][]both, len(all))
	for i, in := range all {
		text := terminal.Ownerless(in.Owner)
		for _, check := range in.Value.Checks {
			plain := check
			plain.Detail, plain.Hint = text(check.Detail), text(check.Hint)
			lists[i] = append(lists[i], both{check, plain})
		}
		sum := preflightSummary(in.Value)
		if in.Problem != "" {
			sum = terminal.Clean(in.Problem)
		}
		if in.Problem != "" || !in.Value.OK() {
			failures++
			sum = terminal.Failed + " " + sum
		}
		rows = append(rows, []string{terminal.TextName(in.Cluster), in.OwnerText(), sum})
	}
	title, sum := fmt.Sprintf("Preflight for %s:", terminal.Plural(len(all), "cluster")), "no check failed"
	if failures > 0 {
		sum = fmt.Sprintf("checks failed in %d", failures)
	}
	fmt.Fprintf(&b, "%s %s\n", c.Bold(title), sum)
	terminal.WriteClusterTable(&b, c, []string{"CLUSTER", "OWNER", "CHECKS"}, rows)
	for _, part := range terminal.InCommon(lists, func(p both) string { return fmt.Sprintf("%q", p.plain) }) {
		terminal.WriteWhere(&b, c, all, part.In)
		var checks []preflight.Check
		for _, p := range part.Items {
			if len(part.In) > 1 {
				p.own = p.plain
			}
			checks = append(checks, p.own)
		}
		writeChecks(&b, c, checks)
	}
	return b.Bytes()
}

// RevocationsInClusters shows the revoked certificates of several clusters: a table of the clusters, then each that has some. A
// certificate is of one cluster alone.
func RevocationsInClusters(all []terminal.InCluster[revocation.Report], c terminal.Palette) []byte {
	var b bytes.Buffer
	title := fmt.Sprintf("Revoked certificates of %s:", terminal.Plural(len(all), "cluster"))
	b.WriteString(strings.Replace(terminal.Wrap("", title+" "+readSummary(all)), title, c.Bold(title), 1))
	var rows [][]string
	for _, in := range all {
		row := []string{terminal.TextName(in.Cluster), in.OwnerText(), "", terminal.Failed + " " + terminal.Clean(in.Problem)}
		if in.Problem == "" {
			row[2], row[3] = strconv.Itoa(len(in.Value.Certificates)), strings.ReplaceAll(string(in.Value.Tiers.Admission), "-", " ")
		}
		rows = append(rows, row)
	}
	terminal.WriteClusterTable(&b, c, []string{"CLUSTER", "OWNER", "NOT EXPIRED", "ADMISSION POLICY"}, rows)
	for i, in := range all {
		if len(in.Value.Certificates) > 0 {
			terminal.WriteWhere(&b, c, all, []int{i})
			b.Write(Revocations(in.Value, c))
		}
	}
	return b.Bytes()
}
