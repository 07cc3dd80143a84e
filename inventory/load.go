package inventory

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxSize keeps a wrong path from filling the memory. 5,000 users take less than 1 MiB.
const maxSize = 8 << 20

// Load reads the inventory at path. Files that it names are opened in its folder and never outside of it, not by a link
// either. What is wrong with the inventory comes as Problems.
func Load(path string) (*Inventory, error) {
	inv, _, err := LoadFiles(path)
	return inv, err
}

// LoadFiles is Load, and also returns what has to lie in another folder for Load to read the same inventory there: the
// inventory itself under the last part of its path, and the files that it names under their paths in the folder.
func LoadFiles(path string) (*Inventory, map[string][]byte, error) {
	if path == "-" {
		return nil, nil, errors.New("loading inventory: standard input is not supported: name a file")
	}
	data, err := read(path)
	if err != nil {
		return nil, nil, fmt.Errorf("loading inventory: %w", err)
	}
	folder, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, nil, fmt.Errorf("loading inventory: %w", err)
	}
	defer folder.Close()
	files := map[string][]byte{}
	inv, err := parse(path, data, folder.FS(), files)
	if err != nil {
		return nil, nil, err
	}
	files[filepath.Base(path)] = data
	return inv, files, nil
}

func read(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxSize {
		return nil, fmt.Errorf("%q is larger than %d MiB", path, maxSize>>20)
	}
	return data, nil
}

// Parse reads an inventory from data. Name stands before every problem; files is the folder in which files that the
// inventory names are looked up, nil if there is none. Every error is of type Problems.
func Parse(name string, data []byte, files fs.FS) (*Inventory, error) {
	return parse(name, data, files, map[string][]byte{})
}

func parse(name string, data []byte, files fs.FS, opened map[string][]byte) (*Inventory, error) {
	d := &decoder{file: name, files: files, opened: opened, suggestions: maxSuggestions}
	var inv *Inventory
	if root, ok := d.document(data); ok {
		inv = d.inventory(root)
	}
	if len(d.problems) > 0 {
		d.problems.sort()
		return nil, d.problems
	}
	return inv, nil
}

// inventory decodes the whole document. Groups come before users, wherever they stand in the file, since users refer to
// them.
func (d *decoder) inventory(root value) *Inventory {
	fields, ok := root.fields("apiVersion", "kind", "owner", "cluster", "defaults", "groups", "users")
	if !ok {
		return nil
	}
	root.constant(fields, "apiVersion", APIVersion)
	root.constant(fields, "kind", Kind)
	inv := &Inventory{Owner: root.owner(fields), Defaults: builtIn}
	if v, ok := fields["cluster"]; ok {
		inv.Cluster = v.cluster()
	}
	if v, ok := fields["defaults"]; ok {
		inv.Defaults = v.defaults()
	}
	declared := newRoll("group")
	if v, ok := fields["groups"]; ok {
		inv.Groups = v.groups(declared)
	}
	v, ok := fields["users"]
	switch {
	case !ok:
		root.missing("users", "for no users at all, write users: []")
	case v.null():
		v.problem("a list is wanted, but there is nothing: for no users at all, write users: []")
	default:
		inv.Users = v.users(declared, inv.Defaults)
	}
	return inv
}

// constant checks a field that has but one legal value.
func (v value) constant(fields map[string]value, key, want string) {
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

func (v value) owner(fields map[string]value) string {
	field, ok := fields["owner"]
	if !ok {
		v.missing("owner", "it names the Vault folder and marks every object, such as prod-eu")
		return ""
	}
	return field.checked(ownerFault)
}
