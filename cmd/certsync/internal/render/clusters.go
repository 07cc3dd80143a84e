package render

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// InCluster is what a command has found out about one of several clusters, or why it has not.
type InCluster[T any] struct {
	Cluster, Owner string
	Value          T
	Problem        string   // why there is no value, or ""
	Outstanding    []string // users whose removal waits
}

// ours is the owner in a table, which leaves it out where it is the cluster's name.
func (i InCluster[T]) ownerText() string {
	if i.Owner == i.Cluster {
		return ""
	}
	return textName(i.Owner)
}

// failed is how a table names a problem.
const failed = "failed:"

// shared holds items that the same clusters have.
type shared[T any] struct {
	in    []int // the clusters, by their places
	items []T   // as the first of the clusters has them
}

// inCommon groups the items of clusters by the clusters that have them: first what most have. Items with the same key are the same.
func inCommon[T any](all [][]T, key func(T) string) []shared[T] {
	var order []string
	items, in := map[string]T{}, map[string][]int{}
	for i, list := range all {
		seen := map[string]int{}
		for _, item := range list {
			k := key(item)
			seen[k]++
			k = fmt.Sprintf("%d %s", seen[k], k)
			if _, known := items[k]; !known {
				items[k], order = item, append(order, k)
			}
			in[k] = append(in[k], i)
		}
	}
	var groups []shared[T]
	for _, same := range groupBy(order, func(k string) string { return fmt.Sprint(in[k]) }) {
		g := shared[T]{in: in[same[0]]}
		for _, k := range same {
			g.items = append(g.items, items[k])
		}
		groups = append(groups, g)
	}
	slices.SortStableFunc(groups, func(a, b shared[T]) int { return cmp.Or(cmp.Compare(len(b.in), len(a.in)), slices.Compare(a.in, b.in)) })
	return groups
}

// manyClusters is how many clusters a heading names where all that could be read have the same.
const manyClusters = 10

// where names clusters. limit bounds how many it names; the rest is counted.
func where[T any](all []InCluster[T], in []int, limit int, quote quoter) string {
	read := 0
	for _, i := range all {
		if i.Problem == "" {
			read++
		}
	}
	if len(in) > manyClusters && len(in) == read {
		if read == len(all) {
			return fmt.Sprintf("all %d clusters", read)
		}
		return fmt.Sprintf("all %d clusters that could be read", read)
	}
	var names []string
	for _, i := range in[:min(len(in), limit)] {
		names = append(names, quote(all[i].Cluster))
	}
	text := strings.Join(names, ", ")
	if more := len(in) - len(names); more > 0 {
		text += " and " + withCommas(more) + " more"
	}
	return text
}

// writeWhere writes a heading above what clusters have in common.
func writeWhere[T any](b *bytes.Buffer, c Palette, all []InCluster[T], in []int) {
	heading := wrap("", "In "+where(all, in, len(in), textName)+":")
	for line := range strings.Lines(heading) {
		if line = strings.TrimSuffix(line, "\n"); b.Len() > 0 && strings.HasPrefix(line, "In ") {
			b.WriteByte('\n')
		}
		b.WriteString(c.bold(line) + "\n")
	}
}

// maxLead is how wide the columns before the last one may be. Otherwise the last one has lines of its own.
const maxLead = 46

// writeClusterTable writes a table whose last column is a sentence. A column that is empty in all rows is left out.
func writeClusterTable(b *bytes.Buffer, c Palette, titles []string, rows [][]string) {
	last := len(titles) - 1
	widths := make([]int, last)
	for i := range widths {
		for _, row := range rows {
			if n := utf8.RuneCountInString(row[i]); n > 0 {
				widths[i] = max(widths[i], n, utf8.RuneCountInString(titles[i]))
			}
		}
	}
	lead := func(row []string) string {
		text := ""
		for i, width := range widths {
			if width > 0 {
				text += padded(row[i], width+columnGap)
			}
		}
		return text
	}
	b.WriteByte('\n')
	head := strings.TrimRight(lead(titles)+titles[last], " ")
	b.WriteString(c.bold(head) + "\n")
	for _, row := range rows {
		text := lead(row)
		switch {
		case row[last] == "":
			text = strings.TrimRight(text, " ") + "\n"
		case utf8.RuneCountInString(text) > maxLead:
			text = strings.TrimRight(text, " ") + "\n" + wrap("    ", row[last])
		default:
			text = wrap(text, row[last])
		}
		b.WriteString(strings.Replace(text, failed, c.red(failed), 1))
	}
}

// ownerless returns a function that takes the owner out of the names of objects and of paths. So two clusters can say the same.
func ownerless(owner string) func(string) string {
	object := regexp.MustCompile(`certsync([:-])` + regexp.QuoteMeta(owner) + `([^a-z0-9]|$)`)
	path := regexp.MustCompile(`/` + regexp.QuoteMeta(owner) + `([^a-z0-9-]|$)`)
	return func(text string) string {
		if !strings.Contains(text, owner) {
			return text
		}
		return path.ReplaceAllString(object.ReplaceAllString(text, "certsync${1}"+anyOwner+"${2}"), "/"+anyOwner+"${1}")
	}
}

// anyOwner stands for the owner in what several clusters have in common.
const anyOwner = "<owner>"
