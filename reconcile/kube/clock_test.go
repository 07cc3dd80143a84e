package kube

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"github.com/certsync/certsync/reconcile/kube/apitest"
)

// serverClock is an hour ahead of the test's.
const serverClock = time.Hour

// observing runs a test on a clock that jumps when all wait. The server holds a small cluster, and date is the Date of its
// answers; nil: the server's time.
func observing(t *testing.T, test func(t *testing.T, c *Cluster, date func(func() string))) {
	routes := observable(t).Routes
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		date := func() string { return time.Now().Add(serverClock).UTC().Format(http.TimeFormat) }
		s := &apitest.Server{T: t, Routes: routes, Before: func(w http.ResponseWriter, _ *http.Request, _ apitest.Call) bool {
			mu.Lock()
			now := date
			mu.Unlock()
			w.Header().Set("Date", now())
			return false
		}}
		config := &rest.Config{Host: "https://cluster.test", QPS: -1, Transport: apitest.InProcess(s)}
		c, err := newCluster(config, config.Host, kubeconfigEntry{}, "kube-system")
		if err != nil {
			t.Fatal(err)
		}
		test(t, c, func(other func() string) {
			mu.Lock()
			defer mu.Unlock()
			date = other
		})
	})
}

func TestObserveClusterTellsTheServersTime(t *testing.T) {
	observing(t, func(t *testing.T, c *Cluster, _ func(func() string)) {
		time.Sleep(400 * time.Millisecond) // Date cuts that off
		got, err := c.ObserveCluster(t.Context(), "prod-eu")
		if want := time.Now().Add(serverClock - 400*time.Millisecond); err != nil || !got.Clock.Equal(want) {
			t.Errorf("error %v; clock %s, want %s", err, got.Clock, want)
		}
		time.Sleep(time.Minute)
		if now, ok := c.Clock(); !ok || !now.Equal(got.Clock.Add(time.Minute)) {
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
			observing(t, func(t *testing.T, c *Cluster, dated func(func() string)) {
				if got, err := c.ObserveCluster(t.Context(), "prod-eu"); err != nil || got.Clock.IsZero() {
					t.Fatalf("clock %s, error %v", got.Clock, err)
				}
				time.Sleep(time.Second)
				dated(date)
				if got, err := c.ObserveCluster(t.Context(), "prod-eu"); err != nil || !got.Clock.IsZero() {
					t.Errorf("clock %s, error %v", got.Clock, err)
				}
			})
		})
	}
}
