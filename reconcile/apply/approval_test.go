package apply_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// people issue once they have been asked for everybody; they turn away whom they do not know.
type people struct {
	*reconciletest.World
	unknown []string
	asked   sync.WaitGroup
}

func (p *people) Issue(ctx context.Context, req reconcile.CertificateRequest) (reconcile.Issued, error) {
	p.asked.Done()
	all := make(chan struct{})
	go func() { p.asked.Wait(); close(all) }()
	select {
	case <-all:
	case <-time.After(10 * time.Second):
		return reconcile.Issued{}, fmt.Errorf("%s is asked for alone", req.Username)
	}
	if slices.Contains(p.unknown, req.Username) {
		return reconcile.Issued{}, reconcile.WithHint(fmt.Errorf("certsync-1: %w", reconcile.ErrNotApproved), "ask them")
	}
	return p.World.Issue(ctx, req)
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
			w := reconciletest.NewWorld(t)
			p := &people{World: w, unknown: tt.unknown}
			p.asked.Add(3)
			w.Issuer, w.WithoutCanary = p, true
			o, err := w.ApplyWith(reconciletest.Parse(t, reconciletest.Team), 3, func(reconcile.Plan) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			bad := slices.DeleteFunc(reconciletest.Results(o), func(r string) bool { return strings.HasSuffix(r, ": done") })
			slices.Sort(bad)
			if diff := cmp.Diff(tt.want, bad); diff != "" {
				t.Error(diff)
			}
			for _, e := range o.Events {
				if e.Action == reconcile.Issue && e.Result == reconcile.Held && (e.Hint != "ask them" ||
					e.Error != "issuing a certificate: certsync-1: nobody approved the CertificateSigningRequest in time") {
					t.Errorf("%+v", e)
				}
			}
			if slices.ContainsFunc(w.Writes(), func(c string) bool { return strings.HasPrefix(c, "login") }) {
				t.Errorf("a canary: %q", w.Writes())
			}
			w.Issuer, w.WithoutCanary = nil, false
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			if left := w.Plan(reconciletest.Parse(t, reconciletest.Team)); left.Changes() {
				t.Errorf("left: %q", reconciletest.Lines(left))
			}
		})
	}
}
