package main

import (
	"errors"
	"fmt"
	"testing"
)

// TestEventStream: after a write that failed the others are tried all the same, and the first error is kept.
func TestEventStream(t *testing.T) {
	w := &failing{fail: 1}
	s := &eventStream{out: w}
	for n := range 3 {
		s.send(n)
	}
	if w.calls != 3 || fmt.Sprint(s.err) != "writing the output: full 1" {
		t.Errorf("%d writes, error %v", w.calls, s.err)
	}
}

// failing is a writer whose first writes fail.
type failing struct{ calls, fail int }

func (w *failing) Write(p []byte) (int, error) {
	w.calls++
	if w.calls <= w.fail {
		return 0, errors.New(fmt.Sprint("full ", w.calls))
	}
	return len(p), nil
}
