package render

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// Progress shows how far a run of apply is: as a bar on a terminal, elsewhere as one line for each step. Several goroutines
// may use it at once. The runs in several clusters share one.
type Progress struct {
	Out      io.Writer
	Terminal bool // Out knows escape sequences, so that a bar can be redrawn
	Palette  terminal.Palette
	Now      func() time.Time // the clock; AskForApproval alone needs none

	mu                  sync.Mutex
	total, done, failed int
	began, drawn        time.Time
	asked               bool
}

// Begin says how many steps a run has.
func (p *Progress) Begin(total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.total += total; p.began.IsZero() {
		p.began = p.Now()
	}
}

// AskForApproval prints the command that approves a user's signing request. It has a line of its own, so that people can
// paste it.
func (p *Progress) AskForApproval(user, command string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Terminal {
		fmt.Fprint(p.Out, clearLine)
	}
	if !p.asked {
		p.asked = true
		fmt.Fprintln(p.Out, "Waiting for approval. Run these commands to approve (or kubectl certificate deny NAME to deny one):")
	}
	fmt.Fprintf(p.Out, "%s   # %s\n", command, terminal.QuoteName(user))
	if p.Terminal {
		fmt.Fprint(p.Out, p.bar())
	}
}

// Step counts a step that has ended.
func (p *Progress) Step(e reconcile.Event) { p.StepIn("", e) }

// StepIn counts a step that has ended in one of several clusters.
func (p *Progress) StepIn(cluster string, e reconcile.Event) {
	line := eventLine(e)
	if cluster != "" {
		line = terminal.Clean(cluster) + ": " + line
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	if e.Result != reconcile.Done {
		p.failed++
	}
	if !p.Terminal {
		fmt.Fprintf(p.Out, "[%d/%d] %s\n", p.done, p.total, line)
		return
	}
	if e.Result == reconcile.Failed { // Result shows the steps that are held for it
		fmt.Fprintf(p.Out, clearLine+"%s\n", p.Palette.Red(line))
	}
	if now := p.Now(); now.Sub(p.drawn) >= redrawInterval || p.done == p.total {
		p.drawn = now
		fmt.Fprintf(p.Out, clearLine+"%s", p.bar())
	}
}

// clearLine moves a terminal's cursor to the start of its line and deletes the line.
const clearLine = "\r\x1b[K"

const (
	barWidth       = 30
	redrawInterval = 100 * time.Millisecond // drawing more often would cost more than the steps
)

// bar shows the share of steps that have ended, and the time that the others need at the same speed.
func (p *Progress) bar() string {
	full := min(barWidth*p.done/max(p.total, 1), barWidth)
	left := time.Duration(0)
	if p.done > 0 {
		left = p.Now().Sub(p.began) / time.Duration(p.done) * time.Duration(p.total-p.done)
	}
	text := fmt.Sprintf("[%s%s] %d/%d", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), p.done, p.total)
	if p.failed > 0 {
		text += fmt.Sprintf(", %d not done", p.failed)
	}
	return text + fmt.Sprintf(", %s left", inventory.DurationText(left.Round(time.Second)))
}

// Warning is a warning of the API server on a line of its own. On a terminal it takes the place of the bar, which the next step
// draws again.
func Warning(text string, onTerminal bool) string {
	line := "certsync: the API server warns: " + terminal.Clean(text) + "\n"
	if onTerminal {
		return clearLine + line
	}
	return line
}

// End removes the bar.
func (p *Progress) End() {
	if p.Terminal && p.total > 0 {
		fmt.Fprint(p.Out, clearLine)
	}
}
