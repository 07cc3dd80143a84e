package kube

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/pager"
)

// errNoList is what an answer gets that decodes as an empty list but did not come from an API server: a proxy's "{}"
// must not pass for a cluster without bindings.
var errNoList = errors.New("the answer has no resourceVersion, so it is not an API server's list")

// list hands every object to add, page by page (500 objects each), so that a large cluster is never in memory as a
// whole. It ends with the first error; what add got until then is not the list.
func list[L, T runtime.Object](
	ctx context.Context, page func(context.Context, metav1.ListOptions) (L, error), o metav1.ListOptions, add func(T),
) error {
	p := pager.New(func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		ctx, cancel := withTimeout(ctx)
		defer cancel()
		l, err := page(ctx, o)
		if err != nil {
			return nil, err
		}
		m, err := meta.ListAccessor(l)
		if err != nil {
			return nil, err
		}
		if m.GetResourceVersion() == "" {
			return nil, errNoList
		}
		return l, nil
	})
	p.PageBufferSize = 1
	return p.EachListItem(ctx, o, func(obj runtime.Object) error {
		add(obj.(T))
		return nil
	})
}
