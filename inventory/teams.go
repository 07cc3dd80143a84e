package inventory

import (
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// maxTeamFile is the most that a team's file may hold: more than 2,000 people with all that a file says of them.
const maxTeamFile = 256 << 10

// team is what the inventory gives to a team, whose file cannot go beyond it.
type team struct {
	name          string
	groups        *roll
	defaults      Defaults      // its expiration is within maxExpiration
	maxExpiration time.Duration // 0: no bound of its own
}

// parseTeams returns the users in the files of the teams. Those files are written by others than the inventory, so that
// whatever could give more than the inventory has given them is refused.
func parseTeams(v value, fields map[string]value, names, groups *roll, defaults Defaults) []User {
	var users []User
	declared, files, all := newRoll("team"), newRoll("file"), true
	if field, ok := fields["teams"]; ok {
		items := field.items()
		all = items != nil
		for _, item := range items {
			people, ok := decodeTeam(item, declared, files, names, groups, defaults)
			users, all = append(users, people...), all && ok
		}
	}
	// Where a file's name could not be read, that file would be reported as one that nobody declares.
	if all {
		findStrays(v, files)
	}
	return users
}

// decodeTeam decodes one team, and its file; ok says that the inventory names one.
func decodeTeam(v value, declared, files, names, groups *roll, defaults Defaults) (users []User, ok bool) {
	fields, ok := v.fields(teamKeys...)
	if !ok {
		return nil, false
	}
	t := team{name: parseName(v, fields, declared), groups: newRoll("group"), defaults: defaults}
	t.groups.lacks = "is not given to team " + show(t.name) + " in " + v.root
	if field, ok := fields["groups"]; ok {
		for _, name := range parseMemberships(field, groups) {
			if _, given := t.groups.find(name); !given {
				t.groups.declare(field, name)
			}
		}
	} else {
		v.missing("groups", "the team's file can use these groups only")
		t.groups = groups // one problem, and not one more for everybody in the file
	}
	if field, ok := fields["maxExpiration"]; ok {
		t.maxExpiration = field.expiration(0)
		if t.maxExpiration > 0 && t.maxExpiration < defaults.Expiration {
			t.defaults.Expiration = t.maxExpiration
			checkRenewal(field, defaults.RenewBefore, t.defaults.Expiration)
		}
	}
	field, ok := fields["file"]
	if !ok {
		v.missing("file", "it names the file with the team's users, such as teams/payments.yaml")
		return nil, false
	}
	name := field.checked(teamFileFault)
	if name == "" {
		return nil, false
	}
	if files.declare(field, path.Clean(name)) {
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
		return show(s) + " does not end in .yaml or .yml"
	}
	return ""
}

func isYAML(name string) bool { return slices.Contains([]string{".yaml", ".yml"}, path.Ext(name)) }

// read returns the users in a team's file, which the inventory names at v.
func (t team) read(v value, name string, names *roll) []User {
	data, fault := v.openUpTo(maxTeamFile, name)
	if fault != "" {
		v.problem("file %s %s", show(name), fault)
		return nil
	}
	d := &decoder{v.run, beside(v.root, path.Clean(name)), "a team's file"}
	root, ok := d.document(data)
	if !ok {
		return nil
	}
	if root.says("kind", TeamKind) == nil {
		// A link that the team made may lead to somebody's secret: nothing of it is repeated.
		root.note(root.node.Line, root.node.Column, "kind", "is not "+TeamKind+": this is not a team's file")
		return nil
	}
	fields, ok := root.fieldsOf(teamFileKeys, onlyIn(inventoryKeys, v.root, teamFileKeys))
	if !ok {
		return nil
	}
	checkConstant(root, fields, "apiVersion", APIVersion)
	checkConstant(root, fields, "kind", TeamKind)
	t.named(root, fields)
	var users []User
	if field, ok := peopleOf(root, fields); ok {
		for _, item := range field.items() {
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
func onlyIn(elsewhere []string, root string, here []string) func(entry) bool {
	return func(e entry) bool {
		if !slices.Contains(elsewhere, e.name) {
			return false
		}
		e.key.problem("belongs to %s: here, a team's file can have only %s", root, strings.Join(here, ", "))
		return true
	}
}

// named checks that a file is the one of this team and not of another one.
func (t team) named(root value, fields map[string]value) {
	field, ok := fields["team"]
	if !ok {
		root.missing("team", "it is the name that the team has in "+root.root)
		return
	}
	if got, ok := field.text(); ok && got != t.name && ValidName(t.name) {
		field.problem("%s is not team %s, to which %s gives this file", show(got), show(t.name), root.root)
	}
}

// user decodes one user of a team: without roles and old names, which give access or take over somebody's.
func (t team) user(v value, names *roll) (User, bool) {
	fields, ok := v.fieldsOf(teamUserKeys, onlyIn(userKeys, v.root, teamUserKeys))
	if !ok {
		return User{}, false
	}
	u := User{Name: parseName(v, fields, names), Team: t.name, Expiration: t.defaults.Expiration, RevokedBefore: t.defaults.RevokedBefore}
	if field, ok := fields["groups"]; ok {
		u.Groups = parseMemberships(field, t.groups)
	}
	if field, ok := fields["expiration"]; ok {
		u.Expiration = field.expiration(t.defaults.Expiration)
		if t.maxExpiration > 0 && u.Expiration > t.maxExpiration {
			field.problem("%s is over %s, the maxExpiration of team %s in %s", show(field.node.Value), DurationText(t.maxExpiration), show(t.name), v.root)
			u.Expiration = t.defaults.Expiration
		}
		checkRenewal(field, t.defaults.RenewBefore, u.Expiration)
	}
	if field, ok := fields["until"]; ok {
		u.Until = field.until()
	}
	return u, true
}
