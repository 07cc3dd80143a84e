//go:build unix

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
)

// TestCommandLine runs the command line in each folder of testdata: args has one argument a line, env one variable.
// stdout, stderr and code are what must come of it; an empty one is left out. $CLUSTER and $VAULT are servers that
// answer, $CA the cluster's, $CLOSED an address where nothing listens, $SELF certsync's own file, $ALICES_KEY what it says.
func TestCommandLine(t *testing.T) {
	folders, err := filepath.Glob("testdata/*/args")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no golden folders (%v)", err)
	}
	cluster, ca := newCluster(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]string{"$CLUSTER": cluster, "$CA": ca, "$VAULT": newVault(t), "$CLOSED": fixture.ClosedAddress(t), "$SELF": self}
	maps.Copy(places, storedPlaces)
	for _, folder := range folders {
		folder = filepath.Dir(folder)
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			copyFolder(t, folder, dir, places)
			got := run(t, process(t, dir, linesOf(t, dir, "env"), linesOf(t, dir, "args")))
			fixture.Golden(t, filepath.Join(folder, "stdout"), sameEveryTime(got.stdout, dir, places))
			fixture.Golden(t, filepath.Join(folder, "stderr"), sameEveryTime(got.stderr, dir, places))
			fixture.Golden(t, filepath.Join(folder, "code"), fmt.Sprintln(got.code))
		})
	}
}

// copyFolder copies a golden folder, with the places filled in.
func copyFolder(t *testing.T, from, to string, places map[string]string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		below := filepath.Join(to, strings.TrimPrefix(path, from))
		if err != nil || entry.IsDir() {
			return errors.Join(err, os.MkdirAll(below, 0o700))
		}
		text, err := os.ReadFile(path)
		filled := string(text)
		for place, value := range places {
			filled = strings.ReplaceAll(filled, place+"\n", value+"\n")
		}
		return errors.Join(err, os.WriteFile(below, []byte(filled), 0o600))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func linesOf(t *testing.T, dir, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

var varying = []struct {
	found *regexp.Regexp
	shown string
}{
	{regexp.MustCompile(`"run":"[0-9a-f]{16}"`), `"run":"$$RUN"`},
	{regexp.MustCompile(`"(time|at)":"[^"]+"`), `"${1}":"$$TIME"`},
	{regexp.MustCompile(`(The certificate is valid until |The certificates are valid at least until )\S+\.`), `${1}$$TIME.`},
	{regexp.MustCompile(`[0-9]s off the`), `1s off the`},
	// The plan's digest covers the server's address and CA; the inventory's is the same every time.
	{regexp.MustCompile(`(Digest: |Digest\*\*: .|--expect |digest is |"digest":")sha256:[0-9a-f]{64}`), `${1}sha256:$$DIGEST`},
	{regexp.MustCompile("([ `])[0-9a-f]{12}([ `])"), `${1}$$DIGESTSHORT${2}`}, // in a table of clusters
	{regexp.MustCompile(`"caSHA256":"[0-9a-f]{64}"`), `"caSHA256":"$$DIGEST"`},
	{regexp.MustCompile(`(listing [a-z]+|reading Lease [a-z/-]+): reaching`), `listing $$SOMETHING: reaching`}, // which comes first
}

// sameEveryTime takes out what differs from run to run.
func sameEveryTime(text, dir string, places map[string]string) string {
	for place, value := range places {
		text = strings.ReplaceAll(text, value, place)
	}
	text = strings.ReplaceAll(text, dir, "$DIR")
	text = strings.ReplaceAll(text, versionName(), "$VERSION")
	for _, v := range varying {
		text = v.found.ReplaceAllString(text, v.shown)
	}
	return text
}
