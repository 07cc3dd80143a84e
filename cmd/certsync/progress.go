package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/csr"
)

// progress talks on stderr while a plan is carried out: a bar on a terminal, a line a step elsewhere.
type progress struct {
	out      io.Writer
	terminal bool
	colours  palette
	now      func() time.Time

	mu                  sync.Mutex
	total, done, failed int
	began, drawn        time.Time
	asked               bool
}

func (g *progress) begin(total int) { g.total, g.began = total, g.now() }

// askFor prints the command that approves a request. People paste it, so it stands on a line of its own.
func (g *progress) askFor(user string, ref reconcile.CSRRef) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.terminal {
		fmt.Fprint(g.out, "\r\x1b[K")
	}
	if !g.asked {
		g.asked = true
		fmt.Fprintln(g.out, "Waiting for somebody to approve (to deny one: kubectl certificate deny NAME):")
	}
	fmt.Fprintf(g.out, "%s   # %s\n", csr.ApproveCommand(ref), name(user))
	if g.terminal {
		fmt.Fprint(g.out, g.bar())
	}
}

// step counts a step that has ended.
func (g *progress) step(e reconcile.Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.done++
	if e.Result != reconcile.Done {
		g.failed++
	}
	if !g.terminal {
		fmt.Fprintf(g.out, "[%d/%d] %s\n", g.done, g.total, eventLine(e))
		return
	}
	if e.Result == reconcile.Failed { // what is held back for it comes with the result
		fmt.Fprintf(g.out, "\r\x1b[K%s\n", g.colours.red(eventLine(e)))
	}
	if now := g.now(); now.Sub(g.drawn) >= redraw || g.done == g.total {
		g.drawn = now
		fmt.Fprintf(g.out, "\r\x1b[K%s", g.bar())
	}
}

const (
	barWidth = 30
	redraw   = 100 * time.Millisecond // more often than that would cost more than the steps
)

// bar is how far the run is, and how long the rest takes if it goes on like this.
func (g *progress) bar() string {
	full := barWidth * g.done / max(g.total, 1)
	left := time.Duration(0)
	if g.done > 0 {
		left = g.now().Sub(g.began) / time.Duration(g.done) * time.Duration(g.total-g.done)
	}
	text := fmt.Sprintf("[%s%s] %d/%d", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), g.done, g.total)
	if g.failed > 0 {
		text += fmt.Sprintf(", %d not done", g.failed)
	}
	return text + fmt.Sprintf(", %s left", left.Round(time.Second))
}

func (g *progress) end() {
	if g.terminal && g.total > 0 {
		fmt.Fprint(g.out, "\r\x1b[K")
	}
}
