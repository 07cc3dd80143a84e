package inventory

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// teamsFolder is searched for teams' files whether a team has one there or not.
const teamsFolder = "teams"

// strays refuses teams' files that no team has: whoever wrote one believes that it is read. They are looked for in the folder
// teams and in those where teams have their files, not below, among files that end as YAML does.
func (v value) strays(declared []string) {
	if v.files == nil {
		return
	}
	folders := []string{teamsFolder}
	for _, name := range declared {
		folders = append(folders, path.Dir(name))
	}
	slices.Sort(folders)
	for _, folder := range slices.Compact(folders) {
		if info, err := fs.Stat(v.files, folder); err != nil || !info.IsDir() {
			continue // what a team has there cannot be read, which is said at the team
		}
		entries, err := fs.ReadDir(v.files, folder)
		if err != nil {
			v.note(1, 1, "", "folder "+show(folder)+" cannot be searched for teams' files: "+cause(err))
		}
		for _, e := range entries {
			if name := path.Join(folder, e.Name()); isYAML(name) && !slices.Contains(declared, name) {
				v.stray(name)
			}
		}
	}
}

// stray refuses a file that no team has, if it is a team's.
func (v value) stray(name string) {
	line, column, ok := teamKind(peek(v.files, name))
	if !ok {
		return
	}
	d := &decoder{run: v.run, file: beside(v.root, name)}
	d.note(line, column, "kind", "no team in "+v.root+" has this file: name it under teams, or take it away")
}

// peek returns what a file holds as far as a team's may, and nothing for what is no file or cannot be read: then it is
// nobody's.
func peek(files fs.FS, name string) []byte {
	// Asked before it is opened: opening a pipe would wait for somebody to write.
	if info, err := fs.Stat(files, name); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	file, err := files.Open(name)
	if err != nil {
		return nil
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxTeamFile))
	if err != nil {
		return nil
	}
	return data
}

var writtenTeamKind = regexp.MustCompile(`(?m)^kind[ \t]*:[ \t]*["']?` + TeamKind + `\b`)

// teamKind finds where a file says that it is a team's, in any of its documents. Of a file that is no YAML, as it may be
// halfway through being written, it looks at the lines.
func teamKind(data []byte) (line, column int, ok bool) {
	if !bytes.Contains(data, []byte(TeamKind)) {
		return 0, 0, false
	}
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
		root := document.Content[0]
		for i := 0; root.Kind == yaml.MappingNode && i+1 < len(root.Content); i += 2 {
			if key, value := root.Content[i], root.Content[i+1]; key.Value == "kind" && value.Value == TeamKind {
				return key.Line, key.Column, true
			}
		}
	}
}
