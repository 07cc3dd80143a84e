package kube

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// inParallel runs all tasks, at most limit at a time. The first failure stops the others, and is the error. A 403 stops
// nothing: inParallel returns all of them together, so that somebody can grant all missing rights at once.
func inParallel(ctx context.Context, limit int, tasks ...func(context.Context) error) error {
	group, running := errgroup.WithContext(ctx)
	group.SetLimit(limit)
	forbidden := make([]error, len(tasks))
	for i, task := range tasks {
		group.Go(func() error {
			err := task(running)
			if apierrors.IsForbidden(err) {
				forbidden[i] = err
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return context.Cause(running) // the first failure, or the reason for which ctx has ended
	}
	return errors.Join(forbidden...)
}
