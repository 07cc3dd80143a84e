package main

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/term"

	"github.com/certsync/certsync/cmd/certsync/internal/render"
	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
)

// Rules for the terminal: the result goes to stdout, everything else to stderr. Only terminals get colours and a bar, and
// NO_COLOR switches the colours off. Text from others passes terminal.Clean first.

// paletteFor returns the colours for a file. See https://no-color.org.
func paletteFor(f *os.File) terminal.Palette {
	return terminal.Palette(knowsEscapes(f) && os.Getenv("NO_COLOR") == "")
}

// knowsEscapes reports whether f is a terminal that supports escape sequences. Emacs's shell does not, and a Windows console
// does only after they have been enabled.
func knowsEscapes(f *os.File) bool {
	return isTerminal(f) && os.Getenv("TERM") != "dumb" && runtime.GOOS != "windows"
}

// warn shows a warning of the API server.
func (p program) warn(text string) {
	if p.cluster != "" {
		text = p.cluster + ": " + text
	}
	fmt.Fprint(p.stderr, render.Warning(text, knowsEscapes(p.stderr)))
}

// isTerminal reports whether f is a terminal, so that a person can read and answer.
func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
