package inventory

import (
	"errors"
	"strings"
	"testing"
)

func TestProblemIsOneLineWithoutEscapes(t *testing.T) {
	p := Problem{File: "a\x1b[2J\nb.yaml", Line: 3, Column: 1, Path: "users", Message: "x\u202ey"}
	if got, want := p.String(), `a\x1b[2J\nb.yaml:3:1: users: x\u202ey`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestShow(t *testing.T) {
	for sentence, c := range map[string]struct{ in, want string }{
		"quotes":                       {`a"b`, `"a\"b"`},
		"escapes":                      {"\x1b[2J\x00\u009b", `"\x1b[2J\x00\u009b"`},
		"keeps what can be read":       {"jürgen", `"jürgen"`},
		"shortens":                     {strings.Repeat("é", 61), `"` + strings.Repeat("é", 60) + `…"`},
		"leaves what is short enough":  {strings.Repeat("é", 60), `"` + strings.Repeat("é", 60) + `"`},
		"never repeats a private key":  {"-----BEGIN RSA PRIVATE KEY----- x", `"[redacted]"`},
		"shows bytes that are no text": {"\xff", `"\xff"`},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := show(c.in); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestDistance(t *testing.T) {
	for sentence, c := range map[string]struct {
		a, b        string
		limit, want int
	}{
		"the same":                 {"edit", "edit", 4, 0},
		"a letter changed":         {"edit", "exit", 4, 1},
		"a letter more":            {"edit", "edits", 4, 1},
		"two letters swapped":      {"edit", "eidt", 4, 1},
		"nothing in common":        {"edit", "view", 9, 4},
		"one is empty":             {"", "view", 9, 4},
		"given up for the lengths": {"e", "editor", 3, 3},
		"given up on the way":      {"abcdef", "uvwxyz", 3, 3},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := distance(c.a, c.b, c.limit); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

// TestProblemsHaveALimit: of any number of problems, the first 100 are reported, and how many more there are.
func TestProblemsHaveALimit(t *testing.T) {
	for count, last := range map[int]string{
		99:   "users.yaml:103:9: users[98].name: is empty",
		100:  "users.yaml:104:9: users[99].name: is empty",
		101:  "users.yaml:1:1: and 1 more",
		5000: "users.yaml:1:1: and 4900 more",
	} {
		_, err := Parse("users.yaml", []byte(header+"users:\n"+strings.Repeat("- name: ''\n", count)), nil)
		var problems Problems
		if !errors.As(err, &problems) {
			t.Fatal(err)
		}
		if got := problems[len(problems)-1].String(); got != last || len(problems) != min(count, 101) {
			t.Errorf("%d problems, the last one is %s", len(problems), got)
		}
	}
}

// TestSuggestionsAreOfNames: a name that is as long as its file is not compared.
func TestSuggestionsAreOfNames(t *testing.T) {
	_, err := Parse("users.yaml", []byte(header+"groups: [{name: "+strings.Repeat("x", 66)+"}]\nusers: [{name: a, groups: ["+strings.Repeat("x", 64)+"]}]"), nil)
	if err == nil || strings.Contains(err.Error(), "did you mean") {
		t.Error(err)
	}
}
