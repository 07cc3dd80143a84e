package inventory

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/certsync/certsync/inventory/files"
)

// Load reads the inventory at path. It and the files that it names are opened in its folder and never outside of it, not
// by a link either. Problems of the inventory are returned as Problems.
func Load(path string) (*Inventory, error) {
	inv, _, err := load(path, nil)
	return inv, err
}

// LoadFiles is Load, and also returns what has to lie in another folder for Load to read the same inventory there: the
// inventory itself under the last part of its path, and the files that it names under their paths in the folder.
func LoadFiles(path string) (*Inventory, map[string][]byte, error) {
	files := map[string][]byte{}
	inv, data, err := load(path, files)
	if err != nil {
		return nil, nil, err
	}
	files[filepath.Base(path)] = data
	return inv, files, nil
}

// load reads the inventory at path, and keeps what it reads of other files in opened, unless that is nil.
func load(path string, opened map[string][]byte) (*Inventory, []byte, error) {
	if path == "-" {
		return nil, nil, errors.New("loading inventory: standard input is not supported: name a file")
	}
	folder, err := files.OpenFolder(path)
	if err != nil {
		return nil, nil, fmt.Errorf("loading inventory: %w", err)
	}
	defer folder.Close()
	data, err := folder.Read(path, maxSize)
	if errors.Is(err, files.ErrTooLarge) {
		err = fmt.Errorf("%w: move some users to an inventory with another owner", err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("loading inventory: %w", err)
	}
	inv, err := parse(path, data, folder, opened)
	return inv, data, err
}

// Parse reads an inventory from data. Name stands before every problem; files is the folder in which files that the
// inventory names are looked up, nil if there is none. Every error is of type Problems.
func Parse(name string, data []byte, files fs.FS) (*Inventory, error) {
	return parse(name, data, files, nil)
}

func parse(name string, data []byte, files fs.FS, opened map[string][]byte) (*Inventory, error) {
	d := &decoder{&run{root: name, files: files, opened: opened, left: newBudget()}, name, "an inventory"}
	var inv *Inventory
	if root, ok := d.document(data); ok {
		inv = d.identified(root)
	}
	if len(d.problems) > 0 {
		d.problems.sort(name)
		return nil, d.problems.and(name, d.more)
	}
	return inv, nil
}

// identified decodes the document if it is an inventory, and otherwise notes one problem instead of one for each field.
func (d *decoder) identified(root value) *Inventory {
	if key := root.says("kind", TeamKind); key != nil {
		d.note(key.Line, key.Column, "kind", "this is a team's file: name the inventory instead, which reads the team's file")
		return nil
	}
	if root.says("apiVersion", APIVersion) == nil && root.says("kind", Kind) == nil {
		// A link in the folder may lead to a file with a secret: nothing of it is repeated.
		root.problem("this is not an inventory: write apiVersion: %s and kind: %s", APIVersion, Kind)
		return nil
	}
	return d.inventory(root)
}

// inventory decodes the whole document. Groups come before users, wherever they stand in the file, since users refer to
// them.
func (d *decoder) inventory(root value) *Inventory {
	fields, ok := root.fields(inventoryKeys...)
	if !ok {
		return nil
	}
	checkConstant(root, fields, "apiVersion", APIVersion)
	checkConstant(root, fields, "kind", Kind)
	inv := &Inventory{Owner: parseOwner(root, fields), Defaults: builtIn}
	if v, ok := fields["cluster"]; ok {
		inv.Cluster = parseCluster(v)
	}
	if v, ok := fields["defaults"]; ok {
		inv.Defaults = parseDefaults(v)
	}
	declared := newRoll("group")
	if v, ok := fields["groups"]; ok {
		inv.Groups = parseGroups(v, declared)
	}
	names, former := newRoll("user"), [][]value(nil)
	if v, ok := peopleOf(root, fields); ok {
		inv.Users, former = parseUsers(v, names, declared, inv.Defaults)
	}
	inv.Users = append(inv.Users, parseTeams(root, fields, names, declared, inv.Defaults)...)
	given := newRoll("old name")
	for i, old := range former {
		inv.Users[i].Previously = previously(old, inv.Users[i].Name, names, given)
	}
	return inv
}

// peopleOf returns the field users. Nobody is to be said, not left out: it takes everybody's access.
func peopleOf(v value, fields map[string]value) (value, bool) {
	field, ok := fields["users"]
	switch {
	case !ok:
		v.missing("users", "for no users at all, write users: []")
		return field, false
	case field.null():
		field.problem("a list is expected, but there is nothing: for no users at all, write users: []")
		return field, false
	}
	return field, true
}

// checkConstant checks a field that has but one legal value.
func checkConstant(v value, fields map[string]value, key, want string) {
	field, ok := fields[key]
	if !ok {
		v.missing(key, "write "+key+": "+want)
		return
	}
	got, ok := field.text()
	if !ok || got == want {
		return
	}
	hint := field.didYouMean(got, []string{want})
	if hint == "" {
		hint = fmt.Sprintf(": write %s", want)
	}
	field.problem("%s is unknown%s", show(got), hint)
}

func parseOwner(v value, fields map[string]value) string {
	field, ok := fields["owner"]
	if !ok {
		v.missing("owner", "it names the Vault folder and marks every object, such as prod-eu")
		return ""
	}
	return field.checked(ownerFault)
}
