package inventory

import (
	"fmt"
	"slices"

	"github.com/certsync/certsync/inventory/files"
	"github.com/certsync/certsync/inventory/strict"
)

// StandaloneName is the name of the inventory among the files of Standalone.
const StandaloneName = "users.yaml"

// Standalone returns the files with which Load reads the effective inventory of one cluster, by their paths in a folder: users.yaml, and
// the requests and teams' files that it names. Nothing in them tells of another cluster, or of who has access there. A team's users
// stay in a team's file, since a plan does not let a team add just any name.
func (f *File) Standalone(m Member) (map[string][]byte, error) {
	inv := f.Effective(m)
	all, requests := map[string][]byte{}, map[string]string{}
	own, teams := *inv, map[string][]User{}
	own.Users = nil
	var order []string // of the teams
	for _, u := range inv.Users {
		if len(u.Request) > 0 {
			path := "requests/" + u.Name + ".csr"
			requests[u.Name], all[path] = path, u.Request
		}
		if u.Team == "" {
			own.Users = append(own.Users, u)
			continue
		}
		if teams[u.Team] == nil {
			order = append(order, u.Team)
		}
		teams[u.Team] = append(teams[u.Team], u)
	}
	root, list := own.encode(Comments{}, requests), strict.List()
	for _, name := range order {
		path := "teams/" + name + ".yaml"
		list.Item(declaration(name, path, teams[name]), nil)
		all[path] = strict.Write(nil, teamFile(name, teams[name], inv.Defaults))
		if len(all[path]) > maxTeamFile {
			return nil, tooLargeAlone(m, path, maxTeamFile)
		}
	}
	if len(order) > 0 {
		root.Add("teams", list)
	}
	all[StandaloneName] = strict.Write(nil, root)
	if len(all[StandaloneName]) > maxSize {
		return nil, tooLargeAlone(m, StandaloneName, maxSize)
	}
	return all, nil
}

// declaration is what an inventory says of a team: its file, and the groups that the file may use.
func declaration(name, path string, users []User) *strict.Element {
	var groups []string
	for _, u := range users {
		groups = append(groups, u.Groups...)
	}
	slices.Sort(groups)
	m := strict.Mapping().InLine()
	m.Add("name", strict.Text(name))
	m.Add("file", strict.Text(path))
	m.Add("groups", strict.Row(strict.Texts(slices.Compact(groups))))
	return m
}

func teamFile(name string, users []User, defaults Defaults) *strict.Element {
	root, list := strict.Mapping(), strict.List()
	root.Add("apiVersion", strict.Text(APIVersion))
	root.Add("kind", strict.Text(TeamKind))
	root.Add("team", strict.Text(name))
	for _, u := range users {
		list.Item(u.encode(defaults, ""), nil)
	}
	root.Add("users", list)
	return root
}

func tooLargeAlone(m Member, path string, limit int) error {
	return fmt.Errorf("writing the inventory of cluster %q: %s has more than %s", m.Name, path, files.Size(limit))
}
