package completion

import (
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

// loginFlags are flags that two commands share.
type loginFlags struct {
	VaultAuth   string `enum:"token,kubernetes,approle,jwt" default:"token"`
	VaultRole   string
	VaultRoleID string
}

// testCommands is a command line with every kind of flag and argument that certsync has.
type testCommands struct {
	Validate struct {
		File string `short:"f" placeholder:"FILE"`
	} `cmd:""`
	Plan struct {
		File       string `short:"f" placeholder:"FILE"`
		Kubeconfig string `placeholder:"FILE"`
		Policy     string `enum:"sync,upsert-only,create-only" default:"sync"`
	} `cmd:""`
	Apply struct {
		loginFlags
		Policy string `enum:"sync,upsert-only,create-only" default:"sync"`
		Drift  bool
		Retry  []string
		Yes    bool   `short:"y"`
		Output string `short:"o" enum:"text,json" default:"text"`
		Hold   bool
	} `cmd:""`
	Preflight  struct{} `cmd:""`
	Completion struct {
		Shell string `arg:"" enum:"bash,zsh,fish"`
	} `cmd:""`
	Version struct{} `cmd:""`
	Secret  struct{} `cmd:"" hidden:""`
}

// offers returns the words that are offered for a command line. The last word is up to the cursor.
func offers(t *testing.T, words ...string) []string {
	t.Helper()
	parser, err := kong.New(&testCommands{}, kong.Name("certsync"))
	if err != nil {
		t.Fatal(err)
	}
	o := complete(parser.Model, words)
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
		"of a hidden command":                {[]string{"sec"}, nil},
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

// TestText: the scripts read a word, a tab and what it is about on each line, or that they should offer files.
func TestText(t *testing.T) {
	words := offer{words: []offeredWord{{"--yes", "Do not ask"}, {"text", ""}}}
	for want, o := range map[string]offer{"--yes\tDo not ask\ntext\t\n": words, ":files\n": {files: true}, "": {}} {
		if got := string(o.text()); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestScript: there is a script for each shell.
func TestScript(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if len(Script(shell)) == 0 {
			t.Errorf("none for %s", shell)
		}
	}
}

// TestFirstSentence: the text beside a word is its help's first sentence, without the default.
func TestFirstSentence(t *testing.T) {
	for help, want := range map[string]string{
		"Do not ask.": "Do not ask",
		"Where the KV v2 secrets engine is mounted (default: secret).": "Where the KV v2 secrets engine is mounted",
		"Show everything about this user. Repeatable.":                 "Show everything about this user",
		"": "",
	} {
		if got := firstSentence(help); got != want {
			t.Errorf("%q: %q, want %q", help, got, want)
		}
	}
}
