package deploy

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certsync/certsync/reconcile"
)

// TestClientSide: an object that fits into its own annotation is no problem, and one byte more is.
func TestClientSide(t *testing.T) {
	object := func(bytes int) *corev1.ConfigMap {
		return &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{Kind: "ConfigMap", APIVersion: "v1"}, Data: map[string]string{"users.yaml": strings.Repeat("a", bytes)}}
	}
	const around = len(`{"kind":"ConfigMap","apiVersion":"v1","metadata":{},"data":{"users.yaml":""}}` + "\n" + corev1.LastAppliedConfigAnnotation)
	const limit = 262144
	if err := ClientSide(object(limit - around)); err != nil {
		t.Error(err)
	}
	err := ClientSide(object(limit - around + 1))
	const want = "a ConfigMap has 262096 bytes as JSON: kubectl apply without --server-side copies them into an annotation, where at most 262144 fit"
	if err == nil || err.Error() != want || reconcile.Hint(err) != "apply it with `kubectl apply --server-side -f FILE`" {
		t.Errorf("%v", err)
	}
}
