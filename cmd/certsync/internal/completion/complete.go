package completion

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Command is the first word of a call by a completion script; the words of the command line follow. It is no command of
// kong's, which would refuse half a command line.
const Command = "__complete"

// filePlaceholder is the placeholder of every flag that names a file.
const filePlaceholder = "FILE"

// Complete returns the completions of the last word, for the scripts. Each line has a word, a tab and a description. If the
// shell should offer file names, the only line is ":files".
func Complete(commands *kong.Application, words []string) []byte {
	return complete(commands, words).text()
}

// offer holds the possible words at the cursor.
type offer struct {
	files bool
	words []offeredWord
}

type offeredWord struct {
	word, about string
}

func (o offer) text() []byte {
	if o.files {
		return []byte(":files\n")
	}
	var text []byte
	for _, w := range o.words {
		text = fmt.Appendf(text, "%s\t%s\n", w.word, w.about)
	}
	return text
}

func (o *offer) add(word, start, help string) {
	if strings.HasPrefix(word, start) {
		o.words = append(o.words, offeredWord{word, firstSentence(help)})
	}
}

// firstSentence shortens a help text for a list of words.
func firstSentence(help string) string {
	help, _, _ = strings.Cut(help, ". ")
	help, _, _ = strings.Cut(help, " (default: ")
	return strings.TrimSuffix(help, ".")
}

func complete(commands *kong.Application, words []string) offer {
	if len(words) == 0 {
		return offer{}
	}
	if len(words) > 1 && words[0] == "help" {
		words = words[1:]
	}
	last := words[len(words)-1]
	l := commandLine{node: commands.Node, given: map[*kong.Flag]bool{}}
	for _, word := range words[:len(words)-1] {
		l.read(word)
	}
	if l.node == nil {
		return offer{}
	}
	name, value, assigned := strings.Cut(last, "=")
	switch {
	case l.valueOf != nil:
		return offerValues(l.valueOf.Value, "", last)
	case l.argumentsOnly || !strings.HasPrefix(last, "-"):
		return l.offerWords(last)
	case !strings.HasPrefix(last, "--") && len(last) > 2:
		if flag := l.flag(last[:2]); flag != nil && takesValue(flag) {
			return offerValues(flag.Value, last[:2], last)
		}
		return offer{}
	case assigned:
		if flag := l.flag(name); flag != nil && takesValue(flag) {
			return offerValues(flag.Value, name+"=", name+"="+value)
		}
		return offer{}
	}
	return l.offerFlags(last)
}

// commandLine is the state of the command line before the cursor.
type commandLine struct {
	node          *kong.Node // the application, or a command; nil: an unknown command
	given         map[*kong.Flag]bool
	valueOf       *kong.Flag // the next word is the value of this flag
	arguments     int
	argumentsOnly bool // after --
}

// read takes in the next word before the cursor.
func (l *commandLine) read(word string) {
	switch {
	case l.node == nil:
	case l.valueOf != nil:
		l.valueOf = nil
	case l.argumentsOnly || !strings.HasPrefix(word, "-") || word == "-":
		l.readArgument(word)
	case word == "--":
		l.argumentsOnly = true
	case strings.HasPrefix(word, "--"):
		name, _, assigned := strings.Cut(word, "=")
		l.readFlag(l.flag(name), assigned)
	default: // -y, -yf, -fusers.yaml
		for i, letter := range word[1:] {
			flag := l.flag("-" + string(letter))
			rest := i+1+len(string(letter)) < len(word)
			l.readFlag(flag, rest)
			if flag == nil || takesValue(flag) {
				return
			}
		}
	}
}

func (l *commandLine) readArgument(word string) {
	if l.node.Type != kong.ApplicationNode {
		l.arguments++
		return
	}
	i := slices.IndexFunc(l.node.Children, func(command *kong.Node) bool { return command.Name == word })
	if i < 0 {
		l.node = nil
		return
	}
	l.node = l.node.Children[i]
}

func (l *commandLine) readFlag(flag *kong.Flag, hasValue bool) {
	if flag == nil {
		return
	}
	l.given[flag] = true
	if takesValue(flag) && !hasValue {
		l.valueOf = flag
	}
}

func takesValue(flag *kong.Flag) bool { return !flag.IsBool() && !flag.IsCounter() }

func (l *commandLine) flags() []*kong.Flag { return slices.Concat(l.node.AllFlags(true)...) }

// flag returns the flag that a word such as --file or -f names, or nil.
func (l *commandLine) flag(word string) *kong.Flag {
	for _, flag := range l.flags() {
		if word == "--"+flag.Name || word == shortName(flag) {
			return flag
		}
	}
	return nil
}

// shortName is a flag's name of one letter, or "".
func shortName(flag *kong.Flag) string {
	if flag.Short == 0 {
		return ""
	}
	return "-" + string(flag.Short)
}

// offerWords offers commands or the values of an argument. After the last argument it offers flags, if nothing is typed yet.
func (l *commandLine) offerWords(start string) offer {
	switch {
	case l.node.Type == kong.ApplicationNode:
		var found offer
		for _, command := range l.node.Children {
			if !command.Hidden {
				found.add(command.Name, start, command.Help)
			}
		}
		return found
	case l.arguments < len(l.node.Positional):
		return offerValues(l.node.Positional[l.arguments], "", start)
	case start == "" && !l.argumentsOnly:
		return l.offerFlags("--")
	}
	return offer{}
}

// offerFlags offers the flags that are not given yet, or can be repeated.
func (l *commandLine) offerFlags(start string) offer {
	var found offer
	for _, flag := range l.flags() {
		if l.given[flag] && !flag.IsCumulative() {
			continue
		}
		found.add("--"+flag.Name, start, flag.Help)
		if short := shortName(flag); short != "" {
			found.add(short, start, flag.Help)
		}
	}
	return found
}

// offerValues offers the values of a flag or an argument. The word at the cursor has before in front of its value, such as
// --output=.
func offerValues(value *kong.Value, before, start string) offer {
	var found offer
	switch {
	case value.Enum != "":
		for _, v := range value.EnumSlice() {
			if v != "" {
				found.add(before+v, start, "")
			}
		}
	case value.Flag != nil && value.Flag.PlaceHolder == filePlaceholder:
		found.files = true
	}
	return found
}
