package reconcile_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the messages into examples/troubleshooting")

const troubleshooting = "../examples/troubleshooting"

// row is a line of a table there: the message's key, the message, and its cause.
var row = regexp.MustCompile(`(?m)^\| <!--(\S+?)--> (.*?) \| (.*) \|\n`)

// TestTroubleshooting: each error with a hint, each refusal and each kind of note has a line with its cause, and no line is left
// over. -update writes the messages into the lines as they are now. A line that lacks is written by hand.
func TestTroubleshooting(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(troubleshooting, "*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no documents (%v)", err)
	}
	wanted := map[string]string{}
	all := messages(t)
	for _, m := range all {
		wanted[m.key] = m.text
	}
	if len(all) < 150 || len(wanted) != len(all) {
		t.Fatalf("%d messages, %d keys", len(all), len(wanted))
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text := explained(t, name, string(data), wanted)
		if *update && text != string(data) {
			if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, m := range all {
		if _, lacks := wanted[m.key]; lacks {
			t.Errorf("examples/troubleshooting has no line: | <!--%s--> %s | cause |", m.key, m.text)
		}
	}
}

// explained compares the lines of a document with the messages, which it takes out of wanted. It returns the document with the
// messages as they are now.
func explained(t *testing.T, name, text string, wanted map[string]string) string {
	return row.ReplaceAllStringFunc(text, func(line string) string {
		m := row.FindStringSubmatch(line)
		key, says, cause := m[1], m[2], strings.TrimSpace(m[3])
		want, is := wanted[key]
		delete(wanted, key)
		switch {
		case !is:
			t.Errorf("%s: there is no message %s (any more, or it has two lines): %s", name, key, cause)
		case wordsIn(cause) < 3:
			t.Errorf("%s: %s has no cause", name, key)
		case says != want && !*update:
			t.Errorf("%s: %s is %s now, not %s: run go test ./reconcile -run TestTroubleshooting -update", name, key, want, says)
		}
		if !is {
			return line
		}
		return fmt.Sprintf("| <!--%s--> %s | %s |\n", key, want, cause)
	})
}
