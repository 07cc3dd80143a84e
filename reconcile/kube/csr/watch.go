package csr

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/certsync/certsync/reconcile/httplimit"
	"github.com/certsync/certsync/reconcile/kube/api"
)

var (
	_ cache.ReflectorStore    = (*signerWatch)(nil)
	_ cache.TransformingStore = (*signerWatch)(nil)
)

// signerWatch is one watch for all requests in flight. It selects by signer. client-go's
// reflector runs it: it resumes a closed watch where it ended, lists again when that version is too old, and waits when the
// server says so. As the reflector's store, signerWatch keeps only the waiters.
type signerWatch struct {
	server *api.Server

	mu      sync.Mutex
	waiting map[types.UID]*waiter
	last    error // of the latest list or watch; nil after one that worked
	stream  error // an error that ended a watch; nil after an event
}

// waiter waits for the outcome of one request.
type waiter struct {
	name            string
	resourceVersion string // at which the request exists; a later list without the request means that it was deleted
	approved        chan struct{}
	settled         chan outcome
}

func newSignerWatch(server *api.Server) *signerWatch {
	return &signerWatch{server: server, waiting: map[types.UID]*waiter{}}
}

// start starts the watch, which runs until ctx ends.
func (s *signerWatch) start(ctx context.Context) {
	source := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, _ metav1.ListOptions) (runtime.Object, error) { return s.list(ctx) },
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = ofSigner
			return s.open(ctx, o)
		},
	}
	reflector := cache.NewReflectorWithOptions(source, &certificatesv1.CertificateSigningRequest{}, s, cache.ReflectorOptions{
		Name: "certsync",
		// By default the waits grow to a minute if a server closes watches again and again. That is too long for people.
		Backoff: &wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 10, Cap: 2 * time.Second},
	})
	// A failure of the watch becomes part of the error of a wait that ends without a result.
	go reflector.RunWithContext(api.Quiet(ctx))
}

// list returns all requests, slim. It reads them from etcd, in pages: an API server's cache would send all of them at once.
func (s *signerWatch) list(ctx context.Context) (*certificatesv1.CertificateSigningRequestList, error) {
	all := &certificatesv1.CertificateSigningRequestList{}
	page := func(ctx context.Context, o metav1.ListOptions) (*certificatesv1.CertificateSigningRequestList, error) {
		l, err := requests(s.server).List(ctx, o)
		if err == nil && all.ResourceVersion == "" {
			all.ResourceVersion = l.ResourceVersion
		}
		return l, err
	}
	o := metav1.ListOptions{FieldSelector: ofSigner}
	err := api.List(ctx, page, o, func(csr *certificatesv1.CertificateSigningRequest) bool {
		all.Items = append(all.Items, *s.slim(csr))
		return true
	})
	if s.noted(err) != nil {
		return nil, err
	}
	return all, nil
}

// open starts a watch. Each of its events is bounded.
func (s *signerWatch) open(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	ctx, next := httplimit.InParts(ctx)
	w, err := requests(s.server).Watch(ctx, o)
	if s.noted(err) != nil {
		return nil, err
	}
	return s.listen(w, next, o.SendInitialEvents != nil && *o.SendInitialEvents), nil
}

// maxInitial bounds the events for existing requests with which a watch begins. The reflector keeps their objects.
const maxInitial = 200_000

// listen passes a watch's events on. It calls next for each event, and notes whether the stream of events still works. With
// initial, the watch begins with events for the existing requests, up to a bookmark.
func (s *signerWatch) listen(w watch.Interface, next func(), initial bool) watch.Interface {
	events := make(chan watch.Event)
	proxy := watch.NewProxyWatcher(events)
	go func() {
		defer close(events)
		defer w.Stop()
		for n := 0; ; n++ {
			var e watch.Event
			var open bool
			select {
			case e, open = <-w.ResultChan():
			case <-proxy.StopChan():
			}
			if !open {
				return
			}
			next()
			initial = initial && e.Type != watch.Bookmark
			if initial && n == maxInitial {
				e = watch.Event{Type: watch.Error, Object: &metav1.Status{Status: metav1.StatusFailure, Code: 500, Reason: metav1.StatusReasonInternalError,
					Message: fmt.Sprintf("%s begins a watch with more than %d events, the most that certsync reads", s.server.Address, maxInitial)}}
			}
			s.heard(e)
			select {
			case events <- e:
			case <-proxy.StopChan():
				return
			}
		}
	}()
	return proxy
}

// heard notes an error that breaks the stream of events, until the next event.
func (s *signerWatch) heard(e watch.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stream = nil
	if err := apierrors.FromObject(e.Object); e.Type == watch.Error && apierrors.IsInternalError(err) {
		s.stream = err
	}
}

// register adds a waiter for csr, which Create has returned.
func (s *signerWatch) register(csr *certificatesv1.CertificateSigningRequest) *waiter {
	w := &waiter{
		name: csr.Name, resourceVersion: csr.ResourceVersion,
		approved: make(chan struct{}, 1), settled: make(chan outcome, 1),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting[csr.UID] = w
	return w
}

func (s *signerWatch) forget(uid types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, uid)
}

func (s *signerWatch) lastError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cmp.Or(s.last, s.stream)
}

// noted keeps err for waits that end without a result, and returns it. After a 403 all waits fail at once, since trying
// again does not help.
func (s *signerWatch) noted(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = err
	if apierrors.IsForbidden(err) {
		err := s.server.Failed("watching certificatesigningrequests", err)
		for uid := range s.waiting {
			s.settle(uid, &outcome{err: err})
		}
	}
	return err
}

// settle gives a waiter its outcome. The caller holds the lock.
func (s *signerWatch) settle(uid types.UID, o *outcome) {
	if w := s.waiting[uid]; w != nil && o != nil {
		delete(s.waiting, uid)
		w.settled <- *o
	}
}

// passOn gives a waiter the state of its request. The caller holds the lock.
func (s *signerWatch) passOn(csr *certificatesv1.CertificateSigningRequest) {
	w, c := s.waiting[csr.UID], verdict(csr)
	if w != nil && c != nil && c.Type == certificatesv1.CertificateApproved {
		select {
		case w.approved <- struct{}{}:
		default: // it knows already
		}
	}
	s.settle(csr.UID, outcomeOf(csr))
}

// slim returns the part of a request that settle needs, without the status if nobody waits for the request. The cluster may
// hold thousands of requests of the last hour. Nothing is lost for a waiter that registers later: approve comes after
// register, and ask reads the request itself once the waiter is registered.
func (s *signerWatch) slim(csr *certificatesv1.CertificateSigningRequest) *certificatesv1.CertificateSigningRequest {
	small := &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: csr.Name, UID: csr.UID, ResourceVersion: csr.ResourceVersion},
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting[csr.UID] != nil {
		small.Status = csr.Status
	}
	return small
}

// Transformer implements cache.TransformingStore. The reflector applies it to the objects that it collects for Replace.
func (s *signerWatch) Transformer() cache.TransformFunc {
	return func(obj any) (any, error) {
		if csr, ok := obj.(*certificatesv1.CertificateSigningRequest); ok {
			return s.slim(csr), nil
		}
		return obj, nil
	}
}

// Add implements cache.ReflectorStore. A request can be issued already when the watch first sees it.
func (s *signerWatch) Add(obj any) error { return s.Update(obj) }

// Update implements cache.ReflectorStore.
func (s *signerWatch) Update(obj any) error {
	if csr, ok := obj.(*certificatesv1.CertificateSigningRequest); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.passOn(csr)
	}
	return nil
}

// Delete implements cache.ReflectorStore. obj is the last state, which can have a certificate.
func (s *signerWatch) Delete(obj any) error {
	if csr, ok := obj.(*certificatesv1.CertificateSigningRequest); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.settle(csr.UID, outcomeOf(csr))
		s.settle(csr.UID, &outcome{err: errDeleted(csr.Name)})
	}
	return nil
}

// Replace implements cache.ReflectorStore. objs are all requests at resourceVersion. A request that is missing was deleted
// while the watch was interrupted.
func (s *signerWatch) Replace(objs []any, resourceVersion string) error {
	there := make(map[types.UID]bool, len(objs))
	for _, obj := range objs {
		if csr, ok := obj.(*certificatesv1.CertificateSigningRequest); ok {
			there[csr.UID] = true
			_ = s.Update(csr)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for uid, w := range s.waiting {
		order, err := resourceversion.CompareResourceVersion(w.resourceVersion, resourceVersion)
		if !there[uid] && err == nil && order <= 0 {
			s.settle(uid, &outcome{err: errDeleted(w.name)})
		}
	}
	return nil
}

// Resync implements cache.ReflectorStore.
func (s *signerWatch) Resync() error { return nil }
