package main

import (
	"context"

	"github.com/certsync/certsync/cmd/certsync/internal/fleet"
)

// inEach calls do for several clusters side by side, with the flags for each. The results have the errors of those that fail.
func inEach[T any](ctx context.Context, f serverFlags, chosen fleet.Flags, targets []fleet.Target, do func(context.Context, serverFlags, fleet.Target) (T, error)) ([]fleet.Result[T], error) {
	if f.Context != "" {
		return nil, fleet.ErrContext
	}
	f.beside = true
	results := fleet.Each(ctx, targets, chosen.ClustersAtOnce, func(ctx context.Context, t fleet.Target) (T, error) { return do(ctx, f.at(t), t) })
	if ctx.Err() != nil {
		return nil, context.Cause(ctx) // clusters that were not asked have not failed
	}
	return results, nil
}

// ended names the clusters that failed on stderr, and returns what the command ends with.
func ended[T any](p program, results []fleet.Result[T]) error {
	failures := fleet.Failures(results)
	for _, err := range failures {
		p.complain(err)
	}
	if len(failures) > 0 {
		return exitStatus(exitError)
	}
	return nil
}

// same is for results that are shown as they are.
func same[T any](v T) T { return v }
