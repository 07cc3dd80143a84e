package api

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

// errNoList is the error for an answer that decodes as an empty list, but did not come from an API server. A proxy's "{}"
// must not count as a cluster without bindings.
var errNoList = errors.New("the answer has no resourceVersion, so it does not come from an API server")

const (
	// pageSize is the number of objects in one request.
	pageSize = 500
	// maxPages and maxList bound a list without an end. maxList is in bytes; etcd's default quota for a whole cluster is
	// 2 GiB.
	maxPages = 10_000
	maxList  = 512 << 20
	// objectWeight is added to the bytes of each object, so that a list has at most 500,000 objects.
	objectWeight = 1 << 10
	// shared is the part of maxList that each of several clusters gets.
	shared = 4
)

// ErrLongList is the error for a list over the limits.
var ErrLongList = fmt.Errorf("the list has more than %d bytes or %d pages, the most that certsync reads", maxList, maxPages)

// ErrLongShare is the error for a list of one of several clusters that is over its part of the limits.
var ErrLongShare = fmt.Errorf("the list has more than %d bytes, the most that certsync reads from each of several clusters: run certsync for this cluster alone", maxList/shared)

type sharedKey struct{}

// Shared returns the context for lists of one of several clusters. They have less room, because all clusters are read into one memory.
func Shared(ctx context.Context) context.Context { return context.WithValue(ctx, sharedKey{}, true) }

// sized is an object of a list. Size returns its bytes, as Kubernetes stores it.
type sized interface {
	runtime.Object
	Size() int
}

// List passes every object of a list to add, which says whether it keeps the object. Only what it keeps counts for maxList: otherwise a
// tenant could make every list an error. It reads pages of o.Limit objects (by default 500), so that a large cluster is
// never in memory as a whole. It ends with the first error. After an error, the objects that add got are not the list.
//
// For a page that is too large, List asks again with fewer objects. Otherwise a tenant could prevent the list by making
// large objects.
func List[L runtime.Object, T sized](
	ctx context.Context, page func(context.Context, metav1.ListOptions) (L, error), o metav1.ListOptions, add func(T) (kept bool),
) error {
	most := cmp.Or(o.Limit, pageSize)
	size, pages, total := most, 0, 0
	p := pager.New(func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		if pages++; pages > maxPages {
			return nil, ErrLongList
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
		size := objectWeight + one.Size()
		if !add(one) {
			return nil
		}
		switch total += size; {
		case total > maxList:
			return ErrLongList
		case total > maxList/shared && ctx.Value(sharedKey{}) != nil:
			return ErrLongShare
		}
		return nil
	})
}

// onePage reads one page, and refuses an answer that is not a list.
func onePage[L runtime.Object](
	ctx context.Context, page func(context.Context, metav1.ListOptions) (L, error), o metav1.ListOptions,
) (runtime.Object, error) {
	ctx, cancel := WithTimeout(ctx)
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
