package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/certsync/certsync/reconcile"
)

// progress talks on stderr while a plan is carried out: a bar on a terminal, a line a step elsewhere.
type progress struct {
	out      io.Writer
	terminal bool
	colours  palette

	total, done, failed int
	began, drawn        time.Time
}

func (g *progress) begin(total int) { g.total, g.began = total, time.Now() }

// step counts a step that has ended.
func (g *progress) step(e reconcile.Event) {
	g.done++
	if e.Result != reconcile.Done {
		g.failed++
	}
	if !g.terminal {
		fmt.Fprintf(g.out, "[%d/%d] %s\n", g.done, g.total, eventText(e))
		return
	}
	if e.Result != reconcile.Done {
		fmt.Fprintf(g.out, "\r\x1b[K%s\n", g.colours.red(eventText(e)))
	}
	if time.Since(g.drawn) > 100*time.Millisecond || g.done == g.total {
		g.drawn = time.Now()
		fmt.Fprintf(g.out, "\r\x1b[K%s", g.bar())
	}
}

const barWidth = 30

// bar is how far the run is, and how long the rest takes if it goes on like this.
func (g *progress) bar() string {
	full := barWidth * g.done / max(g.total, 1)
	left := time.Duration(0)
	if g.done > 0 {
		left = time.Since(g.began) / time.Duration(g.done) * time.Duration(g.total-g.done)
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

// eventText is one event in a line.
func eventText(e reconcile.Event) string {
	text := fmt.Sprintf("%s %s", e.Action, clean(cmp.Or(e.User, e.Group)))
	if e.Object != "" {
		text += " " + clean(e.Object)
	}
	text += ": " + string(e.Result)
	if e.Error != "" {
		text += ": " + clean(e.Error)
	}
	if e.Hint != "" {
		text += " (" + clean(e.Hint) + ")"
	}
	if e.Note != "" {
		text += ": " + clean(e.Note)
	}
	return text
}

// resultText is what apply leaves on stdout: what was done, then each step that was not, and why.
func resultText(o reconcile.Outcome, c palette) []byte {
	var b bytes.Buffer
	if len(o.Events) == 0 {
		if o.Plan.Changes() {
			fmt.Fprintf(&b, "%s: the inventory was recorded; nothing else was to do.\n", o.Plan.Owner)
		} else {
			b.Write(planText(o.Plan, c))
		}
		return b.Bytes()
	}
	done := len(o.Events) - o.Failed()
	fmt.Fprintf(&b, "\n%s %s done", c.bold("Applied to "+o.Plan.Owner+":"), plural(done, "step"))
	if o.Failed() == 0 {
		fmt.Fprintf(&b, ".\n")
	} else {
		fmt.Fprintf(&b, ", %s:\n", c.red(fmt.Sprintf("%d not done", o.Failed())))
	}
	for _, e := range o.Events {
		if e.Result != reconcile.Done || e.Note != "" {
			fmt.Fprintf(&b, "  %s\n", eventText(e))
		}
	}
	return b.Bytes()
}
