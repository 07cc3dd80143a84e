package kube

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/certsync/certsync/reconcile"
)

const leasesPath = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"

var leaseResource = resource("coordination.k8s.io", "leases")

// leaseServer is the part of an API server that serves Leases. It runs in the test's process without a network, so that
// synctest's clock goes on while a request hangs; the server's own clock is an hour ahead of that.
type leaseServer struct {
	*apiServer
	mu      sync.Mutex
	version int
	leases  map[string]*coordinationv1.Lease
	date    func() string // of the answers
}

const ahead = time.Hour

// inBubble runs test with a server, on a clock that jumps when all wait.
func inBubble(t *testing.T, test func(t *testing.T, s *leaseServer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &leaseServer{apiServer: &apiServer{t: t, routes: map[string]http.HandlerFunc{}}, leases: map[string]*coordinationv1.Lease{}}
		s.before = s.serve
		s.date = func() string { return s.now().UTC().Format(http.TimeFormat) }
		test(t, s)
	})
}

// now is the server's time.
func (s *leaseServer) now() time.Time { return time.Now().Add(ahead) }

func (s *leaseServer) serve(w http.ResponseWriter, _ *http.Request, c call) bool {
	s.apiServer.mu.Lock()
	date := s.date
	s.apiServer.mu.Unlock()
	w.Header().Set("Date", date())
	name, ok := strings.CutPrefix(c.path, leasesPath)
	if !ok {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name = strings.TrimPrefix(name, "/")
	switch c.method {
	case "GET":
		if s.leases[name] == nil {
			fail(w, apierrors.NewNotFound(leaseResource, name))
			return true
		}
		reply(w, http.StatusOK, s.leases[name])
	case "POST", "PUT":
		lease, err := decode[*coordinationv1.Lease](c.body)
		if err != nil {
			s.t.Errorf("decoding: %v", err)
		}
		if refused := s.store(lease, c.method == "POST"); refused != nil {
			fail(w, refused)
			return true
		}
		reply(w, http.StatusOK, lease)
	}
	return true
}

// store has an API server's preconditions.
func (s *leaseServer) store(lease *coordinationv1.Lease, create bool) *apierrors.StatusError {
	current := s.leases[lease.Name]
	switch {
	case create && current != nil:
		return apierrors.NewAlreadyExists(leaseResource, lease.Name)
	case create:
		lease.UID = types.UID("uid-" + strconv.Itoa(s.version))
	case current == nil:
		return apierrors.NewNotFound(leaseResource, lease.Name)
	case lease.ResourceVersion != current.ResourceVersion || lease.UID != current.UID:
		return apierrors.NewConflict(leaseResource, lease.Name, io.ErrNoProgress)
	}
	s.put(lease)
	return nil
}

func (s *leaseServer) put(lease *coordinationv1.Lease) {
	s.version++
	lease.ResourceVersion = strconv.Itoa(s.version)
	lease.APIVersion, lease.Kind = "coordination.k8s.io/v1", "Lease"
	s.leases[lease.Name] = lease.DeepCopy()
}

// lease is what is stored for owner prod-eu; nil: nothing.
func (s *leaseServer) lease() *coordinationv1.Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leases["certsync-prod-eu"].DeepCopy()
}

// edit is somebody else's write.
func (s *leaseServer) edit(change func(*coordinationv1.Lease)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lease := s.leases["certsync-prod-eu"].DeepCopy()
	if lease == nil {
		lease = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "certsync-prod-eu", Namespace: "kube-system", UID: "another"}}
	}
	change(lease)
	s.put(lease)
}

// remove is somebody's kubectl delete.
func (s *leaseServer) remove() {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.leases, "certsync-prod-eu")
}

// dated replaces the Date of the answers.
func (s *leaseServer) dated(date func() string) {
	s.apiServer.mu.Lock()
	defer s.apiServer.mu.Unlock()
	s.date = date
}

// fault answers instead of the server, or returns false.
type fault func(w http.ResponseWriter, r *http.Request, c call) bool

// faulty has a fault before the server's answers; nil: none any more.
func (s *leaseServer) faulty(f fault) {
	s.apiServer.mu.Lock()
	defer s.apiServer.mu.Unlock()
	s.before = func(w http.ResponseWriter, r *http.Request, c call) bool {
		return f != nil && f(w, r, c) || s.serve(w, r, c)
	}
}

// writes are the faults of all writes.
func writes(f fault) fault {
	return func(w http.ResponseWriter, r *http.Request, c call) bool { return c.method != "GET" && f(w, r, c) }
}

// reads are the faults of all reads.
func reads(f fault) fault {
	return func(w http.ResponseWriter, r *http.Request, c call) bool { return c.method == "GET" && f(w, r, c) }
}

// hanging is a fault for which no answer comes.
func hanging(_ http.ResponseWriter, r *http.Request, _ call) bool { <-r.Context().Done(); return true }

// unavailable is a fault that the API server tells.
func unavailable(w http.ResponseWriter, _ *http.Request, _ call) bool {
	fail(w, apierrors.NewInternalError(io.ErrClosedPipe))
	return true
}

// swallowed is a fault for which the server does what it is asked, and the connection breaks before the answer.
func (s *leaseServer) swallowed(_ http.ResponseWriter, r *http.Request, c call) bool {
	s.serve(httptest.NewRecorder(), r, c)
	panic(http.ErrAbortHandler)
}

// once is a fault for the first request alone.
func once(f fault) fault {
	var first sync.Once
	return func(w http.ResponseWriter, r *http.Request, c call) (answered bool) {
		first.Do(func() { answered = f(w, r, c) })
		return answered
	}
}

// RoundTrip hands a request to the server, and waits for the answer as long as the request may take.
func (s *leaseServer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if r.Body == nil {
		r.Body = http.NoBody
	}
	answer := make(chan *http.Response, 1)
	go func() {
		defer close(answer)
		defer func() {
			if broken := recover(); broken != nil && broken != http.ErrAbortHandler {
				panic(broken)
			}
		}()
		recorder := httptest.NewRecorder()
		s.ServeHTTP(recorder, r)
		answer <- recorder.Result()
	}()
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case a := <-answer:
		switch {
		case r.Context().Err() != nil:
			return nil, r.Context().Err()
		case a == nil:
			return nil, io.ErrUnexpectedEOF
		}
		return a, nil
	}
}

func (s *leaseServer) cluster() *Cluster {
	s.t.Helper()
	c, err := newCluster(&rest.Config{Host: "https://cluster.test", QPS: -1, Transport: s}, "https://cluster.test", kubeconfigEntry{})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// locker is one run's.
func (s *leaseServer) locker(holder string) *Locker {
	return s.cluster().Locker(LockOptions{Owner: "prod-eu", Holder: holder})
}

// acquire takes the lock for a run, and releases it with the test.
func (s *leaseServer) acquire(holder string) reconcile.Lock {
	s.t.Helper()
	lock, err := s.locker(holder).Acquire(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { s.faulty(nil); s.release(lock) })
	return lock
}

func (s *leaseServer) release(lock reconcile.Lock) {
	s.t.Helper()
	if err := lock.Release(s.t.Context()); err != nil {
		s.t.Errorf("releasing: %v", err)
	}
}
