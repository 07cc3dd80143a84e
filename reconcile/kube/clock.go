package kube

import (
	"net/http"
	"sync"
	"time"
)

// maxLag is how long an answer may take to count for the clock: its Date may be as old as it was under way.
const maxLag = 10 * time.Second

// serverClock tells the API server's time from the Date of its answers. That has whole seconds, cut off, and grows old
// on its way: the clock is never ahead of the server's, and behind by less than maxLag and a second.
type serverClock struct {
	mu       sync.Mutex
	date     time.Time // of the last answer that counts; zero: there was none yet
	received time.Time // when it came, by the local clock
}

// now is the API server's time, or false if no answer has told it yet.
func (k *serverClock) now() (time.Time, bool) { return k.since(time.Time{}) }

// since is the same from an answer that came at start (local time) or later.
func (k *serverClock) since(start time.Time) (time.Time, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.date.IsZero() || k.received.Before(start) {
		return time.Time{}, false
	}
	return k.date.Add(time.Since(k.received)), true
}

func (k *serverClock) note(date string, sent, received time.Time) {
	at, err := http.ParseTime(date)
	if err != nil || received.Sub(sent) > maxLag {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.date, k.received = at.UTC(), received
}

// clockReader notes the Date of every answer that passes, and touches nothing of it.
type clockReader struct {
	next  http.RoundTripper
	clock *serverClock
}

// RoundTrip is done when the answer's header is there: the body of a watch goes on for as long as it likes.
func (r clockReader) RoundTrip(request *http.Request) (*http.Response, error) {
	sent := time.Now()
	answer, err := r.next.RoundTrip(request)
	if err == nil {
		r.clock.note(answer.Header.Get("Date"), sent, time.Now())
	}
	return answer, err
}

// WrappedRoundTripper lets client-go find the connection behind it.
func (r clockReader) WrappedRoundTripper() http.RoundTripper { return r.next }
