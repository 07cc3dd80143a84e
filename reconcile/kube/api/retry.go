package api

import (
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
)

// RetryOnConflict calls write until it returns something else than a conflict, at most tries times. It returns the error of
// the last call. After a conflict and then a timeout, client-go's own result would be the conflict.
func RetryOnConflict(tries int, write func() error) (err error) {
	_ = retry.RetryOnConflict(wait.Backoff{Steps: tries}, func() error {
		err = write()
		return err
	})
	return err
}
