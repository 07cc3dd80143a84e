package terminal

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

// OwnerText is the owner in a table, which leaves it out where it is the cluster's name.
func (i InCluster[T]) OwnerText() string {
	if i.Owner == i.Cluster {
		return ""
	}
	return TextName(i.Owner)
}

// Failed is how a table names a problem.
const Failed = "failed:"

// Shared holds items that the same clusters have.
type Shared[T any] struct {
	In    []int // the clusters, by their places
	Items []T   // as the first of the clusters has them
}

// InCommon groups the items of clusters by the clusters that have them: first what most have. Items with the same key are the same.
func InCommon[T any](all [][]T, key func(T) string) []Shared[T] {
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
	var groups []Shared[T]
	for _, same := range GroupBy(order, func(k string) string { return fmt.Sprint(in[k]) }) {
		g := Shared[T]{In: in[same[0]]}
		for _, k := range same {
			g.Items = append(g.Items, items[k])
		}
		groups = append(groups, g)
	}
	slices.SortStableFunc(groups, func(a, b Shared[T]) int { return cmp.Or(cmp.Compare(len(b.In), len(a.In)), slices.Compare(a.In, b.In)) })
	return groups
}

// manyClusters is how many clusters a heading names where all that could be read have the same.
const manyClusters = 10

// Where names clusters. limit bounds how many it names; the rest is counted.
func Where[T any](all []InCluster[T], in []int, limit int, quote Quoter) string {
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
		text += " and " + WithCommas(more) + " more"
	}
	return text
}

// WriteWhere writes a heading above what clusters have in common.
func WriteWhere[T any](b *bytes.Buffer, c Palette, all []InCluster[T], in []int) {
	heading := Wrap("", "In "+Where(all, in, len(in), TextName)+":")
	for line := range strings.Lines(heading) {
		if line = strings.TrimSuffix(line, "\n"); b.Len() > 0 && strings.HasPrefix(line, "In ") {
			b.WriteByte('\n')
		}
		b.WriteString(c.Bold(line) + "\n")
	}
}

// maxLead is how wide the columns before the last one may be. Otherwise the last one has lines of its own.
const maxLead = 46

// WriteClusterTable writes a table whose last column is a sentence. A column that is empty in all rows is left out.
func WriteClusterTable(b *bytes.Buffer, c Palette, titles []string, rows [][]string) {
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
				text += Padded(row[i], width+ColumnGap)
			}
		}
		return text
	}
	b.WriteByte('\n')
	head := strings.TrimRight(lead(titles)+titles[last], " ")
	b.WriteString(c.Bold(head) + "\n")
	for _, row := range rows {
		text := lead(row)
		switch {
		case row[last] == "":
			text = strings.TrimRight(text, " ") + "\n"
		case utf8.RuneCountInString(text) > maxLead:
			text = strings.TrimRight(text, " ") + "\n" + Wrap("    ", row[last])
		default:
			text = Wrap(text, row[last])
		}
		b.WriteString(strings.Replace(text, Failed, c.Red(Failed), 1))
	}
}

// Ownerless returns a function that takes the owner out of the names of objects and of paths. So two clusters can say the same.
func Ownerless(owner string) func(string) string {
	object := regexp.MustCompile(`certsync([:-])` + regexp.QuoteMeta(owner) + `([^a-z0-9]|$)`)
	path := regexp.MustCompile(`/` + regexp.QuoteMeta(owner) + `([^a-z0-9-]|$)`)
	return func(text string) string {
		if !strings.Contains(text, owner) {
			return text
		}
		return path.ReplaceAllString(object.ReplaceAllString(text, "certsync${1}"+AnyOwner+"${2}"), "/"+AnyOwner+"${1}")
	}
}

// AnyOwner stands for the owner in what several clusters have in common.
const AnyOwner = "<owner>"
