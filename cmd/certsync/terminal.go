package main

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/term"

	"github.com/certsync/certsync/cmd/certsync/internal/render"
)

// Rules for the terminal: stdout is the product, stderr is everything else. Colours and a bar are for terminals only, and
// NO_COLOR switches the colours off. Text from others passes render.Clean first.

// paletteFor returns the colours for a file, as https://no-color.org asks for.
func paletteFor(f *os.File) render.Palette {
	return render.Palette(knowsEscapes(f) && os.Getenv("NO_COLOR") == "")
}

// knowsEscapes reports whether f is a terminal that knows escape sequences. Emacs's shell does not, and a Windows console
// does only after somebody has switched them on.
func knowsEscapes(f *os.File) bool {
	return isTerminal(f) && os.Getenv("TERM") != "dumb" && runtime.GOOS != "windows"
}

// warn shows a warning of the API server.
func (p program) warn(text string) {
	fmt.Fprint(p.stderr, render.Warning(text, knowsEscapes(p.stderr)))
}

// isTerminal reports whether a person reads what is written to f, or can answer on it.
func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
