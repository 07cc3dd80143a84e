package strict

import (
	"testing"
	"unicode/utf8"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// FuzzMarks: a document has no more nodes than marks says.
func FuzzMarks(f *testing.F) {
	for _, text := range []string{
		"{a,b,? c,? ,d: e}", "[a: b,? c,{},[],\"\":]", "? - a\n: - - b\n  -\n? \n", "- - a\n -\n-",
		"kind: Inventory\nusers: [{name: a, groups: [g]}] # the end\n", "%TAG ! a\n--- !b {}\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var document yaml.Node
		if yaml.Unmarshal(data, &document) != nil || !utf8.Valid(data) {
			return
		}
		if n := nodes(document.Content); n > marks(data) {
			t.Fatalf("%d nodes, counted as %d", n, marks(data))
		}
	})
}

func nodes(all []*yaml.Node) int {
	n := len(all)
	for _, node := range all {
		n += nodes(node.Content)
	}
	return n
}
