package deploy

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/certsync/certsync/reconcile"
)

// ClientSide says why kubectl apply without --server-side cannot apply an object, or is nil. It writes the whole object into an
// annotation, and the API server limits the annotations of an object.
func ClientSide(object runtime.Object) error {
	text, err := json.Marshal(object)
	if err != nil {
		return err
	}
	size := len(corev1.LastAppliedConfigAnnotation) + len(text) + len("\n")
	if size <= validation.TotalAnnotationSizeLimitB {
		return nil
	}
	return reconcile.WithHint(fmt.Errorf("a %s has %d bytes as JSON: kubectl apply without --server-side copies them into an annotation, where at most %d fit",
		object.GetObjectKind().GroupVersionKind().Kind, len(text), validation.TotalAnnotationSizeLimitB),
		"apply it with `kubectl apply --server-side -f FILE`")
}
