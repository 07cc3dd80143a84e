package api

import (
	"context"
	"fmt"
	"testing"

	"k8s.io/client-go/util/retry"
)

// TestRetryOfClientGo: client-go's util/retry returns nil for a write that had no answer in time. If this test fails, that is
// fixed, and certsync's own loops can use it.
func TestRetryOfClientGo(t *testing.T) {
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		return fmt.Errorf("writing: %w", context.DeadlineExceeded)
	})
	if err != nil {
		t.Errorf("it returns %v", err)
	}
}
