package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/certsync/certsync/cmd/certsync/internal/exit"
	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
)

// TestReference compares the reference of commands and flags with the program. -update writes it.
func TestReference(t *testing.T) {
	parser, err := newParser(io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	own, shared := dividedFlags(parser.Model)
	fixture.Golden(t, "README.md", overview(parser.Model))
	fixture.Golden(t, "commands.md", commandReference(parser.Model, own, false))
	fixture.Golden(t, "users.md", commandReference(parser.Model, own, true))
	fixture.Golden(t, "flags.md", flagReference(shared))
}

// TestEveryExitCodeIsExplained: each exit code in the help of a command is in the reference, and has a text.
func TestEveryExitCodeIsExplained(t *testing.T) {
	known := map[string]bool{}
	for _, e := range exit.Codes {
		known[fmt.Sprint(e.Code)] = e.Brief != "" && e.Meaning != "" && e.Action != ""
	}
	found := map[string]bool{}
	for command, help := range helps(t) {
		_, codes, _ := strings.Cut(strings.Join(strings.Fields(help), " "), "Exit codes: ")
		for _, code := range regexp.MustCompile(`(?:^|; )([0-9]+) [a-z]`).FindAllStringSubmatch(codes, -1) {
			if found[code[1]] = true; !known[code[1]] {
				t.Errorf("%s: exit code %s is not explained", command, code[1])
			}
		}
	}
	if len(found) != len(exit.Codes) {
		t.Errorf("the helps name %v, and there are %d exit codes", found, len(exit.Codes))
	}
}

// sharedFlags are flags that the same commands have, in groups of these commands.
type sharedFlags struct {
	commands string
	flags    []*kong.Flag
}

const generated = "<!-- Generated from the program: go test ./cmd/certsync -run TestReference -update -->\n"

// overview is the Markdown text of README.md: commands, exit codes and variables.
func overview(model *kong.Application) string {
	var b strings.Builder
	b.WriteString(generated + "# certsync: the reference\n\n" +
		"`certsync COMMAND --help` shows the flags of a command, with examples. The same is in [commands](commands.md), and in [users](users.md) for the commands of users. Flags that several commands have are in [flags](flags.md).\n\n" +
		"| Command | Purpose |\n|:--|:--|\n")
	for _, command := range model.Children {
		file := "commands.md"
		if forUsers(command) {
			file = "users.md"
		}
		fmt.Fprintf(&b, "| [%[1]s](%[2]s#certsync-%[1]s) | %[3]s |\n", command.Name, file, markdownCell(command.Help))
	}
	b.WriteString("\n## Exit codes\n\n| Code | Meaning | What to do |\n|--:|:--|:--|\n")
	for _, e := range exit.Codes {
		fmt.Fprintf(&b, "| %d | %s | %s |\n", e.Code, markdownText(e.Meaning), markdownText(e.Action))
	}
	b.WriteString("\nIf the job in the cluster exits 3, see [Exit code 3 at night](../../examples/incidents/README.md#exit-code-3-at-night).\n")
	fmt.Fprintf(&b, "\n## Environment\n\n%s\n\n| Variable | Meaning |\n|:--|:--|\n", markdownText(environmentHelp))
	for _, v := range environmentVariables {
		fmt.Fprintf(&b, "| %s | %s |\n", regexp.MustCompile(`[A-Z_]{5,}`).ReplaceAllString(v.name, "`$0`"), markdownText(v.meaning))
	}
	return b.String()
}

// forUsers reports whether a command is for the users of clusters, and not for their administrators.
func forUsers(command *kong.Node) bool { return strings.HasPrefix(command.Help, "For users: ") }

// commandReference is the Markdown text of commands.md, or of users.md: each command with the flags that it alone has.
func commandReference(model *kong.Application, own map[string][]*kong.Flag, users bool) string {
	title := "Commands"
	if users {
		title = "Commands of users"
	}
	var b strings.Builder
	b.WriteString(generated + "# " + title + "\n\nEach command also has [flags that it shares](flags.md) with others.\n")
	for _, command := range model.Children {
		if forUsers(command) != users {
			continue
		}
		fmt.Fprintf(&b, "\n## certsync %s\n\n%s\n", command.Name, markdownText(purpose(command)))
		if len(command.Positional) > 0 {
			b.WriteString("\n| Argument | Values |\n|:--|:--|\n")
			for _, argument := range command.Positional {
				fmt.Fprintf(&b, "| `%s` | %s |\n", strings.ToUpper(argument.Name), markdownCell(argument.Help))
			}
		}
		writeFlags(&b, own[command.Name])
	}
	return b.String()
}

// flagReference is the Markdown text of flags.md.
func flagReference(shared []sharedFlags) string {
	var b strings.Builder
	b.WriteString(generated + "# Flags of several commands\n")
	for _, s := range shared {
		fmt.Fprintf(&b, "\n## %s\n", s.commands)
		writeFlags(&b, s.flags)
	}
	return b.String()
}

// dividedFlags returns each command's own flags, and the flags that several commands have with the same meaning.
func dividedFlags(model *kong.Application) (own map[string][]*kong.Flag, shared []sharedFlags) {
	users := map[string][]string{}
	key := func(f *kong.Flag) string { return f.Name + "\x00" + f.Help }
	for _, command := range model.Children {
		for _, f := range command.Flags {
			users[key(f)] = append(users[key(f)], command.Name)
		}
	}
	own = map[string][]*kong.Flag{}
	seen := map[string]bool{}
	for _, command := range model.Children {
		for _, f := range command.Flags {
			commands := strings.Join(users[key(f)], ", ")
			switch {
			case len(users[key(f)]) == 1:
				own[command.Name] = append(own[command.Name], f)
				continue
			case seen[key(f)]:
				continue
			}
			seen[key(f)] = true
			i := slices.IndexFunc(shared, func(s sharedFlags) bool { return s.commands == commands })
			if i < 0 {
				i, shared = len(shared), append(shared, sharedFlags{commands: commands})
			}
			shared[i].flags = append(shared[i].flags, f)
		}
	}
	return own, shared
}

// purpose is the beginning of a command's help: the paragraphs before the examples.
func purpose(command *kong.Node) string {
	var paragraphs []string
	for p := range strings.SplitSeq(command.Detail, "\n\n") {
		if strings.HasPrefix(p, " ") {
			break
		}
		if strings.HasSuffix(p, ":") { // its last sentence belongs to an example
			p = p[:strings.LastIndex(". "+p, ". ")]
		}
		if p != "" {
			paragraphs = append(paragraphs, p)
		}
	}
	return strings.Join(paragraphs, "\n\n")
}

// defaultText is the end of a flag's help that says its default.
var defaultText = regexp.MustCompile(` \(default: (.*)\)\.$`)

func writeFlags(b *strings.Builder, flags []*kong.Flag) {
	if len(flags) == 0 {
		return
	}
	b.WriteString("\n| Flag | Default | Meaning |\n|:--|:--|:--|\n")
	for _, f := range flags {
		name := "--" + f.Name
		if f.PlaceHolder != "" {
			name += "=" + f.PlaceHolder
		}
		if f.Short != 0 {
			name = "-" + string(f.Short) + ", " + name
		}
		byDefault := ""
		if m := defaultText.FindStringSubmatch(f.Help); m != nil {
			byDefault = m[1]
		}
		meaning := defaultText.ReplaceAllString(f.Help, ".")
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", strings.ReplaceAll(name, "|", `\|`), markdownCell(byDefault), markdownCell(meaning))
	}
}

// codeWord is a word that Markdown could change, or that a reader types: a flag, a variable, a file or a path.
var codeWord = regexp.MustCompile(`certsync (?:validate|plan|apply|status|review|revocations|kubeconfig|credential|preflight|export|manifests)\b(?: --?[a-z-]+)*|--[a-z][a-z=-]*[a-z](?: (?:FILE|NAME|ID)\b)?|\$?\b[A-Z]+_[A-Z_]+\b|\$KUBECONFIG|~/[\w./-]*[\w/]|\*/30 \* \* \* \*|(?:users|ledger)/`)

// markdownText sets the words of a help text that are code.
func markdownText(text string) string {
	parts := strings.Split(text, "`")
	for i := 0; i < len(parts); i += 2 { // the others are in backticks
		parts[i] = codeWord.ReplaceAllString(parts[i], "`$0`")
	}
	return strings.Join(parts, "`")
}

func markdownCell(text string) string { return strings.ReplaceAll(markdownText(text), "|", `\|`) }
