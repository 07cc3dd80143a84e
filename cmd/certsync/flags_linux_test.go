package main

import (
	"strings"
	"testing"
)

// TestInventoryOutsideAFile: a folder or a device in place of the inventory gets a hint, from every command that reads it.
func TestInventoryOutsideAFile(t *testing.T) {
	for _, command := range []string{"validate", "plan", "manifests --vault"} {
		for _, path := range []string{t.TempDir(), "/dev/null"} {
			r := within(t, t.Context(), append(strings.Fields(command), "-f", path)...)
			if r.code != exitError || !strings.HasSuffix(r.stderr, "not a regular file\nhint: set -f to a file: certsync reads the inventory from no folder, pipe or device\n") {
				t.Errorf("%s: exit %d, %q", command, r.code, r.stderr)
			}
		}
	}
}
