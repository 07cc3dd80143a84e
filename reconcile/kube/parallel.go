package kube

import (
	"context"
	"errors"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// inParallel runs all tasks, at most limit at a time. The first failure stops the others, except a 403: whoever grants
// the missing rights wants to hear of all of them at once.
func inParallel(ctx context.Context, limit int, tasks ...func(context.Context) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var (
		group sync.WaitGroup
		slots = make(chan struct{}, limit)
		errs  = make([]error, len(tasks))
	)
	for i, task := range tasks {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			if errs[i] = task(ctx); errs[i] != nil && !apierrors.IsForbidden(errs[i]) {
				stop(errs[i])
			}
		})
	}
	group.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return errors.Join(errs...)
}
