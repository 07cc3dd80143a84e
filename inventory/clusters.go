package inventory

import (
	"time"

	"github.com/certsync/certsync/inventory/clusters"
	"github.com/certsync/certsync/inventory/selector"
	"github.com/certsync/certsync/inventory/shape"
	"github.com/certsync/certsync/inventory/strict"
	"github.com/certsync/certsync/inventory/texts"
)

// maxParts bounds the users, groups and roles, each counted once for each cluster that has it. All of them stand in memory.
const maxParts = 1_000_000

// fleet is what the parser knows of the clusters of a file.
type fleet struct {
	clusters.Index
	members  []Member
	defaults Defaults // of the file
	named    bool     // the file has clusters, and selectors may ask for them
	// groups has the clusters in which there is a group, by its name.
	groups map[string]clusters.Set
	parts  int // see maxParts
}

// alone is the fleet of a file for one cluster.
func alone(m Member) *fleet {
	f := &fleet{members: []Member{m}, groups: map[string]clusters.Set{}}
	f.All.Add(0)
	return f
}

// clusters decodes the clusters of a file whose defaults are known.
func (r *run) clusters(v strict.Value, defaults Defaults) *fleet {
	f := &fleet{named: true, groups: map[string]clusters.Set{}}
	names, owners, contexts := strict.NewRoll("cluster"), strict.NewRoll("owner"), strict.NewRoll("context")
	items := v.Items()
	switch {
	case items != nil && len(items) == 0:
		v.Problem("is empty: name at least one cluster")
	case len(items) > clusters.Max:
		v.Problem("has %d clusters, and can have %d: use several inventories", len(items), clusters.Max)
		items = items[:clusters.Max]
	}
	for _, item := range items {
		m, ok := r.member(item, defaults, names, owners, contexts)
		if !ok {
			continue
		}
		i := len(f.members)
		f.members = append(f.members, m)
		f.Add(i, m.Name, m.Labels)
	}
	return f
}

// count counts something that is for some clusters, and notes once that there is too much.
func (f *fleet) count(v strict.Value, within clusters.Set) {
	before := f.parts
	if f.parts += within.Size(); before <= maxParts && f.parts > maxParts {
		v.Problem("is one too many: there can be %d users, groups and roles, each counted once for each of its clusters: use several inventories", maxParts)
	}
}

// member decodes one of the clusters.
func (r *run) member(v strict.Value, defaults Defaults, names, owners, contexts *strict.Roll) (Member, bool) {
	fields, ok := v.Fields(shape.MemberKeys...)
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
		if m.Context = field.Checked(texts.ContextFault); m.Context != "" {
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
		if e.Name == clusters.NameKey {
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
func (f *fleet) selected(fields map[string]strict.Value, within clusters.Set) (*clusters.Selector, clusters.Set) {
	field, ok := fields["clusters"]
	if !ok {
		return nil, within
	}
	if !f.named {
		field.Problem("belongs to an inventory for several clusters: list them under clusters, in place of owner and cluster")
		return nil, within
	}
	return f.Select(field, within)
}

// checkRenewal checks an expiration against the renewals of the clusters that it is for.
func (s scope) checkRenewal(v strict.Value, expiration time.Duration) {
	for i, m := range s.members {
		if s.within.Has(i) && m.Defaults.RenewBefore.tooLong(expiration) {
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
	return kept(groups, func(name string) bool { return s.groups[name].Has(i) })
}

// shorten checks a team's longest expiration against the renewals of the clusters whose default is longer.
func (f *fleet) shorten(v strict.Value, longest time.Duration) {
	s := scope{fleet: f}
	for i, m := range f.members {
		if longest < m.Defaults.Expiration {
			s.within.Add(i)
		}
	}
	s.checkRenewal(v, longest)
}
