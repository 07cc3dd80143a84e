package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/pager"

	"github.com/certsync/certsync/reconcile/httplimit"
)

// errNoList is what an answer gets that decodes as an empty list but did not come from an API server: a proxy's "{}"
// must not pass for a cluster without bindings.
var errNoList = errors.New("the answer has no resourceVersion, so it is not an API server's list")

const (
	// pageSize is how many objects are asked for at once.
	pageSize = 500
	// maxPages and maxList bound a list whose pages go on and on. maxList is in bytes; etcd's default quota for a whole
	// cluster is 2 GiB.
	maxPages = 10_000
	maxList  = 512 << 20
	// objectWeight is what an object counts for beside its own bytes, so that there are at most 500,000.
	objectWeight = 1 << 10
)

// errLongList ends a list that goes on and on.
var errLongList = fmt.Errorf("the list has more than %d bytes or %d pages, the most that certsync reads", maxList, maxPages)

// sized is anything that a list holds. Size is in bytes, as Kubernetes stores it.
type sized interface {
	runtime.Object
	Size() int
}

// list hands every object to add, page by page (500 objects each), so that a large cluster is never in memory as a
// whole. It ends with the first error; what add got until then is not the list.
//
// A page that is too large is asked for again with fewer objects: tenants make large ones, and must not keep others' from
// being listed.
func list[L runtime.Object, T sized](
	ctx context.Context, page func(context.Context, metav1.ListOptions) (L, error), o metav1.ListOptions, add func(T),
) error {
	most := cmp.Or(o.Limit, pageSize)
	size, pages, total := most, 0, 0
	p := pager.New(func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		if pages++; pages > maxPages {
			return nil, errLongList
		}
		for {
			o.Limit = size
			l, err := onePage(ctx, page, o)
			if size == 1 || !errors.As(err, new(*httplimit.TooLarge)) {
				size = min(most, 2*size)
				return l, err
			}
			size = max(1, size/8)
		}
	})
	p.PageBufferSize = 1
	return p.EachListItem(ctx, o, func(obj runtime.Object) error {
		one := obj.(T)
		if total += objectWeight + one.Size(); total > maxList {
			return errLongList
		}
		add(one)
		return nil
	})
}

// onePage refuses an answer that is no list.
func onePage[L runtime.Object](
	ctx context.Context, page func(context.Context, metav1.ListOptions) (L, error), o metav1.ListOptions,
) (runtime.Object, error) {
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
}
