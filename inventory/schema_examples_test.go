package inventory

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/certsync/certsync/inventory/strict"
)

// example is a text with the kind of file that it is to be.
type example struct{ kind, text string }

// goodExamples are all texts that there are and the parser takes, by where they stand.
func goodExamples(t *testing.T) map[string]example {
	t.Helper()
	good := map[string]example{"the digest's": {Kind, digestBase}, "with a team": {Kind, withTeam}, "three clusters": {Kind, threeClusters}, "a team's": {TeamKind, teamHeader + "users: [{name: bob}]"}}
	for sentence, text := range accepted {
		good["accepted: "+sentence] = example{Kind, text}
	}
	for sentence, c := range ends {
		good["ends: "+sentence] = example{Kind, header + "users: [{name: a, until: " + c.written + "}]"}
	}
	for where, text := range examplesOnDisk(t) {
		if !isBad(t, where, text) {
			good[where] = example{kindOf(text), text}
		}
	}
	return good
}

// badExamples are all texts that there are and the parser refuses for what stands in themselves.
func badExamples(t *testing.T) map[string]example {
	t.Helper()
	bad := map[string]example{}
	for table, refusals := range map[string]map[string]refusal{
		"document": documentRefusals, "field": fieldRefusals, "name": nameRefusals, "time": timeRefusals, "cluster": clusterRefusals, "grant": grantRefusals, "team": teamRefusals, "clusters": clustersRefusals,
	} {
		for sentence, c := range refusals {
			bad[table+": "+sentence] = example{Kind, c.text}
		}
	}
	for sentence, c := range fileRefusals {
		bad["file: "+sentence] = example{TeamKind, c.text}
	}
	for where, text := range examplesOnDisk(t) {
		if isBad(t, where, text) {
			bad[where] = example{kindOf(text), text}
		}
	}
	return bad
}

var kindForm = regexp.MustCompile(`(?m)^kind: (Inventory|TeamInventory)$`)

func kindOf(text string) string {
	if m := kindForm.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// examplesOnDisk are the inventories and teams' files in testdata, in the golden folders of the command line, in examples
// and in the documents there, by where they are.
func examplesOnDisk(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, top := range []string{"testdata", "../cmd/certsync/testdata", "../examples"} {
		err := filepath.WalkDir(top, func(path string, entry os.DirEntry, err error) error {
			document := strings.HasSuffix(path, ".md")
			if err != nil || entry.IsDir() || !isYAML(path) && !document {
				return err
			}
			text, err := os.ReadFile(path)
			if document {
				maps.Copy(found, blocks(path, string(text)))
			} else if kindOf(string(text)) != "" {
				found[filepath.ToSlash(path)] = string(text)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(found) < 40 {
		t.Fatalf("only %d examples on the disk", len(found))
	}
	return found
}

// blocks are the inventories and teams' files in a document, by their place in it.
func blocks(path, document string) map[string]string {
	found := map[string]string{}
	for i, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(document, -1) {
		if kindOf(m[1]) != "" {
			found[fmt.Sprintf("%s, block %d", filepath.ToSlash(path), i)] = m[1]
		}
	}
	return found
}

// isBlock says whether an example stands in a document.
func isBlock(where string) bool { return strings.Contains(where, ", block ") }

// isBad parses an example where it stands, and says whether something in itself is wrong. A team's file is read with its
// inventory, which lies beside or above it.
func isBad(t *testing.T, where, text string) bool {
	t.Helper()
	own, err := where, error(nil)
	switch team := kindOf(text) == TeamKind; {
	case team && isBlock(where):
		own = "teams/payments.yaml"
		_, err = parseFile("users.yaml", []byte(strings.ReplaceAll(withTeam, "dev", "payments-dev")), filesOf(own, text))
	case team:
		root := filepath.Join(filepath.Dir(where), "users.yaml")
		if _, err := os.Stat(root); err != nil {
			root = filepath.Join(filepath.Dir(where), "../users.yaml")
		}
		_, err = LoadFile(root)
	case isBlock(where):
		files := fstest.MapFS{}
		if strings.Contains(text, "teams/payments.yaml") {
			files = filesOf("teams/payments.yaml", teamHeader+"users: []")
		}
		_, err = parseFile(where, []byte(text), files)
	case where == "testdata/full.yaml":
		_, err = parseFile(where, []byte(text), filesOf("ca.crt", string(certificate(t))))
	default:
		_, err = LoadFile(where)
	}
	problems := strict.Problems{}
	if err != nil && !errors.As(err, &problems) {
		t.Fatal(err)
	}
	return slices.ContainsFunc(problems, func(p strict.Problem) bool { return filepath.ToSlash(p.File) == own })
}
