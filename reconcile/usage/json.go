package usage

import (
	"bytes"
	"encoding/json"
)

// This file steps over JSON and hands out the few values that an event is counted by. encoding/json needs four times as long,
// also for a struct of the same few fields. All text that is valid here is valid there: FuzzEvents compares the two. Each function takes
// the text and where a value begins, and returns where it ends.

// maxDepth is how deep arrays and objects may stand in one another, as in encoding/json.
const maxDepth = 10_000

// object calls field with each name, decoded, and each value, raw. field may be nil.
func object(text []byte, at, depth int, field func(name, value []byte) bool) (end int, ok bool) {
	if depth == maxDepth || at >= len(text) || text[at] != '{' {
		return at, false
	}
	at = space(text, at+1)
	if at < len(text) && text[at] == '}' {
		return at + 1, true
	}
	for {
		name := at
		if at, ok = quoted(text, at); !ok {
			return at, false
		}
		nameEnd := at
		if at = space(text, at); at >= len(text) || text[at] != ':' {
			return at, false
		}
		value := space(text, at+1)
		if at, ok = skip(text, value, depth+1); !ok {
			return at, false
		}
		if field != nil {
			decoded, ok := decode(text[name:nameEnd])
			if !ok || !field(decoded, text[value:at]) {
				return at, false
			}
		}
		if at, ok = next(text, at, '}'); !ok || text[at-1] == '}' {
			return at, ok
		}
		at = space(text, at)
	}
}

// array calls item with each value, raw. item may be nil.
func array(text []byte, at, depth int, item func(value []byte) bool) (end int, ok bool) {
	if depth == maxDepth || at >= len(text) || text[at] != '[' {
		return at, false
	}
	at = space(text, at+1)
	if at < len(text) && text[at] == ']' {
		return at + 1, true
	}
	for {
		value := at
		if at, ok = skip(text, at, depth+1); !ok || item != nil && !item(text[value:at]) {
			return at, false
		}
		if at, ok = next(text, at, ']'); !ok || text[at-1] == ']' {
			return at, ok
		}
		at = space(text, at)
	}
}

// next steps over what follows a value in an object or array: a comma, or the closing bracket.
func next(text []byte, at int, closing byte) (end int, ok bool) {
	at = space(text, at)
	if at >= len(text) || text[at] != ',' && text[at] != closing {
		return at, false
	}
	return at + 1, true
}

// skip steps over any value.
func skip(text []byte, at, depth int) (end int, ok bool) {
	if at >= len(text) {
		return at, false
	}
	switch text[at] {
	case '"':
		return quoted(text, at)
	case '{':
		return object(text, at, depth, nil)
	case '[':
		return array(text, at, depth, nil)
	case 't':
		return word(text, at, "true")
	case 'f':
		return word(text, at, "false")
	case 'n':
		return word(text, at, "null")
	}
	end = at
	for end < len(text) && (text[end] >= '0' && text[end] <= '9' || bytes.IndexByte([]byte("+-.eE"), text[end]) >= 0) {
		end++
	}
	return end, json.Valid(text[at:end])
}

func word(text []byte, at int, want string) (end int, ok bool) {
	end = at + len(want)
	return end, end <= len(text) && string(text[at:end]) == want
}

func space(text []byte, at int) int {
	for at < len(text) && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r') {
		at++
	}
	return at
}

// quoted steps over a string.
func quoted(text []byte, at int) (end int, ok bool) {
	if at >= len(text) || text[at] != '"' {
		return at, false
	}
	for at++; at < len(text); at++ {
		switch c := text[at]; {
		case c == '"':
			return at + 1, true
		case c < ' ':
			return at, false
		case c == '\\':
			if at, ok = escape(text, at+1); !ok {
				return at, false
			}
		}
	}
	return at, false
}

// escape checks what follows a backslash, and returns its last byte.
func escape(text []byte, at int) (last int, ok bool) {
	if at >= len(text) {
		return at, false
	}
	if text[at] != 'u' {
		return at, bytes.IndexByte([]byte(`"\/bfnrt`), text[at]) >= 0
	}
	if at+4 >= len(text) {
		return at, false
	}
	for _, c := range text[at+1 : at+5] {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
			return at, false
		}
	}
	return at + 4, true
}

// decode returns the text of a string that was stepped over. ok is false for any other value.
func decode(value []byte) (text []byte, ok bool) {
	if value[0] != '"' {
		return nil, false
	}
	plain := value[1 : len(value)-1]
	for _, c := range plain {
		if c == '\\' || c >= 0x80 { // an escape, or bytes that may not be UTF-8
			var s string
			ok = json.Unmarshal(value, &s) == nil
			return []byte(s), ok
		}
	}
	return plain, true
}

func isNull(value []byte) bool { return value[0] == 'n' }
