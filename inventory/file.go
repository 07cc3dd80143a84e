package inventory

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/certsync/certsync/inventory/clusters"
	"github.com/certsync/certsync/inventory/strict"
)

// File is a parsed inventory file: the inventory of one cluster, or one for each of several.
type File struct {
	// Members are the clusters, in the order of the file. A file with cluster in place of clusters has one without a name.
	Members []Member
	// Fleet says that the file has clusters.
	Fleet bool

	defaults      Defaults                 // of the file, where it has clusters
	groups        []Group                  // with the selectors of clusters, as the users
	users         []User                   // Expiration is 0 where the file says nothing
	maxExpiration map[string]time.Duration // by team, where it has one
}

// Member is one of the clusters of a File, an owner of its own.
type Member struct {
	Name     string // empty in a file without clusters
	Owner    string
	Labels   map[string]string
	Context  string // in a kubeconfig; empty: none is stated
	Cluster  Cluster
	Defaults Defaults // with those of the file
}

// Clusters selects clusters: by key, which is name or that of a label, the values of which a cluster has one.
type Clusters = clusters.Selector

// Matches reports whether a selector selects a cluster. Nil selects all.
func (m Member) Matches(s *Clusters) bool {
	if s == nil {
		return true
	}
	for key, values := range *s {
		if has, ok := m.label(key); !ok || !slices.Contains(values, has) {
			return false
		}
	}
	return true
}

// label is the value that a selector compares.
func (m Member) label(key string) (string, bool) {
	if key == clusters.NameKey {
		return m.Name, true
	}
	value, ok := m.Labels[key]
	return value, ok
}

// Member returns the cluster with a name.
func (f *File) Member(name string) (Member, bool) {
	i := slices.IndexFunc(f.Members, func(m Member) bool { return m.Name == name })
	if i < 0 {
		return Member{}, false
	}
	return f.Members[i], true
}

// Select returns the clusters that any of the texts asks for, in the order of the file: a name, or label=value. No text asks for
// all clusters. A text that asks for no cluster is an error.
func (f *File) Select(texts []string) ([]Member, error) {
	if len(texts) == 0 {
		return f.Members, nil
	}
	if !f.Fleet {
		return nil, fmt.Errorf("the inventory is for one cluster: only an inventory with clusters lets you choose (%s)", strings.Join(texts, ", "))
	}
	chosen := map[string]bool{}
	for _, text := range texts {
		asked := Clusters{clusters.NameKey: {text}}
		if key, value, ok := strings.Cut(text, "="); ok {
			asked = Clusters{key: {value}}
		}
		found := false
		for _, m := range f.Members {
			if m.Matches(&asked) {
				chosen[m.Name], found = true, true
			}
		}
		if !found {
			return nil, fmt.Errorf("no cluster of the inventory is %q%s", text, strict.DidYouMean(text, f.answers()))
		}
	}
	return slices.DeleteFunc(slices.Clone(f.Members), func(m Member) bool { return !chosen[m.Name] }), nil
}

// answers are the texts with which Select finds a cluster.
func (f *File) answers() []string {
	all := map[string]bool{}
	for _, m := range f.Members {
		all[m.Name] = true
		for key, value := range m.Labels {
			all[key+"="+value] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// Only returns the inventory of a file for one cluster.
func (f *File) Only() (*Inventory, error) {
	if len(f.Members) > 1 {
		return nil, fmt.Errorf("the inventory has %d clusters, and one is expected", len(f.Members))
	}
	return f.Effective(f.Members[0]), nil
}

// Effective returns the inventory of one cluster: everything that is for it, without the selectors of clusters.
func (f *File) Effective(m Member) *Inventory {
	inv := &Inventory{Owner: m.Owner, Cluster: m.Cluster, Defaults: m.Defaults}
	here := map[string]bool{}
	for _, g := range f.groups {
		if !m.Matches(g.Clusters) {
			continue
		}
		here[g.Name], g.Clusters = true, nil
		g.ClusterRoles, g.Namespaces, g.ByLabel = m.grants(g.ClusterRoles), m.namespaces(g.Namespaces), m.selections(g.ByLabel)
		inv.Groups = append(inv.Groups, g)
	}
	for _, u := range f.users {
		if !m.Matches(u.Clusters) {
			continue
		}
		u.Clusters, u.Groups = nil, kept(u.Groups, func(name string) bool { return here[name] })
		u.ClusterRoles, u.Namespaces, u.ByLabel = m.grants(u.ClusterRoles), m.namespaces(u.Namespaces), m.selections(u.ByLabel)
		u.Expiration = cmp.Or(u.Expiration, shortest(m.Defaults.Expiration, f.maxExpiration[u.Team]))
		if m.Defaults.RevokedBefore.After(u.RevokedBefore) {
			u.RevokedBefore = m.Defaults.RevokedBefore
		}
		inv.Users = append(inv.Users, u)
	}
	return inv
}

// shortest is a default expiration under a team's maximum; 0: it has none.
func shortest(expiration, maximum time.Duration) time.Duration {
	if maximum > 0 {
		return min(expiration, maximum)
	}
	return expiration
}

// grants are those in a list that are for a cluster.
func (m Member) grants(all []Grant) []Grant {
	here := kept(all, func(g Grant) bool { return m.Matches(g.Clusters) })
	for i := range here {
		here[i].Clusters = nil
	}
	return here
}

func (m Member) namespaces(all map[string][]Grant) map[string][]Grant {
	var here map[string][]Grant
	for name, grants := range all {
		grants = m.grants(grants)
		if len(grants) == 0 {
			continue
		}
		if here == nil {
			here = map[string][]Grant{}
		}
		here[name] = grants
	}
	return here
}

func (m Member) selections(all []Selection) []Selection {
	var here []Selection
	for _, s := range all {
		if s.Grants = m.grants(s.Grants); len(s.Grants) > 0 {
			here = append(here, s)
		}
	}
	return here
}

// kept returns the elements of a list for which keep is true, in a list of its own; nil if there are none.
func kept[T any](all []T, keep func(T) bool) []T {
	var out []T
	for _, v := range all {
		if keep(v) {
			out = append(out, v)
		}
	}
	return out
}
