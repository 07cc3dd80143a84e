package kube

import (
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/certsync/certsync/reconcile"
)

// observing has a server with a small cluster and Leases in it.
func observing(t *testing.T, test func(t *testing.T, s *leaseServer)) {
	routes := observable(t).routes
	inBubble(t, func(t *testing.T, s *leaseServer) {
		s.routes = routes
		test(t, s)
	})
}

func TestObserveClusterTellsTheServersTime(t *testing.T) {
	observing(t, func(t *testing.T, s *leaseServer) {
		time.Sleep(400 * time.Millisecond) // Date cuts that off
		c := s.cluster()
		got, err := c.ObserveCluster(t.Context(), "prod-eu")
		if want := s.now().Add(-400 * time.Millisecond); err != nil || !got.Clock.Equal(want) {
			t.Errorf("error %v; clock %s, want %s", err, got.Clock, want)
		}
		time.Sleep(time.Minute)
		if now, ok := c.clock.now(); !ok || !now.Equal(got.Clock.Add(time.Minute)) {
			t.Errorf("a minute later it is %s", now)
		}
	})
}

// The clock of an observation is from its own answers: an older one would not show that a clock was set since.
func TestObserveClusterKnowsNoTime(t *testing.T) {
	for name, date := range map[string]func() string{
		"no answer has a Date":  func() string { return "" },
		"the Date is no date":   func() string { return "yesterday" },
		"the answers took 11 s": func() string { time.Sleep(11 * time.Second); return "Sat, 01 Jan 2000 00:00:00 GMT" },
	} {
		t.Run(name, func(t *testing.T) {
			observing(t, func(t *testing.T, s *leaseServer) {
				c := s.cluster()
				if got, err := c.ObserveCluster(t.Context(), "prod-eu"); err != nil || got.Clock.IsZero() {
					t.Fatalf("clock %s, error %v", got.Clock, err)
				}
				time.Sleep(time.Second)
				s.dated(date)
				if got, err := c.ObserveCluster(t.Context(), "prod-eu"); err != nil || !got.Clock.IsZero() {
					t.Errorf("clock %s, error %v", got.Clock, err)
				}
			})
		})
	}
}

func TestObserveClusterReadsTheGeneration(t *testing.T) {
	for name, tc := range map[string]struct {
		annotations map[string]string
		want        int64
		err         string
	}{
		"no annotation":     {nil, 0, ""},
		"a generation":      {map[string]string{GenerationAnnotation: "41"}, 41, ""},
		"the largest":       {map[string]string{GenerationAnnotation: "4611686018427387903"}, 4611686018427387903, ""},
		"one too large":     {map[string]string{GenerationAnnotation: "4611686018427387904"}, 0, `is "4611686018427387904"`},
		"a negative number": {map[string]string{GenerationAnnotation: "-1"}, 0, `is "-1"`},
		"no number":         {map[string]string{GenerationAnnotation: "\x1b[2J"}, 0, `is "\x1b[2J"`},
		"an empty one":      {map[string]string{GenerationAnnotation: ""}, 0, `is ""`},
	} {
		t.Run(name, func(t *testing.T) {
			observing(t, func(t *testing.T, s *leaseServer) {
				s.edit(func(l *coordinationv1.Lease) { l.Annotations = tc.annotations })
				got, err := s.cluster().ObserveCluster(t.Context(), "prod-eu")
				if tc.err == "" {
					if err != nil || got.Generation != tc.want || !got.Leased {
						t.Errorf("generation %d, error %v", got.Generation, err)
					}
					return
				}
				want := "reading Lease kube-system/certsync-prod-eu: its annotation certsync.dev/generation " + tc.err + ", not a whole number"
				if err == nil || err.Error() != want || !strings.Contains(reconcile.Hint(err),
					"kubectl annotate --overwrite lease -n kube-system certsync-prod-eu certsync.dev/generation=N") {
					t.Errorf("error is %v, hint %q", err, reconcile.Hint(err))
				}
			})
		})
	}
}
