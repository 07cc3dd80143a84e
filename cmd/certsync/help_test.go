package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// helps are the helps that there are, as they are printed: the first one, and each command's.
func helps(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{"": within(t, t.Context(), "--help").stdout}
	for command := range commands(t) {
		all[command] = within(t, t.Context(), command, "--help").stdout
	}
	return all
}

// TestHelpFits: no line of any help is wider than a terminal.
func TestHelpFits(t *testing.T) {
	for command, help := range helps(t) {
		for line := range strings.SplitSeq(help, "\n") {
			if len([]rune(line)) > 80 {
				t.Errorf("%s --help: %q", command, line)
			}
		}
	}
}

// TestHelpTwice: whoever asks as in other programs gets the same.
func TestHelpTwice(t *testing.T) {
	for command, help := range helps(t) {
		for _, args := range [][]string{{"help", command}, {command, "-h"}, {"--help", command}} {
			if command == "" {
				args = []string{strings.TrimSpace(strings.Join(args, ""))}
			}
			if diff := cmp.Diff(help, within(t, t.Context(), args...).stdout); diff != "" {
				t.Errorf("%q: %s", args, diff)
			}
		}
	}
}

// TestExamples: each help has examples, and they are right.
func TestExamples(t *testing.T) {
	for command, help := range helps(t) {
		t.Run(command+" --help", func(t *testing.T) {
			t.Parallel()
			examples := indented(help)
			if want := strings.TrimSpace("certsync " + command); !strings.Contains(strings.Join(examples, "\n"), want) {
				t.Errorf("there is no example of %s", want)
			}
			tryExamples(t, examples)
		})
	}
}

// called is a call of certsync's.
var called = regexp.MustCompile(`\bcertsync [a-z]`)

// indented are the lines of a text that are set off from it, without comments.
func indented(text string) []string {
	var lines []string
	for _, m := range regexp.MustCompile(`(?m)^ {4}(\S.*)$`).FindAllStringSubmatch(text, -1) {
		line, _, _ := strings.Cut(strings.ReplaceAll(m[1], "sha256:…", exampleDigest), " #")
		lines = append(lines, line)
	}
	return lines
}

// tryExamples has bash run lines, with a certsync that does no more than read its flags and their values, and with no other
// program but a jq that finds what it is asked for.
func tryExamples(t *testing.T, lines []string) {
	t.Helper()
	script := strings.Join(lines, "\n")
	dir := t.TempDir()
	for _, m := range regexp.MustCompile(`(?:~|> )(/?[^\s~]\S*)/`).FindAllStringSubmatch(script, -1) {
		if err := os.MkdirAll(filepath.Join(dir, m[1]), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	record := filepath.Join(dir, "record")
	cmd := bashCommand(t, dir, "-c", "PATH=$PWD/bin; jq() { read -r line; echo \"$line\"; }\n"+script)
	cmd.Env = append(cmd.Env, "TEST_BINARY_RECORDS="+record, "CI_JWT_FILE=jwt", "VAULT_ADDR=https://vault.example.com:8200")
	output := run(t, cmd)
	text, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	for line := range strings.Lines(string(text)) {
		calls++
		if !strings.HasSuffix(line, ": <nil>\n") {
			t.Error(line)
		}
	}
	if want := len(called.FindAllString(script, -1)); calls != want {
		t.Errorf("%d of %d examples were run:\n%s%s", calls, want, text, output.stderr)
	}
}

// exampleDigest stands for any digest, where an example has none or asks for one.
var exampleDigest = "sha256:" + strings.Repeat("4e", 32)

// recordArguments is certsync in examples: it writes down what is wrong with its command line, and prints a digest.
func recordArguments(record string, args []string) int {
	file, err := os.OpenFile(record, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitError
	}
	defer file.Close()
	parser, err := newParser(io.Discard, os.Stderr)
	if err == nil {
		_, err = parser.Parse(byHabit(args))
	}
	fmt.Fprintf(file, "%q: %v\n", args, err)
	fmt.Println(exampleDigest)
	return exitOK
}
