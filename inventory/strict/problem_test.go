package strict

import (
	"strings"
	"testing"
)

func TestProblemIsOneLineWithoutEscapes(t *testing.T) {
	p := Problem{File: "a\x1b[2J\nb.yaml", Line: 3, Column: 1, Path: "users", Message: "x\u202ey"}
	if got, want := p.String(), `a\x1b[2J\nb.yaml:3:1: users: x\u202ey`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestQuote(t *testing.T) {
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
			if got := Quote(c.in); got != c.want {
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
