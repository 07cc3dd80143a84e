package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

// model is the command line as kong sees it.
func model(t *testing.T) *kong.Application {
	t.Helper()
	parser, err := kong.New(&cli{}, kong.Name("certsync"), kong.DefaultEnvars(envPrefix))
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model
}

// offers is what is offered for a command line, of which the last word is up to the cursor.
func offers(t *testing.T, words ...string) []string {
	t.Helper()
	o := complete(model(t), words)
	if o.files {
		return []string{":files"}
	}
	var offered []string
	for _, w := range o.words {
		offered = append(offered, w.word)
	}
	return offered
}

func TestComplete(t *testing.T) {
	for what, test := range map[string]struct {
		words []string
		want  []string
	}{
		"the beginning of a command":         {[]string{"pre"}, []string{"preflight"}},
		"of two commands":                    {[]string{"p"}, []string{"plan", "preflight"}},
		"of none":                            {[]string{"x"}, nil},
		"behind an unknown command":          {[]string{"plam", ""}, nil},
		"behind help":                        {[]string{"help", "pl"}, []string{"plan"}},
		"a flag without a command":           {[]string{"-"}, []string{"--help", "-h"}},
		"the beginning of a flag":            {[]string{"apply", "--vault-r"}, []string{"--vault-role", "--vault-role-id"}},
		"a whole flag":                       {[]string{"apply", "--policy"}, []string{"--policy"}},
		"a short flag":                       {[]string{"apply", "-y"}, []string{"-y"}},
		"a flag of another command":          {[]string{"validate", "--ye"}, nil},
		"a flag that is there already":       {[]string{"apply", "--hold", "--ho"}, nil},
		"and by its short name":              {[]string{"apply", "-y", "--y"}, nil},
		"a flag that may be repeated":        {[]string{"apply", "--retry", "a@example.com", "--retr"}, []string{"--retry"}},
		"behind --":                          {[]string{"apply", "--", "--"}, nil},
		"a flag's values":                    {[]string{"plan", "--policy", ""}, []string{"sync", "upsert-only", "create-only"}},
		"the beginning of a value":           {[]string{"plan", "--policy", "up"}, []string{"upsert-only"}},
		"values behind a short flag":         {[]string{"apply", "-o", ""}, []string{"text", "json"}},
		"behind several":                     {[]string{"apply", "-yo", "j"}, []string{"json"}},
		"in one word with it":                {[]string{"apply", "-oj"}, []string{"-ojson"}},
		"values behind =":                    {[]string{"apply", "--vault-auth="}, []string{"--vault-auth=token", "--vault-auth=kubernetes", "--vault-auth=approle", "--vault-auth=jwt"}},
		"the beginning of a value behind =":  {[]string{"apply", "--vault-auth=k"}, []string{"--vault-auth=kubernetes"}},
		"behind a value with =":              {[]string{"apply", "--policy=sync", "--dri"}, []string{"--drift"}},
		"a value that looks like a flag":     {[]string{"apply", "--policy", "--dri"}, nil},
		"behind such a value":                {[]string{"apply", "--owner-is-none", "--dri"}, []string{"--drift"}},
		"a value that is anybody's":          {[]string{"apply", "--vault-role", ""}, nil},
		"a value that looks like a command":  {[]string{"apply", "--vault-role", "plan", "--dri"}, []string{"--drift"}},
		"a switch has no values":             {[]string{"apply", "--yes="}, nil},
		"an unknown flag has none either":    {[]string{"apply", "--nope="}, nil},
		"files behind a flag":                {[]string{"plan", "-f", ""}, []string{":files"}},
		"the beginning of a file":            {[]string{"plan", "--file", "us"}, []string{":files"}},
		"files behind =":                     {[]string{"plan", "--kubeconfig="}, []string{":files"}},
		"files in one word with the flag":    {[]string{"plan", "-fus"}, []string{":files"}},
		"an argument's values":               {[]string{"completion", ""}, []string{"bash", "zsh", "fish"}},
		"the beginning of an argument":       {[]string{"completion", "z"}, []string{"zsh"}},
		"an argument behind --":              {[]string{"completion", "--", "f"}, []string{"fish"}},
		"behind the only argument":           {[]string{"completion", "zsh", "b"}, nil},
		"behind an argument that is unknown": {[]string{"version", "it", ""}, []string{"--help"}},
		"nothing at all":                     {nil, nil},
	} {
		t.Run(what, func(t *testing.T) {
			if diff := cmp.Diff(test.want, offers(t, test.words...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestCompleteAll: every command is offered, of each command every flag, and of each flag its values or files. What is
// hidden is not.
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

// TestFirstSentence: what stands beside a word is short, and says no more than what it is.
func TestFirstSentence(t *testing.T) {
	for help, want := range map[string]string{
		"Do not ask.": "Do not ask",
		"Where the KV v2 secrets engine is mounted (default: secret).": "Where the KV v2 secrets engine is mounted",
		"All about this user. Repeatable.":                             "All about this user",
		"":                                                             "",
	} {
		if got := firstSentence(help); got != want {
			t.Errorf("%q: %q, want %q", help, got, want)
		}
	}
}
