package completion

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Command is what the completion scripts call: the words so far follow, the last of them up to the cursor. It is
// no command of kong's, for which half a command line is a mistake, and it warns of nothing: stderr is the prompt's.
const Command = "__complete"

// offer is what may stand at the cursor.
type offer struct {
	files bool // the names of files, which the shell knows best
	words []offeredWord
}

type offeredWord struct {
	word, about string
}

// text is what the scripts read: a word and what it is about on each line, or :files.
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

// typed is the command line before the cursor.
type typed struct {
	node      *kong.Node // the application, or a command; nil: an unknown one
	given     map[*kong.Flag]bool
	waiting   *kong.Flag // wants the next word for its value
	arguments int
	onlyWords bool // behind --
}

// Complete returns what the last of words can become, as the scripts read it.
func Complete(commands *kong.Application, words []string) []byte {
	return complete(commands, words).text()
}

// complete says what the last of words can become. It looks at nothing but the flags and commands that there are.
func complete(commands *kong.Application, words []string) offer {
	if len(words) == 0 {
		return offer{}
	}
	if len(words) > 1 && words[0] == "help" {
		words = words[1:]
	}
	last := words[len(words)-1]
	t := typed{node: commands.Node, given: map[*kong.Flag]bool{}}
	for _, word := range words[:len(words)-1] {
		t.read(word)
	}
	if t.node == nil {
		return offer{}
	}
	name, value, assigned := strings.Cut(last, "=")
	switch {
	case t.waiting != nil:
		return valuesOf(t.waiting.Value, "", last)
	case t.onlyWords || !strings.HasPrefix(last, "-"):
		return t.wordsLike(last)
	case !strings.HasPrefix(last, "--") && len(last) > 2:
		if flag := t.flag(last[:2]); flag != nil && takesValue(flag) {
			return valuesOf(flag.Value, last[:2], last)
		}
		return offer{}
	case assigned:
		if flag := t.flag(name); flag != nil && takesValue(flag) {
			return valuesOf(flag.Value, name+"=", name+"="+value)
		}
		return offer{}
	}
	return t.flagsLike(last)
}

// read takes in a word that stands before the cursor.
func (t *typed) read(word string) {
	switch {
	case t.node == nil:
	case t.waiting != nil:
		t.waiting = nil
	case t.onlyWords || !strings.HasPrefix(word, "-") || word == "-":
		t.readArgument(word)
	case word == "--":
		t.onlyWords = true
	case strings.HasPrefix(word, "--"):
		name, _, assigned := strings.Cut(word, "=")
		t.take(t.flag(name), assigned)
	default: // -y, -yf, -fusers.yaml
		for i, letter := range word[1:] {
			flag := t.flag("-" + string(letter))
			rest := i+1+len(string(letter)) < len(word)
			t.take(flag, rest)
			if flag == nil || takesValue(flag) {
				return
			}
		}
	}
}

func (t *typed) readArgument(word string) {
	if t.node.Type != kong.ApplicationNode {
		t.arguments++
		return
	}
	i := slices.IndexFunc(t.node.Children, func(command *kong.Node) bool { return command.Name == word })
	if i < 0 {
		t.node = nil
		return
	}
	t.node = t.node.Children[i]
}

func (t *typed) take(flag *kong.Flag, hasValue bool) {
	if flag == nil {
		return
	}
	t.given[flag] = true
	if takesValue(flag) && !hasValue {
		t.waiting = flag
	}
}

func takesValue(flag *kong.Flag) bool { return !flag.IsBool() && !flag.IsCounter() }

func (t *typed) flags() []*kong.Flag { return slices.Concat(t.node.AllFlags(true)...) }

// flag is the flag that a word names: --file or -f.
func (t *typed) flag(word string) *kong.Flag {
	for _, flag := range t.flags() {
		if word == "--"+flag.Name || word == shortOf(flag) {
			return flag
		}
	}
	return nil
}

// shortOf is the flag's other name, "" if it has none.
func shortOf(flag *kong.Flag) string {
	if flag.Short == 0 {
		return ""
	}
	return "-" + string(flag.Short)
}

// wordsLike offers commands, or arguments; where none can stand and nothing is typed yet, flags.
func (t *typed) wordsLike(start string) offer {
	switch {
	case t.node.Type == kong.ApplicationNode:
		var found offer
		for _, command := range t.node.Children {
			if !command.Hidden {
				found.add(command.Name, start, command.Help)
			}
		}
		return found
	case t.arguments < len(t.node.Positional):
		return valuesOf(t.node.Positional[t.arguments], "", start)
	case start == "" && !t.onlyWords:
		return t.flagsLike("--")
	}
	return offer{}
}

// flagsLike offers the flags that are not there yet, or may be repeated.
func (t *typed) flagsLike(start string) offer {
	var found offer
	for _, flag := range t.flags() {
		if t.given[flag] && !flag.IsCumulative() {
			continue
		}
		found.add("--"+flag.Name, start, flag.Help)
		if short := shortOf(flag); short != "" {
			found.add(short, start, flag.Help)
		}
	}
	return found
}

// valuesOf offers what a flag or an argument may be, behind what else the word begins with: --output=, or nothing.
func valuesOf(value *kong.Value, before, start string) offer {
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

// filePlaceholder stands in the help of the flags that name a file.
const filePlaceholder = "FILE"

func (o *offer) add(word, start, help string) {
	if strings.HasPrefix(word, start) {
		o.words = append(o.words, offeredWord{word, firstSentence(help)})
	}
}

// firstSentence is as much of a help as a list has room for.
func firstSentence(help string) string {
	help, _, _ = strings.Cut(help, ". ")
	help, _, _ = strings.Cut(help, " (default: ")
	return strings.TrimSuffix(help, ".")
}
