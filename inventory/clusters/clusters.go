// Package clusters selects clusters of an inventory that has several, by their names and labels.
package clusters

import (
	"maps"
	"math/bits"
	"slices"
	"strings"

	"github.com/certsync/certsync/inventory/strict"
)

// Max is how many clusters an inventory can have. It bounds the work of finding out for which clusters something is.
const Max = 256

// NameKey asks for a cluster by its name, where a selector otherwise has the key of a label.
const NameKey = "name"

// Selector selects clusters: by key, which is NameKey or that of a label, the values of which a cluster has one.
type Selector map[string][]string

// Encode writes the selector as an inventory has it. A key with one value has no list.
func (s Selector) Encode() *strict.Element {
	m := strict.Mapping().InLine()
	for _, key := range slices.Sorted(maps.Keys(s)) {
		values := strict.Texts(s[key])
		if len(values) == 1 {
			m.Add(key, values[0])
			continue
		}
		m.Add(key, strict.Row(values).InLine())
	}
	return m
}

// Set has a bit for each cluster of a file, in the order of the file.
type Set [Max / 64]uint64

// Add puts a cluster into the set, by its place in the file.
func (s *Set) Add(i int) { s[i/64] |= 1 << (i % 64) }

// Has reports whether a cluster is in the set.
func (s Set) Has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }

// Empty reports whether no cluster is in the set.
func (s Set) Empty() bool { return s == Set{} }

// Size is how many clusters are in the set.
func (s Set) Size() (n int) {
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

// And returns what both sets have.
func (s Set) And(o Set) Set {
	for i := range s {
		s[i] &= o[i]
	}
	return s
}

// Or returns what any of the sets has.
func (s Set) Or(o Set) Set {
	for i := range s {
		s[i] |= o[i]
	}
	return s
}

// Index finds the clusters of an inventory by their names and labels.
type Index struct {
	All Set
	by  map[string]map[string]Set // the clusters with a value, by key and value
}

// Add adds the cluster with a place in the file.
func (x *Index) Add(i int, name string, labels map[string]string) {
	x.All.Add(i)
	x.add(i, NameKey, name)
	for key, value := range labels {
		x.add(i, key, value)
	}
}

func (x *Index) add(i int, key, value string) {
	if x.by == nil {
		x.by = map[string]map[string]Set{}
	}
	if x.by[key] == nil {
		x.by[key] = map[string]Set{}
	}
	set := x.by[key][value]
	set.Add(i)
	x.by[key][value] = set
}

// Select decodes a selector, and returns the clusters of within that it selects. Where there is a problem these are all.
func (x *Index) Select(field strict.Value, within Set) (*Selector, Set) {
	entries, ok := field.Entries()
	if !ok || x.All.Empty() { // without clusters, there is a problem already
		return nil, within
	}
	if len(entries) == 0 {
		field.Problem("is empty: write labels or a name, such as {env: prod}, or leave it out for all clusters")
		return nil, within
	}
	asked, set, faults := Selector{}, x.All, false
	for _, e := range entries {
		values, any, ok := x.values(e)
		faults = faults || !ok
		asked[e.Name], set = values, set.And(any)
	}
	switch {
	case faults:
		return &asked, within
	case set.Empty():
		field.Problem("no cluster has all of this at once")
		return &asked, within
	case set.And(within).Empty():
		field.Problem("selects no cluster among those of the user or group that it belongs to")
		return &asked, within
	}
	return &asked, set.And(within)
}

// values returns the values under one key of a selector, and the clusters that have one of them.
func (x *Index) values(e strict.Entry) (values []string, any Set, ok bool) {
	known := x.by[e.Name]
	if known == nil {
		e.Key.Problem("no cluster has the label %s%s", strict.Quote(e.Name), nearest(e.Key, e.Name, x.by))
		return nil, any, false
	}
	items := []strict.Value{e.Value}
	if e.Value.IsList() {
		switch items = e.Value.Items(); {
		case items == nil:
			return nil, any, false
		case len(items) == 0:
			e.Value.Problem("is empty: write at least one value")
			return nil, any, false
		case len(items) > Max:
			e.Value.Problem("has %d values, and there can be %d clusters", len(items), Max)
			return nil, any, false
		}
	}
	ok = true
	for _, item := range items {
		value, good := item.Text()
		if !good {
			ok = false
			continue
		}
		set, found := known[value]
		if !found {
			what := "label " + e.Name + " with the value "
			if e.Name == NameKey {
				what = "the name "
			}
			item.Problem("no cluster has %s%s%s", what, strict.Quote(value), nearest(item, value, known))
			ok = false
		}
		if slices.Contains(values, value) {
			item.Problem("value %s is given twice", strict.Quote(value))
			ok = false
		}
		values, any = append(values, value), any.Or(set)
	}
	return values, any, ok
}

// maxOffered is how many keys a problem lists.
const maxOffered = 8

// nearest suggests one of the keys, or lists them if they are few. It sorts them only where somebody reads the problem.
func nearest[T any](v strict.Value, got string, known map[string]T) string {
	if v.Silent() {
		return ""
	}
	all := slices.Sorted(maps.Keys(known))
	hint := v.DidYouMean(got, all)
	if hint == "" && len(all) <= maxOffered {
		hint = ": there are " + strings.Join(all, ", ")
		if len(all) == 1 {
			hint = ": there is " + all[0]
		}
	}
	return hint
}
