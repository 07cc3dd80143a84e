package api

import (
	"net/http"
	"sync"
	"time"
)

// maxLag is how long an answer may take to count for the clock. Its Date can be as old as the answer took.
const maxLag = 10 * time.Second

// Clock tells the API server's time from the Date header of its answers. Date has whole seconds, cut off, and its answer
// takes time to arrive. So the clock is never ahead of the server's, and behind by less than 11 seconds.
type Clock struct {
	mu       sync.Mutex
	date     time.Time // of the last answer that counts; zero: there was none yet
	received time.Time // when it came, by the local clock
}

// Now returns the API server's time, or false if no answer has told it yet.
func (k *Clock) Now() (time.Time, bool) { return k.Since(time.Time{}) }

// Since returns the API server's time now, or false if no answer has told it since start (local time).
func (k *Clock) Since(start time.Time) (time.Time, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.date.IsZero() || k.received.Before(start) {
		return time.Time{}, false
	}
	return k.date.Add(time.Since(k.received)), true
}

// note takes the Date of an answer. The other two are local times.
func (k *Clock) note(date string, sent, received time.Time) {
	at, err := http.ParseTime(date)
	if err != nil || received.Sub(sent) > maxLag {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.date, k.received = at.UTC(), received
}

// clockReader notes the Date of every answer that passes, and changes nothing.
type clockReader struct {
	next  http.RoundTripper
	clock *Clock
}

// RoundTrip returns once the answer's header is there. The body of a watch can go on for hours.
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
