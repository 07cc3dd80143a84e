package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/cmd/certsync/internal/completion"
)

// model is certsync's command line as kong sees it.
func model(t *testing.T) *kong.Application {
	t.Helper()
	parser, err := kong.New(&cli{}, kong.Name("certsync"), kong.DefaultEnvars(envPrefix))
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model
}

// offers returns the words that certsync offers for a command line, of which the last word is up to the cursor.
func offers(t *testing.T, words ...string) []string {
	t.Helper()
	var offered []string
	for line := range strings.Lines(string(completion.Complete(model(t), words))) {
		word, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		offered = append(offered, word)
	}
	return offered
}

// TestCompleteAll: every command is offered, for each command every flag, and for each flag its values or files.
func TestCompleteAll(t *testing.T) {
	app := model(t)
	var names []string
	for _, command := range app.Children {
		if command.Hidden {
			continue
		}
		names = append(names, command.Name)
		var flags []string
		for _, flag := range slices.Concat(command.AllFlags(true)...) {
			flags = append(flags, "--"+flag.Name)
			values := offers(t, command.Name, "--"+flag.Name, "")
			var want []string
			switch {
			case flag.IsBool():
				continue
			case flag.Enum != "":
				want = strings.Split(flag.Enum, ",")
			case flag.PlaceHolder == "FILE":
				want = []string{":files"}
			}
			if diff := cmp.Diff(want, values); diff != "" {
				t.Errorf("%s --%s: %s", command.Name, flag.Name, diff)
			}
			if file := strings.HasSuffix(flag.Name, "-file") || strings.HasSuffix(flag.Name, "-key"); file && flag.PlaceHolder != "FILE" {
				t.Errorf("%s --%s is a file, and its placeholder is %q", command.Name, flag.Name, flag.PlaceHolder)
			}
		}
		offered := slices.DeleteFunc(offers(t, command.Name, "-"), func(word string) bool { return !strings.HasPrefix(word, "--") })
		if diff := cmp.Diff(flags, offered); diff != "" {
			t.Errorf("%s: %s", command.Name, diff)
		}
	}
	if diff := cmp.Diff(names, offers(t, "")); diff != "" {
		t.Error(diff)
	}
}
