package inventory

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/certsync/certsync/inventory/files"
	"github.com/certsync/certsync/inventory/shape"
	"github.com/certsync/certsync/inventory/strict"
	"github.com/certsync/certsync/inventory/texts"
)

// Load reads the inventory of one cluster at path. It and the files that it names are opened in its folder and never outside of
// it, not by a link either. Problems of the inventory are returned as strict.Problems.
func Load(path string) (*Inventory, error) {
	f, err := LoadFile(path)
	if err != nil {
		return nil, err
	}
	return f.Only()
}

// LoadFile is Load for a file that may have several clusters.
func LoadFile(path string) (*File, error) {
	f, _, err := load(path, nil)
	return f, err
}

// LoadFiles is LoadFile, and also returns what has to lie in another folder for LoadFile to read the same there: the inventory
// itself under the last part of its path, and the files that it names under their paths in the folder.
func LoadFiles(path string) (*File, map[string][]byte, error) {
	files := map[string][]byte{}
	f, data, err := load(path, files)
	if err != nil {
		return nil, nil, err
	}
	files[filepath.Base(path)] = data
	return f, files, nil
}

// load reads the inventory at path, and keeps what it reads of other files in opened, unless that is nil.
func load(path string, opened map[string][]byte) (*File, []byte, error) {
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
	f, err := parse(path, data, folder, opened)
	return f, data, err
}

// Parse reads the inventory of one cluster from data, and refuses one for several. Name stands before every problem; files is the
// folder in which files that the inventory names are looked up, nil if there is none. Problems of the inventory are returned as
// strict.Problems.
func Parse(name string, data []byte, files fs.FS) (*Inventory, error) {
	f, err := parseFile(name, data, files)
	if err != nil {
		return nil, err
	}
	return f.Only()
}

// parseFile is Parse for a file that may have several clusters.
func parseFile(name string, data []byte, files fs.FS) (*File, error) {
	return parse(name, data, files, nil)
}

func parse(name string, data []byte, files fs.FS, opened map[string][]byte) (*File, error) {
	r := &run{Report: strict.NewReport(name, maxMarks), files: files, opened: opened, left: newBudget(), maxExpiration: map[string]time.Duration{}}
	var f *File
	if root, ok := r.document(name, "an inventory", data); ok {
		f = r.identified(root)
	}
	if problems := r.Problems(); problems != nil {
		return nil, problems
	}
	return f, nil
}

// run is what all files of one run share.
type run struct {
	*strict.Report
	files  fs.FS                   // may be nil
	opened map[string][]byte       // what was read from files, by its path there; nil keeps nothing
	keys   map[string]strict.Value // the requests' keys, see Fingerprint, and where each was named
	left   budget

	fleet         *fleet                   // the clusters
	maxExpiration map[string]time.Duration // by team, where it has one
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
func (r *run) identified(root strict.Value) *File {
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

// inventory decodes the whole document. Clusters come before groups and groups before users, wherever they stand in the file,
// since the latter refer to them.
func (r *run) inventory(root strict.Value) *File {
	fields, ok := root.Fields(shape.InventoryKeys...)
	if !ok {
		return nil
	}
	checkConstant(root, fields, "apiVersion", APIVersion)
	checkConstant(root, fields, "kind", Kind)
	r.fleet = r.fleetOf(root, fields)
	f := &File{Members: r.fleet.members, Fleet: r.fleet.named, defaults: r.fleet.defaults, maxExpiration: r.maxExpiration}
	declared := strict.NewRoll("group")
	if v, ok := fields["groups"]; ok {
		f.groups = r.groups(v, declared)
	}
	names, former := strict.NewRoll("user"), [][]strict.Value(nil)
	if v, ok := peopleOf(root, fields); ok {
		f.users, former = r.users(v, names, declared)
	}
	f.users = append(f.users, r.teams(root, fields, names, declared)...)
	given := strict.NewRoll("old name")
	for i, old := range former {
		f.users[i].Previously = previously(old, f.users[i].Name, names, given)
	}
	return f
}

// fleetOf decodes the clusters, or the one that the file is for, with the defaults.
func (r *run) fleetOf(root strict.Value, fields map[string]strict.Value) *fleet {
	defaults := builtIn
	if v, ok := fields["defaults"]; ok {
		defaults = parseDefaults(v, builtIn)
	}
	if v, ok := fields["clusters"]; ok {
		for _, key := range []string{"owner", "cluster"} {
			if other, ok := fields[key]; ok {
				other.Problem("each of the clusters has its own: write it there, or leave out clusters")
			}
		}
		f := r.clusters(v, defaults)
		f.defaults = defaults
		return f
	}
	m := Member{Owner: parseOwner(root, fields), Defaults: defaults}
	if v, ok := fields["cluster"]; ok {
		m.Cluster = r.cluster(v)
	}
	return alone(m)
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
	return field.Checked(texts.OwnerFault)
}
