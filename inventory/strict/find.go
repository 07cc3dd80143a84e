package strict

import (
	"bytes"
	"errors"
	"io"
	"regexp"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// Find returns where data says, in the root of any of its documents, that text stands under key. Of what is no YAML, as it
// may be halfway through being written, it looks at the lines.
func Find(data []byte, key, text string) (line, column int, ok bool) {
	for documents := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var document yaml.Node
		switch err := documents.Decode(&document); {
		case errors.Is(err, io.EOF):
			return 0, 0, false
		case err != nil:
			written := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(key) + `[ \t]*:[ \t]*["']?` + regexp.QuoteMeta(text) + `\b`)
			if place := written.FindIndex(data); place != nil {
				return bytes.Count(data[:place[0]], []byte("\n")) + 1, 1, true
			}
			return 0, 0, false
		}
		if found, ok := (Value{node: document.Content[0]}).Says(key, text); ok {
			return found.node.Line, found.node.Column, true
		}
	}
}
