package reconcile_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// maxPackage is how many lines a package may have without its tests. A larger one has more than one subject.
const maxPackage = 3000

// TestPackagesAreSmall counts the lines of the program's packages.
func TestPackagesAreSmall(t *testing.T) {
	for dir := range arrows {
		lines := 0
		for path := range goFiles(t, filepath.Join("..", dir)) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			lines += bytes.Count(text, []byte("\n"))
		}
		if lines > maxPackage {
			t.Errorf("package %s has %d lines, over %d: move a subject of it into a package of its own", dir, lines, maxPackage)
		}
	}
}
