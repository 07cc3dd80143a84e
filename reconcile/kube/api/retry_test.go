package api

import (
	"context"
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// TestRetryOnConflict: the error is that of the last attempt, also if that had no answer in time.
func TestRetryOnConflict(t *testing.T) {
	conflict := apierrors.NewConflict(schema.GroupResource{}, "name", errors.New("modified"))
	timeout := context.DeadlineExceeded
	for sentence, tt := range map[string]struct {
		answers []error
		calls   int
		err     error
	}{
		"written":                          {[]error{nil}, 1, nil},
		"written after a conflict":         {[]error{conflict, nil}, 2, nil},
		"refused":                          {[]error{timeout}, 1, timeout},
		"refused after a conflict":         {[]error{conflict, timeout, nil}, 2, timeout},
		"somebody changes it all the time": {[]error{conflict, conflict, conflict, nil}, 3, conflict},
	} {
		calls := 0
		err := RetryOnConflict(3, func() error { calls++; return tt.answers[calls-1] })
		if !errors.Is(err, tt.err) || calls != tt.calls {
			t.Errorf("%s: %v after %d calls", sentence, err, calls)
		}
	}
}
