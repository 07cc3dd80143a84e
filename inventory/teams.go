package inventory

import (
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/certsync/certsync/inventory/shape"
	"github.com/certsync/certsync/inventory/strict"
)

// maxTeamFile is the most that a team's file may hold: more than 2,000 people with all that a file says of them.
const maxTeamFile = 256 << 10

// team is what the inventory gives to a team, whose file cannot go beyond it.
type team struct {
	run           *run
	name          string
	groups        *strict.Roll
	maxExpiration time.Duration // 0: no bound of its own
}

// teams returns the users in the files of the teams. Those files are written by others than the inventory, so that
// whatever could give more than the inventory has given them is refused.
func (r *run) teams(v strict.Value, fields map[string]strict.Value, names, groups *strict.Roll) []User {
	var users []User
	declared, files, all := strict.NewRoll("team"), strict.NewRoll("file"), true
	if field, ok := fields["teams"]; ok {
		items := field.Items()
		all = items != nil
		for _, item := range items {
			people, ok := r.team(item, declared, files, names, groups)
			users, all = append(users, people...), all && ok
		}
	}
	// Where a file's name could not be read, that file would be reported as one that nobody declares.
	if all {
		r.findStrays(files)
	}
	return users
}

// team decodes one team, and its file; ok says that the inventory names one.
func (r *run) team(v strict.Value, declared, files, names, groups *strict.Roll) (users []User, ok bool) {
	fields, ok := v.Fields(shape.TeamKeys...)
	if !ok {
		return nil, false
	}
	t := team{run: r, name: parseName(v, fields, declared), groups: strict.NewRoll("group")}
	t.groups.Lacks = "is not given to team " + strict.Quote(t.name) + " in " + r.Root()
	if field, ok := fields["groups"]; ok {
		for _, name := range (scope{r.fleet, r.fleet.All}).memberships(field, groups) {
			if _, given := t.groups.Find(name); !given {
				t.groups.Declare(field, name)
			}
		}
	} else {
		v.Missing("groups", "the team's file can use these groups only")
		t.groups = groups // one problem, and not one more for everybody in the file
	}
	if field, ok := fields["maxExpiration"]; ok {
		if t.maxExpiration = parseExpiration(field, 0); t.maxExpiration > 0 {
			r.fleet.shorten(field, t.maxExpiration)
			r.maxExpiration[t.name] = t.maxExpiration
		}
	}
	field, ok := fields["file"]
	if !ok {
		v.Missing("file", "it names the file with the team's users, such as teams/payments.yaml")
		return nil, false
	}
	name := field.Checked(teamFileFault)
	if name == "" {
		return nil, false
	}
	if files.Declare(field, path.Clean(name)) {
		users = t.read(field, name, names)
	}
	return users, true
}

// teamFileFault says what is wrong with the name of a team's file. By its end, the files are found that nobody declares.
func teamFileFault(s string) string {
	switch {
	case s == "":
		return "is empty"
	case !isYAML(s):
		return strict.Quote(s) + " does not end in .yaml or .yml"
	}
	return ""
}

func isYAML(name string) bool { return slices.Contains([]string{".yaml", ".yml"}, path.Ext(name)) }

// read returns the users in a team's file, which the inventory names at v.
func (t team) read(v strict.Value, name string, names *strict.Roll) []User {
	data, fault := t.run.openUpTo(maxTeamFile, name)
	if fault != "" {
		v.Problem("file %s %s", strict.Quote(name), fault)
		return nil
	}
	root, ok := t.run.document(beside(t.run.Root(), path.Clean(name)), "a team's file", data)
	if !ok {
		return nil
	}
	if _, ok := root.Says("kind", TeamKind); !ok {
		// A link that the team made may lead to somebody's secret: nothing of it is repeated.
		root.ProblemOf("kind", "is not %s: this is not a team's file", TeamKind)
		return nil
	}
	fields, ok := root.FieldsOf(shape.TeamFileKeys, onlyIn(shape.InventoryKeys, t.run.Root(), shape.TeamFileKeys))
	if !ok {
		return nil
	}
	checkConstant(root, fields, "apiVersion", APIVersion)
	checkConstant(root, fields, "kind", TeamKind)
	t.named(root, fields)
	var users []User
	if field, ok := peopleOf(root, fields); ok {
		for _, item := range field.Items() {
			if u, ok := t.user(item, names); ok {
				users = append(users, u)
			}
		}
	}
	return users
}

// beside is how problems name a file in the inventory's folder.
func beside(root, name string) string {
	return filepath.Join(filepath.Dir(root), filepath.FromSlash(name))
}

// onlyIn refuses the fields of the inventory that a team's file does not have.
func onlyIn(elsewhere []string, root string, here []string) func(strict.Entry) bool {
	return func(e strict.Entry) bool {
		if !slices.Contains(elsewhere, e.Name) {
			return false
		}
		e.Key.Problem("belongs to %s: here, a team's file can have only %s", root, strings.Join(here, ", "))
		return true
	}
}

// named checks that a file is the one of this team and not of another one.
func (t team) named(root strict.Value, fields map[string]strict.Value) {
	field, ok := fields["team"]
	if !ok {
		root.Missing("team", "it is the name that the team has in "+t.run.Root())
		return
	}
	if got, ok := field.Text(); ok && got != t.name && ValidName(t.name) {
		field.Problem("%s is not team %s, to which %s gives this file", strict.Quote(got), strict.Quote(t.name), t.run.Root())
	}
}

// user decodes one user of a team: without roles and old names, which give access or take over somebody's.
func (t team) user(v strict.Value, names *strict.Roll) (User, bool) {
	fields, ok := v.FieldsOf(shape.TeamUserKeys, onlyIn(shape.UserKeys, t.run.Root(), shape.TeamUserKeys))
	if !ok {
		return User{}, false
	}
	u := User{Name: parseName(v, fields, names), Team: t.name}
	s := scope{fleet: t.run.fleet}
	u.Clusters, s.within = s.selected(fields, s.All)
	s.count(v, s.within)
	if field, ok := fields["groups"]; ok {
		u.Groups = s.memberships(field, t.groups)
	}
	if field, ok := fields["expiration"]; ok {
		u.Expiration = parseExpiration(field, 0)
		if longest, why := t.longest(s); u.Expiration > longest {
			field.Problem("%s is over %s, %s", strict.Quote(field.Written()), DurationText(longest), why)
			u.Expiration = 0
		}
		if u.Expiration > 0 {
			s.checkRenewal(field, u.Expiration)
		}
	}
	u.From, u.Until = parseTerm(fields)
	u.Why = parseWhy(fields)
	return u, true
}

// longest is the longest expiration that the file may set for a user of these clusters, and why: the inventory alone can raise the
// lifetime of certificates above the default.
func (t team) longest(s scope) (d time.Duration, why string) {
	if t.maxExpiration > 0 {
		return t.maxExpiration, "the maxExpiration of team " + strict.Quote(t.name) + " in " + t.run.Root()
	}
	d = maxExpiration
	for i, m := range s.members {
		if s.within.Has(i) && m.Defaults.Expiration < d {
			d, why = m.Defaults.Expiration, "the default expiration"
			if m.Name != "" {
				why += " of cluster " + strict.Quote(m.Name)
			}
		}
	}
	return d, why + ": to allow it, set maxExpiration of team " + strict.Quote(t.name) + " in " + t.run.Root()
}
