package api

import (
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/certsync/certsync/reconcile/preflight"
)

// Tried returns the error of a dry run, err, as a preflight.ErrNoDryRun if no dry run is possible: the API server refuses all
// that a webhook would see which does not support them.
func Tried(answer, err error) error {
	if apierrors.IsBadRequest(answer) && strings.Contains(answer.Error(), "does not support dry run") {
		return fmt.Errorf("%w: %w", preflight.ErrNoDryRun, err)
	}
	return err
}
