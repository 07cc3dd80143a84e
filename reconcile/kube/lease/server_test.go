package lease

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
	"github.com/certsync/certsync/reconcile/kube/api"
	"github.com/certsync/certsync/reconcile/kube/apitest"
)

const leasesPath = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"

var leaseResource = apitest.Resource("coordination.k8s.io", "leases")

// leaseServer is the part of an API server that serves Leases. It runs in the test's process without a network, so that
// synctest's clock goes on while a request hangs; the server's own clock is an hour ahead of that.
type leaseServer struct {
	*apitest.Server
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
		s := &leaseServer{Server: &apitest.Server{T: t}, leases: map[string]*coordinationv1.Lease{}}
		s.Before = s.serve
		s.date = func() string { return s.now().UTC().Format(http.TimeFormat) }
		test(t, s)
	})
}

// now is the server's time.
func (s *leaseServer) now() time.Time { return time.Now().Add(ahead) }

func (s *leaseServer) serve(w http.ResponseWriter, _ *http.Request, c apitest.Call) bool {
	s.Mutex.Lock()
	date := s.date
	s.Mutex.Unlock()
	w.Header().Set("Date", date())
	name, ok := strings.CutPrefix(c.Path, leasesPath)
	if !ok {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name = strings.TrimPrefix(name, "/")
	switch c.Method {
	case "GET":
		if s.leases[name] == nil {
			apitest.Fail(w, apierrors.NewNotFound(leaseResource, name))
			return true
		}
		apitest.Reply(w, http.StatusOK, s.leases[name])
	case "POST", "PUT":
		lease, err := apitest.Decode[*coordinationv1.Lease](c.Body)
		if err != nil {
			s.T.Errorf("decoding: %v", err)
		}
		if refused := s.store(lease, c.Method == "POST"); refused != nil {
			apitest.Fail(w, refused)
			return true
		}
		apitest.Reply(w, http.StatusOK, lease)
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

// lease returns the Lease that is stored for owner prod-eu, or nil.
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
	s.Mutex.Lock()
	defer s.Mutex.Unlock()
	s.date = date
}

// fault answers instead of the server, or returns false.
type fault func(w http.ResponseWriter, r *http.Request, c apitest.Call) bool

// faulty has a fault before the server's answers; nil: none any more.
func (s *leaseServer) faulty(f fault) {
	s.Mutex.Lock()
	defer s.Mutex.Unlock()
	s.Before = func(w http.ResponseWriter, r *http.Request, c apitest.Call) bool {
		return f != nil && f(w, r, c) || s.serve(w, r, c)
	}
}

// writes are the faults of all writes.
func writes(f fault) fault {
	return func(w http.ResponseWriter, r *http.Request, c apitest.Call) bool {
		return c.Method != "GET" && f(w, r, c)
	}
}

// reads are the faults of all reads.
func reads(f fault) fault {
	return func(w http.ResponseWriter, r *http.Request, c apitest.Call) bool {
		return c.Method == "GET" && f(w, r, c)
	}
}

// hanging is a fault for which no answer comes.
func hanging(_ http.ResponseWriter, r *http.Request, _ apitest.Call) bool {
	<-r.Context().Done()
	return true
}

// unavailable is a fault that the API server tells.
func unavailable(w http.ResponseWriter, _ *http.Request, _ apitest.Call) bool {
	apitest.Fail(w, apierrors.NewInternalError(io.ErrClosedPipe))
	return true
}

// swallowed is a fault in which the server carries out the request, and the connection breaks before the answer.
func (s *leaseServer) swallowed(_ http.ResponseWriter, r *http.Request, c apitest.Call) bool {
	s.serve(httptest.NewRecorder(), r, c)
	panic(http.ErrAbortHandler)
}

// once is a fault for the first request alone.
func once(f fault) fault {
	var first sync.Once
	return func(w http.ResponseWriter, r *http.Request, c apitest.Call) (answered bool) {
		first.Do(func() { answered = f(w, r, c) })
		return answered
	}
}

// client is the Client of one run.
func (s *leaseServer) client() *Client {
	s.T.Helper()
	server, err := api.New(&rest.Config{Host: "https://cluster.test", QPS: -1, Transport: apitest.InProcess(s)}, "https://cluster.test")
	if err != nil {
		s.T.Fatal(err)
	}
	return New(server, "kube-system")
}

// locker is one run's.
func (s *leaseServer) locker(holder string) *Locker {
	return s.client().Locker(Options{Owner: "prod-eu", Holder: holder})
}

// acquire takes the lock for a run, and releases it with the test.
func (s *leaseServer) acquire(holder string) reconcile.Lock {
	s.T.Helper()
	lock, err := s.locker(holder).Acquire(s.T.Context())
	if err != nil {
		s.T.Fatal(err)
	}
	s.T.Cleanup(func() { s.faulty(nil); s.release(lock) })
	return lock
}

func (s *leaseServer) release(lock reconcile.Lock) {
	s.T.Helper()
	if err := lock.Release(s.T.Context()); err != nil {
		s.T.Errorf("releasing: %v", err)
	}
}
