package main

import (
	"os"
	"unicode"

	"golang.org/x/term"
)

// The rules of the terminal: stdout is the product, stderr the talk. Colour and a moving bar are for terminals only, and
// NO_COLOR takes the colour away. What comes from elsewhere passes clean first.

// palette colours text, or does nothing.
type palette bool

func paletteFor(f *os.File) palette { return palette(isTerminal(f) && !noColor()) }

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

func (c palette) paint(code, s string) string {
	if !c {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (c palette) green(s string) string  { return c.paint("32", s) }
func (c palette) yellow(s string) string { return c.paint("33", s) }
func (c palette) red(s string) string    { return c.paint("31", s) }
func (c palette) bold(s string) string   { return c.paint("1", s) }

func printable(r rune) bool { return unicode.IsPrint(r) }
