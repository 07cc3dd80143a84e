package credentials

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/render"
	"github.com/certsync/certsync/reconcile"
)

// Delivery gives a user's kubeconfigs to the user.
type Delivery struct {
	User        string
	Merge       bool        // into the user's own kubeconfig
	File        string      // to merge into; empty: the one that kubectl uses
	ContextName string      // of the only kubeconfig; empty: the usual one
	Exec        bool        // the kubeconfigs have the plugin
	Complain    func(error) // prints an error, with its hint, that stops nothing
}

// Deliver returns the text to print: one kubeconfig, or what came of the merge. It notes in each kubeconfig why it was not merged.
func (d Delivery) Deliver(ctx context.Context, all []Kubeconfig) ([]byte, error) {
	d.warnOfExpired(all)
	if !d.Merge {
		return join(d.ContextName, all)
	}
	if err := merge(ctx, d.File, d.ContextName, all); err != nil {
		return nil, err
	}
	var merges []render.MergeResult
	for _, one := range all {
		if one.Err == nil {
			merges = append(merges, d.merged(one))
		}
	}
	return render.Merge(merges...), nil
}

func (d Delivery) warnOfExpired(all []Kubeconfig) {
	for _, one := range all {
		if one.Err == nil && !time.Now().Before(one.Until) {
			d.Complain(one.named(reconcile.WithHint(fmt.Errorf("the certificate of %q expired at %s", d.User, reconcile.TimeText(one.Until)),
				"ask the administrator of certsync to run certsync apply, which renews it"), len(all)))
		}
	}
}

// merged is what to print about a kubeconfig that was merged.
func (d Delivery) merged(one Kubeconfig) render.MergeResult {
	done := one.Merged
	if len(done.Elsewhere) > 0 {
		d.Complain(reconcile.WithHint(fmt.Errorf("cluster %q has changed in your kubeconfig: %s", done.Context, strings.Join(done.Elsewhere, ", ")),
			fmt.Sprintf("if you did not expect this, ask the administrator of certsync before you use the context; the old file is kept as %s", strings.Join(done.Backups, " and "))))
	}
	result := render.MergeResult{
		Context: done.Context, Current: done.Current, Changed: done.Changed, Files: done.Files, Backups: done.Backups,
		Kubeconfig: d.File,
	}
	// The plugin renews the certificate by itself, and an expired one has been reported.
	if !d.Exec && time.Now().Before(one.Until) {
		result.Until = one.Until
	}
	return result
}

// Failures counts the kubeconfigs that have an error, and those whose merge was refused. Of several, it prints each error: the others
// are delivered.
func (d Delivery) Failures(all []Kubeconfig) (failed, refused int) {
	for _, one := range all {
		if one.Err == nil {
			continue
		}
		if failed++; errors.As(one.Err, new(reconcile.Refused)) {
			refused++
		}
		if len(all) > 1 {
			d.Complain(one.named(one.Err, len(all)))
		}
	}
	return failed, refused
}
