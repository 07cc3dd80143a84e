package reconcile_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// maxWords is how long a sentence of help, hints and documentation may be.
const maxWords = 25

// forbidden are words and phrases that readers stumble over.
var forbidden = regexp.MustCompile(`(?i)\b(takings|news|telling|mends?|(a|the) look|look (at )?who|course|rubbish|conceals?|strangers?|figures|whoever|whosoever|anew|is wanted|came to be|all the same)\b`)

var (
	// opening is the beginning of a sentence that must be a question.
	opening = regexp.MustCompile(`(?:^|[.!?:;][)"'*_]* )(?:Who|Whom|Whose|What)\b`)
	// ending is the end of a sentence. A period inside of a name, as in Folder.Open, is none.
	ending = regexp.MustCompile(`[.!?][)"'*_]*(?:\s|$)`)
)

// phrase is text of the program for people.
type phrase struct {
	text string
	kind kind
}

type kind int

const (
	message  kind = iota
	guidance      // help, hints and documentation, which must have short sentences
	heading       // no sentence
)

// TestWording: texts of the program and of the documentation are in plain words.
func TestWording(t *testing.T) {
	phrases := 0
	for path, list := range allPhrases(t) {
		phrases += len(list)
		for _, p := range list {
			for what, text := range faults(p) {
				t.Errorf("%s: %s: %s", path, what, text)
			}
		}
	}
	if phrases < 1500 {
		t.Errorf("only %d texts were found", phrases)
	}
}

// faults lists what is wrong with a text, each with the place.
func faults(p phrase) map[string]string {
	all := map[string]string{}
	if word := forbidden.FindString(p.text); word != "" {
		all["says "+strconv.Quote(word)] = p.text
	}
	if sentence := falseQuestion(p.text); sentence != "" && p.kind != heading {
		all["begins like a question"] = sentence
	}
	if p.kind != guidance {
		return all
	}
	for _, sentence := range sentences(p.text) {
		if n := len(strings.Fields(sentence)); n > maxWords {
			all[strconv.Itoa(n)+" words"] = sentence
		}
	}
	return all
}

// falseQuestion returns the first sentence that begins like a question and is none, or "".
func falseQuestion(text string) string {
	for _, begins := range opening.FindAllStringIndex(text, -1) {
		sentence := strings.TrimLeft(text[begins[0]:], `.!?:;)"'*_ `)
		end := ending.FindStringIndex(sentence)
		if end == nil {
			return sentence
		}
		if sentence[end[0]] != '?' {
			return strings.TrimSpace(sentence[:end[1]])
		}
	}
	return ""
}

// TestComments: no comment has a statement that begins like a question.
func TestComments(t *testing.T) {
	comments := 0
	for path, list := range allComments(t) {
		comments += len(list)
		for _, text := range list {
			if sentence := falseQuestion(text); sentence != "" {
				t.Errorf("%s: begins like a question: %s", path, sentence)
			}
		}
	}
	if comments < 3000 {
		t.Errorf("only %d paragraphs of comments were found", comments)
	}
}

// TestFalseQuestion: which sentences begin like a question and are none.
func TestFalseQuestion(t *testing.T) {
	for text, want := range map[string]string{
		"What it gives is listed.":                         "What it gives is listed.",
		"It gives roles. What they allow is not known":     "What they allow is not known",
		"It asks (once.) Who answers gets a role. And so.": "Who answers gets a role.",
		"One rule: Whose it is, the name says.":            "Whose it is, the name says.",
		"What Folder.Open returns may be anything.":        "What Folder.Open returns may be anything.",
		"What does Folder.Open return? A file.":            "",
		"Two questions: Who may do it? What for?":          "",
		"It says what it gives, and Whatever is a name.":   "",
		"Whoever may write there is an administrator.":     "",
		"A user who has no role gets one.":                 "",
	} {
		if got := falseQuestion(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

var (
	code        = regexp.MustCompile("`[^`]*`")
	link        = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
	ends        = regexp.MustCompile(`[.!?;][)"'*_]*(?:\s+|$)`)
	commandText = regexp.MustCompile(`\b(kubectl|vault|certsync|openssl|rm) (?:[a-z-]+ )?(?:-|%s)[^;]*`) // a command in the middle of a hint
	layout      = regexp.MustCompile(`(?m)^(\^|\(\?)|\n {2,}\S|^\S+: \S+\n`)                             // regular expressions, YAML
)

// sentences splits a text. Code and commands are one word each.
func sentences(text string) []string {
	text = commandText.ReplaceAllString(code.ReplaceAllString(text, "CODE"), "COMMAND")
	return ends.Split(link.ReplaceAllString(text, "$1"), -1)
}

// TestSentences: what counts as a sentence and as a word, and what is refused.
func TestSentences(t *testing.T) {
	long := strings.Repeat("word ", maxWords)
	for text, want := range map[string]int{
		long + "too many.":                         1,
		long + ".":                                 0,
		"Short one. " + long + "; " + long:         0,
		"`" + long + long + "` is one word.":       0,
		"Paste: kubectl delete -n %s " + long:      0,
		"Who has no role? Nobody.":                 0,
		"Who has no role gets one.":                1,
		"It ends. What is left stays.":             1,
		"No news of strangers, whoever they are.":  1,
		"The user who has no role gets a default.": 0,
	} {
		if got := faults(phrase{text, guidance}); len(got) != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
