package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// people issue once they have been asked for everybody; they turn away whom they do not know.
type people struct {
	*world
	unknown []string
	asked   sync.WaitGroup
}

func (p *people) Issue(ctx context.Context, req CertificateRequest) (Issued, error) {
	p.asked.Done()
	all := make(chan struct{})
	go func() { p.asked.Wait(); close(all) }()
	select {
	case <-all:
	case <-time.After(10 * time.Second):
		return Issued{}, fmt.Errorf("%s is asked for alone", req.User)
	}
	if slices.Contains(p.unknown, req.User) {
		return Issued{}, WithHint(fmt.Errorf("certsync-1: %w", ErrNotApproved), "ask them")
	}
	return p.world.Issue(ctx, req)
}

// TestPeopleApprove: they are asked for all users at once, and whom nobody approves is held, with what hangs on it;
// nobody else is.
func TestPeopleApprove(t *testing.T) {
	for name, tt := range map[string]struct {
		unknown []string
		want    []string // steps that are not done
	}{
		"all are approved": {want: []string{}},
		"one is not": {[]string{"alice"}, []string{
			"bind alice: held", "issue alice: held",
		}},
		"nobody is": {[]string{"alice", "bob", "carol"}, []string{
			"bind alice: held", "bind carol: held", "bind devs: held", "bind devs: held",
			"issue alice: held", "issue bob: held", "issue carol: held",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := &people{world: w, unknown: tt.unknown}
			p.asked.Add(3)
			w.issuer, w.withoutCanary = p, true
			o, err := w.applyWith(parse(t, team), 3, func(Plan) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			bad := slices.DeleteFunc(results(o), func(r string) bool { return strings.HasSuffix(r, ": done") })
			slices.Sort(bad)
			if diff := cmp.Diff(tt.want, bad); diff != "" {
				t.Error(diff)
			}
			for _, e := range o.Events {
				if e.Action == Issue && e.Result == Held && (e.Hint != "ask them" ||
					e.Error != "issuing a certificate: certsync-1: nobody approved the CertificateSigningRequest in time") {
					t.Errorf("%+v", e)
				}
			}
			if slices.ContainsFunc(w.writes(), func(c string) bool { return strings.HasPrefix(c, "login") }) {
				t.Errorf("a canary: %q", w.writes())
			}
			w.issuer, w.withoutCanary = nil, false
			w.mustApply(parse(t, team))
			if left := w.plan(parse(t, team)); left.Changes() {
				t.Errorf("left: %q", lines(left))
			}
		})
	}
}
