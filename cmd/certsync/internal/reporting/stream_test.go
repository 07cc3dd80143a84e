package reporting

import (
	"errors"
	"fmt"
	"testing"
)

// TestStream: after a write that failed the others are tried all the same, and the first error is kept.
func TestStream(t *testing.T) {
	w := &failing{fail: 1}
	s := &Stream{Out: w}
	for n := range 3 {
		s.Send(n)
	}
	if w.calls != 3 || fmt.Sprint(s.Err) != "writing the output: full 1" {
		t.Errorf("%d writes, error %v", w.calls, s.Err)
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
