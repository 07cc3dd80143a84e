package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/inventory"
)

const examples = "../../examples"

// TestSchemasInExamples are what schema prints. -update writes them.
func TestSchemasInExamples(t *testing.T) {
	for _, kind := range []string{"inventory", "team"} {
		fixture.Golden(t, filepath.Join(examples, "schema", kind+".json"), within(t, t.Context(), "schema", kind).stdout)
	}
	if diff := cmp.Diff(within(t, t.Context(), "schema", "inventory").stdout, within(t, t.Context(), "schema").stdout); diff != "" {
		t.Error(diff)
	}
}

// TestExamplesNameTheirSchema: every example of an inventory and of a team's file begins with the line that editors look
// for, and the file that it names is the schema of its kind.
func TestExamplesNameTheirSchema(t *testing.T) {
	found := 0
	err := filepath.WalkDir(examples, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) == ".md" {
			return err
		}
		text, err := os.ReadFile(path)
		kind := regexp.MustCompile(`(?m)^kind: (Inventory|TeamInventory)$`).FindStringSubmatch(string(text))
		if kind == nil {
			return err
		}
		found++
		first, _, _ := strings.Cut(string(text), "\n")
		schema, ok := strings.CutPrefix(first, "# yaml-language-server: $schema=")
		want := map[string]string{inventory.Kind: "inventory.json", inventory.TeamKind: "team.json"}[kind[1]]
		_, missing := os.Stat(filepath.Join(filepath.Dir(path), schema))
		if !ok || filepath.Base(schema) != want || missing != nil {
			t.Errorf("%s begins with %q (%v)", path, first, missing)
		}
		return err
	})
	if err != nil || found < 5 {
		t.Errorf("%d examples, %v", found, err)
	}
}

// TestExampleOfTeams: the inventory reads its teams' files, and CODEOWNERS gives each of those to somebody else than the
// rest, beginning with the inventory itself.
func TestExampleOfTeams(t *testing.T) {
	file, files, err := inventory.LoadFiles(filepath.Join(examples, "teams/users.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	inv, err := file.Only()
	if err != nil {
		t.Fatal(err)
	}
	owners, err := os.ReadFile(filepath.Join(examples, "teams/CODEOWNERS"))
	if err != nil {
		t.Fatal(err)
	}
	ownerOf := func(file string) (owner string) {
		for _, line := range strings.Split(string(owners), "\n") {
			if fields := strings.Fields(line); len(fields) == 2 && (fields[0] == "*" || fields[0] == "/"+file) {
				owner = fields[1]
			}
		}
		return owner
	}
	seen := map[string]string{}
	for file := range files {
		if other, taken := seen[ownerOf(file)]; taken || ownerOf(file) == "" {
			t.Errorf("%s has the owner %q, as %s", file, ownerOf(file), other)
		}
		seen[ownerOf(file)] = file
	}
	if len(files) != 3 || len(inv.Users) != 5 {
		t.Errorf("%d files, %d users", len(files), len(inv.Users))
	}
}

// TestExampleInventories: certsync takes them.
func TestExampleInventories(t *testing.T) {
	for _, pattern := range []string{"*.yaml", "*/*.yaml"} {
		paths, err := filepath.Glob(filepath.Join(examples, pattern))
		if err != nil || len(paths) == 0 {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), "\nkind: Inventory\n") {
				continue
			}
			if _, err := inventory.LoadFile(path); err != nil {
				t.Error(err)
			}
		}
	}
}
