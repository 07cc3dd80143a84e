package main

import (
	"github.com/certsync/certsync/cmd/certsync/internal/nextstep"
	"github.com/certsync/certsync/cmd/certsync/internal/render"
	"github.com/certsync/certsync/reconcile"
)

// suggest names the next commands on stderr, for a person who reads stdout and stderr on a terminal. output is the format of
// the command's own output.
func (p program) suggest(output string, r nextstep.Result) {
	if output == "text" && isTerminal(p.stdout) && isTerminal(p.stderr) {
		_, _ = p.stderr.Write(render.NextSteps(nextstep.After(p.line, r)))
	}
}

// resultOf is the result of an apply whose steps all ended well.
func resultOf(o reconcile.Outcome) nextstep.Result {
	r := nextstep.Result{First: o.Plan.StateVersion == 0 && !o.Plan.RemovalsOnly, Owner: o.Plan.Owner}
	for _, e := range o.Events {
		if e.Action == reconcile.Issue && e.Result == reconcile.Done {
			r.User = e.User
			break
		}
	}
	return r
}
