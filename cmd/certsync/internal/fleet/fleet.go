package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/certsync/certsync/inventory"
)

// Flags choose clusters of an inventory that has several.
type Flags struct {
	Cluster        Names `placeholder:"NAME,..." help:"Only this cluster of an inventory that has several: its name, or a label such as env=prod. Repeatable (default: all)."`
	ClustersAtOnce int   `default:"4" placeholder:"N" help:"How many clusters certsync works on at once (default: ${default})."`
}

// Validate is called by kong after parsing.
func (f Flags) Validate() error {
	if f.ClustersAtOnce < 1 {
		return errors.New("--clusters-at-once must be at least 1")
	}
	return nil
}

// Target is a cluster, and what the inventory says for it.
type Target struct {
	inventory.Member
	Inventory *inventory.Inventory
}

// Targets returns the chosen clusters, in the order of the file.
func (f Flags) Targets(file *inventory.File) ([]Target, error) {
	members, err := f.Cluster.Choose(file)
	if err != nil {
		return nil, err
	}
	var all []Target
	for _, m := range members {
		all = append(all, Target{m, file.Effective(m)})
	}
	return all, nil
}

// Result is what a command has found out about one cluster, or why it has not.
type Result[T any] struct {
	Target
	Value T
	Err   error
}

// answerLimit is how long a cluster has to answer all that certsync asks for a plan or a report.
const answerLimit = 10 * time.Minute

var errSlow = fmt.Errorf("the cluster took longer than %s to answer: find out why it is slow, then run the command again", inventory.DurationText(answerLimit))

// Within calls do with a context that ends if do takes longer than answerLimit. A request has a limit of its own, but somebody who has taken
// a cluster over can answer with pages without an end, and the others must not wait for them. The context goes on after do if do has no
// error.
func Within(ctx context.Context, do func(context.Context) error) error {
	limited, end := context.WithCancelCause(ctx)
	limit := time.AfterFunc(answerLimit, func() { end(errSlow) })
	err := do(limited)
	if !limit.Stop() && ctx.Err() == nil {
		err = errSlow // also if do has no error: what it has found is not all
	}
	if err != nil {
		end(nil)
	}
	return err
}

// Each calls do for each target, for at most atOnce at a time, and returns the results in the order of the targets. One that fails, or
// does not answer in time, harms no other.
func Each[T any](ctx context.Context, targets []Target, atOnce int, do func(context.Context, Target) (T, error)) []Result[T] {
	all := make([]Result[T], len(targets))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i, t := range targets {
		group.Go(func() error {
			all[i].Target = t
			all[i].Err = Within(ctx, func(ctx context.Context) (err error) {
				all[i].Value, err = do(ctx, t)
				return err
			})
			return nil
		})
	}
	_ = group.Wait()
	return all
}
