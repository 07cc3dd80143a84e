package inventory

import (
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/certsync/certsync/inventory/selector"
	"github.com/certsync/certsync/inventory/strict"
)

// The bounds of an inventory for several clusters. Each cluster's part of it stands in memory.
const (
	maxClusters = 256
	maxParts    = 1_000_000 // users, groups and roles, each counted once for each cluster that has it
)

// maxLabelKeys is how many keys a selector can have: those of all labels, and name.
const maxLabelKeys = maxClusters*selector.MaxRequirements + 1

// clusterSet has a bit for each cluster of a file, in the order of the file.
type clusterSet [maxClusters / 64]uint64

func (s *clusterSet) add(i int)     { s[i/64] |= 1 << (i % 64) }
func (s clusterSet) has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }
func (s clusterSet) empty() bool    { return s == clusterSet{} }
func (s clusterSet) size() (n int) {
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

func (s clusterSet) and(o clusterSet) clusterSet {
	for i := range s {
		s[i] &= o[i]
	}
	return s
}

func (s clusterSet) or(o clusterSet) clusterSet {
	for i := range s {
		s[i] |= o[i]
	}
	return s
}

// fleet is what the parser knows of the clusters of a file.
type fleet struct {
	members  []Member
	defaults Defaults // of the file
	named    bool     // the file has clusters, and selectors may ask for them
	all      clusterSet
	// groups has the clusters in which there is a group, by its name.
	groups map[string]clusterSet
	// by has the clusters with a value, by key. The key nameKey has those with a name.
	by    map[string]map[string]clusterSet
	parts int // see maxParts
}

// alone is the fleet of a file for one cluster.
func alone(m Member) *fleet {
	f := &fleet{members: []Member{m}, groups: map[string]clusterSet{}}
	f.all.add(0)
	return f
}

// clusters decodes the clusters of a file whose defaults are known.
func (r *run) clusters(v strict.Value, defaults Defaults) *fleet {
	f := &fleet{named: true, groups: map[string]clusterSet{}, by: map[string]map[string]clusterSet{nameKey: {}}}
	names, owners, contexts := strict.NewRoll("cluster"), strict.NewRoll("owner"), strict.NewRoll("context")
	items := v.Items()
	switch {
	case items != nil && len(items) == 0:
		v.Problem("is empty: name at least one cluster")
	case len(items) > maxClusters:
		v.Problem("has %d clusters, and can have %d: use several inventories", len(items), maxClusters)
		items = items[:maxClusters]
	}
	for _, item := range items {
		m, ok := r.member(item, defaults, names, owners, contexts)
		if !ok {
			continue
		}
		i := len(f.members)
		f.members = append(f.members, m)
		f.all.add(i)
		f.index(nameKey, m.Name, i)
		for key, value := range m.Labels {
			f.index(key, value, i)
		}
	}
	return f
}

// count counts something that is for some clusters, and notes once that there is too much.
func (f *fleet) count(v strict.Value, within clusterSet) {
	before := f.parts
	if f.parts += within.size(); before <= maxParts && f.parts > maxParts {
		v.Problem("is one too many: there can be %d users, groups and roles, each counted once for each of its clusters: use several inventories", maxParts)
	}
}

func (f *fleet) index(key, value string, i int) {
	if f.by[key] == nil {
		f.by[key] = map[string]clusterSet{}
	}
	set := f.by[key][value]
	set.add(i)
	f.by[key][value] = set
}

// member decodes one of the clusters.
func (r *run) member(v strict.Value, defaults Defaults, names, owners, contexts *strict.Roll) (Member, bool) {
	fields, ok := v.Fields(memberKeys...)
	if !ok {
		return Member{}, false
	}
	m := Member{Owner: parseOwner(v, fields), Cluster: r.clusterOf(fields), Defaults: defaults}
	m.Name = m.Cluster.Name
	name, named := fields["name"]
	if !named {
		v.Missing("name", "it is the name of the cluster in kubeconfigs")
	}
	isNew := m.Name != "" && names.Declare(name, m.Name)
	if field, ok := fields["owner"]; ok && m.Owner != "" {
		owners.Declare(field, m.Owner)
	}
	// Two clusters with one context would be two owners on one of them, and none on the other.
	if field, ok := fields["context"]; !ok && isNew {
		contexts.Declare(name, m.Name)
	} else if ok {
		if m.Context = field.Checked(contextFault); m.Context != "" {
			contexts.Declare(field, m.Context)
		}
	}
	if field, ok := fields["labels"]; ok {
		m.Labels = clusterLabels(field)
	}
	if field, ok := fields["defaults"]; ok {
		m.Defaults = parseDefaults(field, defaults)
	}
	return m, true
}

// contextFault says what is wrong with the name of a context, or nothing. A kubeconfig may hold any text.
func contextFault(s string) string {
	if strings.TrimSpace(s) == "" || len(s) > maxClusterName || !printed(s) {
		return fmt.Sprintf("%s is not a usable name of a context: use printed characters, and at most %d", strict.Quote(s), maxClusterName)
	}
	return ""
}

func clusterLabels(v strict.Value) map[string]string {
	entries, _ := v.Entries()
	if len(entries) > selector.MaxRequirements {
		v.Problem("there are %d labels, and a cluster can have %d", len(entries), selector.MaxRequirements)
		return nil
	}
	var labels map[string]string
	for _, e := range entries {
		if fault := selector.KeyFault(e.Name); fault != "" {
			e.Key.Problem("%s", fault)
			continue
		}
		if e.Name == nameKey {
			e.Key.Problem("a selector finds a cluster's name under this key: use another key for the label")
			continue
		}
		if value, ok := selector.Value(e.Value); ok {
			if labels == nil {
				labels = map[string]string{}
			}
			labels[e.Name] = value
		}
	}
	return labels
}

// selected returns the selector in the field clusters, and the clusters of within that it selects. Without the field these are all.
func (f *fleet) selected(fields map[string]strict.Value, within clusterSet) (*Clusters, clusterSet) {
	field, ok := fields["clusters"]
	if !ok {
		return nil, within
	}
	if !f.named {
		field.Problem("belongs to an inventory for several clusters: list them under clusters, in place of owner and cluster")
		return nil, within
	}
	entries, ok := field.Entries()
	if !ok || len(f.members) == 0 { // without clusters, there is a problem already
		return nil, within
	}
	if len(entries) == 0 {
		field.Problem("is empty: write labels or a name, such as {env: prod}, or leave it out for all clusters")
		return nil, within
	}
	asked, set, faults := Clusters{}, f.all, false
	for _, e := range entries {
		values, any, ok := f.values(e)
		faults = faults || !ok
		asked[e.Name], set = values, set.and(any)
	}
	switch {
	case faults:
		return &asked, within
	case set.empty():
		field.Problem("no cluster has all of this at once")
		return &asked, within
	case set.and(within).empty():
		field.Problem("selects no cluster among those of the user or group that it belongs to")
		return &asked, within
	}
	return &asked, set.and(within)
}

// values returns the values under one key of a selector, and the clusters that have one of them.
func (f *fleet) values(e strict.Entry) (values []string, any clusterSet, ok bool) {
	known := f.by[e.Name]
	if known == nil {
		e.Key.Problem("no cluster has the label %s%s", strict.Quote(e.Name), nearest(e.Key, e.Name, f.by))
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
		case len(items) > maxClusters:
			e.Value.Problem("has %d values, and there can be %d clusters", len(items), maxClusters)
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
			if e.Name == nameKey {
				what = "the name "
			}
			item.Problem("no cluster has %s%s%s", what, strict.Quote(value), nearest(item, value, known))
			ok = false
		}
		if slices.Contains(values, value) {
			item.Problem("value %s is given twice", strict.Quote(value))
			ok = false
		}
		values, any = append(values, value), any.or(set)
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

// checkRenewal checks an expiration against the renewals of the clusters that it is for.
func (s scope) checkRenewal(v strict.Value, expiration time.Duration) {
	for i, m := range s.members {
		if s.within.has(i) && m.Defaults.RenewBefore.tooLong(expiration) {
			checkRenewal(v, m.Defaults.RenewBefore, expiration, m.Name)
			return
		}
	}
}

// carried returns the groups that a user's certificate carries in a cluster. Groups are the user's, sorted, each once.
func (s scope) carried(groups []string, i int) []string {
	if s.members[i].Defaults.WithoutGroups {
		return nil
	}
	return kept(groups, func(name string) bool { return s.groups[name].has(i) })
}

// shorten checks a team's longest expiration against the renewals of the clusters whose default is longer.
func (f *fleet) shorten(v strict.Value, longest time.Duration) {
	s := scope{fleet: f}
	for i, m := range f.members {
		if longest < m.Defaults.Expiration {
			s.within.add(i)
		}
	}
	s.checkRenewal(v, longest)
}
