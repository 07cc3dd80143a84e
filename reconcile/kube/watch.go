package kube

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/certsync/certsync/reconcile/httplimit"
)

var (
	_ cache.ReflectorStore    = (*signerWatch)(nil)
	_ cache.TransformingStore = (*signerWatch)(nil)
)

// signerWatch is one watch for all requests in flight. It selects by signer, since labels can be taken off by others.
// client-go's reflector keeps it going: it resumes a closed watch where it ended, relists when that version is too
// old, and waits when told to. As the reflector's store, signerWatch keeps nothing but who waits.
type signerWatch struct {
	cluster *Cluster

	mu      sync.Mutex
	waiting map[types.UID]*waiter
	last    error // of the latest list or watch; nil after one that worked
	stream  error // that ended a watch; nil after an event
}

// waiter waits for the outcome of one request.
type waiter struct {
	name            string
	resourceVersion string // at which the request exists; a list at a later one without it means that it is gone
	approved        chan struct{}
	settled         chan outcome
}

func newSignerWatch(c *Cluster) *signerWatch {
	return &signerWatch{cluster: c, waiting: map[types.UID]*waiter{}}
}

// start watches until ctx ends.
func (s *signerWatch) start(ctx context.Context) {
	selector := fields.OneTermEqualSelector("spec.signerName", certificatesv1.KubeAPIServerClientSignerName).String()
	source := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, _ metav1.ListOptions) (runtime.Object, error) { return s.list(ctx, selector) },
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = selector
			return s.open(ctx, o)
		},
	}
	reflector := cache.NewReflectorWithOptions(source, &certificatesv1.CertificateSigningRequest{}, s, cache.ReflectorOptions{
		Name: "certsync",
		// By default waits grow to a minute for a server that keeps closing watches, and people wait behind this one.
		Backoff: &wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 10, Cap: 2 * time.Second},
	})
	// What goes wrong here is part of the error of whoever waits in vain.
	go reflector.RunWithContext(quiet(ctx))
}

// list is all there is, slim. It is read anew from etcd, in pages: the cache of an API server would send all at once.
func (s *signerWatch) list(ctx context.Context, selector string) (*certificatesv1.CertificateSigningRequestList, error) {
	all := &certificatesv1.CertificateSigningRequestList{}
	page := func(ctx context.Context, o metav1.ListOptions) (*certificatesv1.CertificateSigningRequestList, error) {
		l, err := s.cluster.csrs().List(ctx, o)
		if err == nil && all.ResourceVersion == "" {
			all.ResourceVersion = l.ResourceVersion
		}
		return l, err
	}
	o := metav1.ListOptions{FieldSelector: selector, Limit: requestPage}
	err := list(ctx, page, o, func(csr *certificatesv1.CertificateSigningRequest) { all.Items = append(all.Items, *s.slim(csr)) })
	if s.noted(err) != nil {
		return nil, err
	}
	return all, nil
}

// open begins a watch, each event of which is bounded.
func (s *signerWatch) open(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	ctx, next := httplimit.InParts(ctx)
	w, err := s.cluster.csrs().Watch(ctx, o)
	if s.noted(err) != nil {
		return nil, err
	}
	return s.listen(w, next, o.SendInitialEvents != nil && *o.SendInitialEvents), nil
}

// maxInitial is how many events a watch may begin with for what there is already. The reflector keeps what they tell.
const maxInitial = 200_000

// listen passes a watch's events on. For each it calls next, and notes whether the stream of events still works. initial
// says that the watch begins with what there is already, up to a bookmark.
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
					Message: fmt.Sprintf("%s begins a watch with more than %d events, the most that certsync reads", s.cluster.server, maxInitial)}}
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

// heard notes what makes a stream of events useless, until an event comes again.
func (s *signerWatch) heard(e watch.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stream = nil
	if err := apierrors.FromObject(e.Object); e.Type == watch.Error && apierrors.IsInternalError(err) {
		s.stream = err
	}
}

// register makes a waiter for csr, as Create returned it.
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

// noted keeps err for whoever waits in vain, and returns it. A 403 fails them at once: it does not pass.
func (s *signerWatch) noted(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = err
	if apierrors.IsForbidden(err) {
		err := s.cluster.failed("watching certificatesigningrequests", err)
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

// tell gives a waiter what its request has come to. The caller holds the lock.
func (s *signerWatch) tell(csr *certificatesv1.CertificateSigningRequest) {
	w, c := s.waiting[csr.UID], verdict(csr)
	if w != nil && c != nil && c.Type == certificatesv1.CertificateApproved {
		select {
		case w.approved <- struct{}{}:
		default: // it was told before
		}
	}
	s.settle(csr.UID, outcomeOf(csr))
}

// slim keeps of a request what settle needs, and nothing of one that nobody waits for: the cluster may hold the last
// hour's requests in thousands. Nothing is lost if somebody waits for it later: nobody registers after approving, and who
// leaves that to others looks for itself once it is registered.
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

// Transformer implements cache.TransformingStore, for what the reflector collects before it calls Replace.
func (s *signerWatch) Transformer() cache.TransformFunc {
	return func(obj any) (any, error) {
		if csr, ok := obj.(*certificatesv1.CertificateSigningRequest); ok {
			return s.slim(csr), nil
		}
		return obj, nil
	}
}

// Add implements cache.ReflectorStore. A request may be seen first when it is issued already.
func (s *signerWatch) Add(obj any) error { return s.Update(obj) }

// Update implements cache.ReflectorStore.
func (s *signerWatch) Update(obj any) error {
	if csr, ok := obj.(*certificatesv1.CertificateSigningRequest); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.tell(csr)
	}
	return nil
}

// Delete implements cache.ReflectorStore. What comes with it is the last state, which may be an issued one.
func (s *signerWatch) Delete(obj any) error {
	if csr, ok := obj.(*certificatesv1.CertificateSigningRequest); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.settle(csr.UID, outcomeOf(csr))
		s.settle(csr.UID, &outcome{err: errDeleted(csr.Name)})
	}
	return nil
}

// Replace implements cache.ReflectorStore: objs is all there is at resourceVersion. Requests that should be among them
// were deleted while the watch was down.
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
