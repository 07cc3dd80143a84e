package inventory

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory/files"
	"github.com/certsync/certsync/inventory/strict"
)

// Encode writes the file, and by their paths in its folder the files that it names: LoadFile reads the same there. The certificates
// of authorities stand in the file itself. A team keeps the groups that its users are in, and is left out if it has no users.
func (f *File) Encode() (text []byte, named map[string][]byte) {
	w := writing{File: f, files: map[string][]byte{}}
	root := document(Kind)
	if f.Fleet {
		members := strict.List()
		for _, m := range f.Members {
			members.Item(m.encode(f.defaults), nil)
		}
		root.Add("clusters", members)
		root.AddFilled("defaults", f.defaults.encode(builtIn))
	} else {
		root.Add("owner", strict.Text(f.Members[0].Owner))
		root.AddFilled("cluster", f.Members[0].Cluster.encode())
		root.AddFilled("defaults", f.Members[0].Defaults.encode(builtIn))
	}
	root.AddFilled("groups", encodeGroups(f.groups, Comments{}))
	root.Add("users", w.users(""))
	teams := strict.List()
	for _, name := range w.teams() {
		teams.Item(w.team(name), nil)
	}
	root.AddFilled("teams", teams)
	return strict.Write(nil, root), w.files
}

// StandaloneName is the name of the inventory among the files of Standalone.
const StandaloneName = "users.yaml"

// Standalone returns the files with which Load reads the effective inventory of one cluster, by their paths in a folder: users.yaml, and
// the requests and teams' files that it names. Nothing in them tells of another cluster, or of who has access there. A team's users
// stay in a team's file, since a plan does not let a team add just any name.
func (f *File) Standalone(m Member) (map[string][]byte, error) {
	inv := f.Effective(m)
	for i, u := range inv.Users {
		if u.Expiration == m.Defaults.Expiration {
			inv.Users[i].Expiration = 0
		}
		if !u.RevokedBefore.After(m.Defaults.RevokedBefore) {
			inv.Users[i].RevokedBefore = time.Time{}
		}
	}
	alone := &File{Members: []Member{{Owner: m.Owner, Cluster: m.Cluster, Defaults: m.Defaults}}, groups: inv.Groups, users: inv.Users, maxExpiration: f.maxExpiration}
	text, all := alone.Encode()
	all[StandaloneName] = text
	for _, path := range slices.Sorted(maps.Keys(all)) {
		limit := maxTeamFile
		if path == StandaloneName {
			limit = maxSize
		}
		if len(all[path]) > limit {
			return nil, fmt.Errorf("writing the inventory of cluster %q: %s has more than %s", m.Name, path, files.Size(limit))
		}
	}
	return all, nil
}

// writing collects the files beside an inventory that is written.
type writing struct {
	*File
	files map[string][]byte
}

// teams are those that have users, in the order of the users.
func (w writing) teams() []string {
	var names []string
	seen := map[string]bool{"": true}
	for _, u := range w.File.users {
		if !seen[u.Team] {
			names = append(names, u.Team)
		}
		seen[u.Team] = true
	}
	return names
}

// users is the list of the users of a team, or of those in the inventory itself.
func (w writing) users(team string) *strict.Element {
	var users []User
	var elements []*strict.Element
	for _, u := range w.File.users {
		if u.Team != team {
			continue
		}
		e := u.encode(Defaults{})
		if u.Request != nil {
			path := "requests/" + u.Name + ".csr"
			w.files[path] = u.Request
			e.Add("request", strict.Text(path))
		}
		users, elements = append(users, u), append(elements, e)
	}
	return encodeUsers(users, elements, Comments{})
}

// team writes the file of a team, and returns what the inventory says of it.
func (w writing) team(name string) *strict.Element {
	path := teamsFolder + "/" + name + ".yaml"
	file := document(TeamKind)
	file.Add("team", strict.Text(name))
	file.Add("users", w.users(name))
	w.files[path] = strict.Write(nil, file)

	var groups []string
	for _, u := range w.File.users {
		if u.Team == name {
			groups = append(groups, u.Groups...)
		}
	}
	slices.Sort(groups)
	m := strict.Mapping().InLine()
	m.Add("name", strict.Text(name))
	m.Add("file", strict.Text(path))
	m.Add("groups", strict.Row(strict.Texts(slices.Compact(groups))))
	if longest := w.maxExpiration[name]; longest > 0 {
		m.Add("maxExpiration", strict.Scalar(DurationText(longest)))
	}
	return m
}

func (m Member) encode(defaults Defaults) *strict.Element {
	e := strict.Mapping()
	e.Add("name", strict.Text(m.Name))
	e.Add("owner", strict.Text(m.Owner))
	labels := strict.Mapping().InLine()
	for _, key := range slices.Sorted(maps.Keys(m.Labels)) {
		labels.Add(key, strict.Text(m.Labels[key]))
	}
	e.AddFilled("labels", labels)
	if m.Context != "" {
		e.Add("context", strict.Text(m.Context))
	}
	c := m.Cluster
	c.Name = "" // it stands first
	c.addTo(e)
	e.AddFilled("defaults", m.Defaults.encode(defaults))
	return e
}

// addClusters adds the selector of clusters, if there is one.
func addClusters(e *strict.Element, c *Clusters) {
	if c != nil {
		e.Add("clusters", c.Encode())
	}
}
