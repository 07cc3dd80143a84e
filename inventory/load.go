package inventory

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/certsync/certsync/inventory/files"
	"github.com/certsync/certsync/inventory/strict"
)

// Load reads the inventory at path. It and the files that it names are opened in its folder and never outside of it, not
// by a link either. Problems of the inventory are returned as strict.Problems.
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
// inventory names are looked up, nil if there is none. Every error is of type strict.Problems.
func Parse(name string, data []byte, files fs.FS) (*Inventory, error) {
	return parse(name, data, files, nil)
}

func parse(name string, data []byte, files fs.FS, opened map[string][]byte) (*Inventory, error) {
	r := &run{Report: strict.NewReport(name, maxMarks), files: files, opened: opened, left: newBudget()}
	var inv *Inventory
	if root, ok := r.document(name, "an inventory", data); ok {
		inv = r.identified(root)
	}
	if problems := r.Problems(); problems != nil {
		return nil, problems
	}
	return inv, nil
}

// run is what all files of one run share.
type run struct {
	*strict.Report
	files  fs.FS                   // may be nil
	opened map[string][]byte       // what was read from files, by its path there; nil keeps nothing
	keys   map[string]strict.Value // the requests' keys, see Fingerprint, and where each was named
	left   budget
}

// document returns the root of an inventory or of a team's file, which kind says.
func (r *run) document(name, kind string, data []byte) (strict.Value, bool) {
	return strict.Parse(r.Report, name, strict.Kind{
		Name:  kind,
		Empty: nobody,
		TooLarge: fmt.Sprintf("an inventory and its teams' files can hold %d of the characters , : ? - [ { # in all, "+
			"which is enough for 10,000 users. Move some users to an inventory with another owner", maxMarks),
	}, data)
}

// nobody is how to say that there are no users. It is to be said, not left out: it takes everybody's access.
const nobody = "for no users at all, write users: []"

// identified decodes the document if it is an inventory, and otherwise notes one problem instead of one for each field.
func (r *run) identified(root strict.Value) *Inventory {
	if key, ok := root.Says("kind", TeamKind); ok {
		key.Problem("this is a team's file: name the inventory instead, which reads the team's file")
		return nil
	}
	_, versioned := root.Says("apiVersion", APIVersion)
	if _, named := root.Says("kind", Kind); !versioned && !named {
		// A link in the folder may lead to a file with a secret: nothing of it is repeated.
		root.Problem("this is not an inventory: write apiVersion: %s and kind: %s", APIVersion, Kind)
		return nil
	}
	return r.inventory(root)
}

// inventory decodes the whole document. Groups come before users, wherever they stand in the file, since users refer to
// them.
func (r *run) inventory(root strict.Value) *Inventory {
	fields, ok := root.Fields(inventoryKeys...)
	if !ok {
		return nil
	}
	checkConstant(root, fields, "apiVersion", APIVersion)
	checkConstant(root, fields, "kind", Kind)
	inv := &Inventory{Owner: parseOwner(root, fields), Defaults: builtIn}
	if v, ok := fields["cluster"]; ok {
		inv.Cluster = r.cluster(v)
	}
	if v, ok := fields["defaults"]; ok {
		inv.Defaults = parseDefaults(v)
	}
	declared := strict.NewRoll("group")
	if v, ok := fields["groups"]; ok {
		inv.Groups = parseGroups(v, declared)
	}
	names, former := strict.NewRoll("user"), [][]strict.Value(nil)
	if v, ok := peopleOf(root, fields); ok {
		inv.Users, former = r.users(v, names, declared, inv.Defaults)
	}
	inv.Users = append(inv.Users, r.teams(root, fields, names, declared, inv.Defaults)...)
	given := strict.NewRoll("old name")
	for i, old := range former {
		inv.Users[i].Previously = previously(old, inv.Users[i].Name, names, given)
	}
	return inv
}

// peopleOf returns the field users.
func peopleOf(v strict.Value, fields map[string]strict.Value) (strict.Value, bool) {
	field, ok := fields["users"]
	switch {
	case !ok:
		v.Missing("users", nobody)
		return field, false
	case field.IsNull():
		field.Problem("a list is expected, but there is nothing: %s", nobody)
		return field, false
	}
	return field, true
}

// checkConstant checks a field that has but one legal value.
func checkConstant(v strict.Value, fields map[string]strict.Value, key, want string) {
	field, ok := fields[key]
	if !ok {
		v.Missing(key, "write "+key+": "+want)
		return
	}
	got, ok := field.Text()
	if !ok || got == want {
		return
	}
	hint := field.DidYouMean(got, []string{want})
	if hint == "" {
		hint = fmt.Sprintf(": write %s", want)
	}
	field.Problem("%s is unknown%s", strict.Quote(got), hint)
}

func parseOwner(v strict.Value, fields map[string]strict.Value) string {
	field, ok := fields["owner"]
	if !ok {
		v.Missing("owner", "it names the Vault folder and marks every object, such as prod-eu")
		return ""
	}
	return field.Checked(ownerFault)
}
