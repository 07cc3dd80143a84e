package inventory

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"

	"github.com/certsync/certsync/inventory/files"
	"github.com/certsync/certsync/inventory/strict"
)

// teamsFolder is searched for teams' files whether a team has one there or not.
const teamsFolder = "teams"

// findStrays refuses teams' files that no team has: whoever wrote one believes that it is read. They are looked for in the folder
// teams and in those where teams have their files, not below, among files that end as YAML does.
func (r *run) findStrays(files *strict.Roll) {
	if r.files == nil {
		return
	}
	folders := []string{teamsFolder}
	for _, name := range files.Names() {
		folders = append(folders, path.Dir(name))
	}
	slices.Sort(folders)
	var text bytes.Buffer
	for _, folder := range slices.Compact(folders) {
		for _, name := range r.listFolder(folder) {
			if name := path.Join(folder, name); isYAML(name) && !files.Has(name) {
				r.noteStray(name, &text)
			}
		}
	}
}

// listFolder returns the sorted names in a folder, or none if there is no folder. The team reports that.
func (r *run) listFolder(folder string) []string {
	if info, err := fs.Stat(r.files, folder); err != nil || !info.IsDir() {
		return nil
	}
	entries, err := readDir(r.files, folder, r.left.entries+1)
	switch {
	case err != nil:
		r.Note(r.Root(), 1, 1, "", "folder "+strict.Quote(folder)+" cannot be searched for teams' files: "+files.Reason(err).Error())
		return nil
	case !take(&r.left.entries, len(entries)):
		r.Note(r.Root(), 1, 1, "", fmt.Sprintf("folder %s cannot be searched for teams' files: the folders of teams can hold %d files in all: "+
			"keep teams' files in folders of their own", strict.Quote(folder), maxEntries))
		return nil
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	slices.Sort(names)
	return names
}

// readDir returns up to n of what is in a folder, n above 0. fs.ReadDir would return all.
func readDir(files fs.FS, name string, n int) ([]fs.DirEntry, error) {
	dir, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	list, ok := dir.(fs.ReadDirFile)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	entries, err := list.ReadDir(n)
	if errors.Is(err, io.EOF) { // it is empty
		err = nil
	}
	return entries, err
}

// noteStray refuses a file that no team has, if it is a team's. It reads the file into text.
func (r *run) noteStray(name string, text *bytes.Buffer) {
	peek(r.files, name, text)
	data := text.Bytes()
	if !bytes.Contains(data, []byte(TeamKind)) {
		return // as nearly all are, which costs no parsing
	}
	file := beside(r.Root(), name)
	if !take(&r.left.bytes, len(data)) || !r.Afford(data) {
		r.Note(file, 1, 1, "", "no team in "+r.Root()+" has this file, and the folders of teams hold too much to find out whether it is a team's: name it under teams, or remove it")
		return
	}
	if line, column, ok := strict.Find(data, "kind", TeamKind); ok {
		r.Note(file, line, column, "kind", "no team in "+r.Root()+" has this file: name it under teams, or remove it")
	}
}

// peek reads a file into text as far as a team's may go, and nothing of what is no file or cannot be read: then it is
// nobody's.
func peek(folder fs.FS, name string, text *bytes.Buffer) {
	text.Reset()
	file, err := folder.Open(name)
	if err != nil {
		return
	}
	defer file.Close()
	if _, err = files.Info(file, name); err == nil {
		_, err = text.ReadFrom(io.LimitReader(file, maxTeamFile))
	}
	if err != nil {
		text.Reset()
	}
}
