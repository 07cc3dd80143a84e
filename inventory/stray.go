package inventory

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"

	yaml "sigs.k8s.io/yaml/goyaml.v3"

	"github.com/certsync/certsync/inventory/files"
)

// teamsFolder is searched for teams' files whether a team has one there or not.
const teamsFolder = "teams"

// findStrays refuses teams' files that no team has: whoever wrote one believes that it is read. They are looked for in the folder
// teams and in those where teams have their files, not below, among files that end as YAML does.
func findStrays(v value, files *roll) {
	if v.files == nil {
		return
	}
	folders := []string{teamsFolder}
	for _, name := range files.names {
		folders = append(folders, path.Dir(name))
	}
	slices.Sort(folders)
	var text bytes.Buffer
	for _, folder := range slices.Compact(folders) {
		for _, name := range listFolder(v, folder) {
			if name := path.Join(folder, name); isYAML(name) && !files.has(name) {
				noteStray(v, name, &text)
			}
		}
	}
}

// listFolder returns the sorted names in a folder, or none if there is no folder. The team reports that.
func listFolder(v value, folder string) []string {
	if info, err := fs.Stat(v.files, folder); err != nil || !info.IsDir() {
		return nil
	}
	entries, err := readDir(v.files, folder, v.left.entries+1)
	switch {
	case err != nil:
		v.note(1, 1, "", "folder "+show(folder)+" cannot be searched for teams' files: "+files.Reason(err).Error())
		return nil
	case !take(&v.left.entries, len(entries)):
		v.note(1, 1, "", fmt.Sprintf("folder %s cannot be searched for teams' files: the folders of teams can hold %d files in all: "+
			"keep teams' files in folders of their own", show(folder), maxEntries))
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
func noteStray(v value, name string, text *bytes.Buffer) {
	peek(v.files, name, text)
	data := text.Bytes()
	if !bytes.Contains(data, []byte(TeamKind)) {
		return // as nearly all are, which costs no parsing
	}
	d := &decoder{run: v.run, file: beside(v.root, name)}
	if !take(&v.left.bytes, len(data)) || !take(&v.left.marks, marks(data)) {
		d.note(1, 1, "", "no team in "+v.root+" has this file, and the folders of teams hold too much to find out whether it is a team's: name it under teams, or remove it")
		return
	}
	if line, column, ok := teamKind(data); ok {
		d.note(line, column, "kind", "no team in "+v.root+" has this file: name it under teams, or remove it")
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

var writtenTeamKind = regexp.MustCompile(`(?m)^kind[ \t]*:[ \t]*["']?` + TeamKind + `\b`)

// teamKind finds where a file says that it is a team's, in any of its documents. Of a file that is no YAML, as it may be
// halfway through being written, it looks at the lines.
func teamKind(data []byte) (line, column int, ok bool) {
	for documents := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var document yaml.Node
		switch err := documents.Decode(&document); {
		case errors.Is(err, io.EOF):
			return 0, 0, false
		case err != nil:
			if place := writtenTeamKind.FindIndex(data); place != nil {
				return bytes.Count(data[:place[0]], []byte("\n")) + 1, 1, true
			}
			return 0, 0, false
		}
		if key := (value{node: document.Content[0]}).says("kind", TeamKind); key != nil {
			return key.Line, key.Column, true
		}
	}
}
