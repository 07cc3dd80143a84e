package csr

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/certsync/certsync/reconcile/kube/api"
	"github.com/certsync/certsync/reconcile/kube/apitest"
)

const csrPath = "/apis/certificates.k8s.io/v1/certificatesigningrequests"

var csrResource = apitest.Resource("certificates.k8s.io", "certificatesigningrequests")

type csr = certificatesv1.CertificateSigningRequest

// signer is the part of an API server that serves CertificateSigningRequests, with a controller that signs approved ones. Its
// functions are called with the lock held, and cause faults.
type signer struct {
	*apitest.Server
	version  int
	created  int
	objects  map[string]*csr
	history  []watchEvent
	compact  int // events at or before this version are gone
	changed  chan struct{}
	closing  chan struct{} // closed: all watches end
	noStream bool          // no initial events in watches, like before Kubernetes 1.34
	told     int           // the version up to which a watch was told
	broken   bool          // neither lists nor watches

	onCreate  func(*csr) // changes the object that Create stores and returns
	early     func(*csr) // after Create, before its answer is sent; the watch sees the result first
	seen      func(*csr) // by the issuer's watch
	onApprove func(*csr) // before the approval is looked at
	sign      func(*csr) // after the approval
}

type watchEvent struct {
	version int
	Type    watch.EventType `json:"type"`
	Object  any             `json:"object"`
}

// serverOf connects to a server that has begun.
func serverOf(t *testing.T, s *apitest.Server) *api.Server {
	t.Helper()
	server, err := api.New(s.RESTConfig(), s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return server
}

func newSigner(s *apitest.Server) *signer {
	g := &signer{Server: s, version: 1000, objects: map[string]*csr{},
		changed: make(chan struct{}), closing: make(chan struct{}),
		sign: func(c *csr) { c.Status.Certificate = []byte("certificate of " + c.Name) }}
	s.Routes["POST "+csrPath] = g.create
	s.Routes["GET "+csrPath] = g.list
	s.Before = func(w http.ResponseWriter, r *http.Request, c apitest.Call) bool {
		name, ok := strings.CutPrefix(c.Path, csrPath+"/")
		switch {
		case !ok:
			return false
		case c.Method == "GET":
			g.get(w, name)
		case c.Method == "DELETE":
			g.delete(w, name, c.Body)
		case c.Method == "PUT" && strings.HasSuffix(name, "/approval"):
			g.approve(w, strings.TrimSuffix(name, "/approval"), c.Body)
		default:
			return false
		}
		return true
	}
	return g
}

// store gives an object a new version and tells the watches. The caller holds the lock.
func (g *signer) store(t watch.EventType, c *csr) {
	g.version++
	c.ResourceVersion = strconv.Itoa(g.version)
	c.APIVersion, c.Kind = "certificates.k8s.io/v1", "CertificateSigningRequest"
	if g.objects[c.Name] = c; t == watch.Deleted {
		delete(g.objects, c.Name)
	}
	g.history = append(g.history, watchEvent{g.version, t, c.DeepCopy()})
	close(g.changed)
	g.changed = make(chan struct{})
}

func (g *signer) create(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c, err := apitest.Decode[*csr](string(body))
	if err != nil {
		g.T.Errorf("decoding a request: %v", err)
	}
	g.locked(func() {
		g.created++
		c.UID = types.UID("uid-" + strconv.Itoa(g.created))
		c.CreationTimestamp = metav1.Now()
		c.Spec.Username = apitest.Self
		if g.onCreate != nil {
			g.onCreate(c)
		}
		g.store(watch.Added, c)
	})
	if g.early != nil {
		g.locked(func() { g.early(c.DeepCopy()) })
		g.seen(g.object(c.Name))
	}
	apitest.Reply(w, http.StatusCreated, c)
}

func (g *signer) get(w http.ResponseWriter, name string) {
	g.Mutex.Lock()
	defer g.Mutex.Unlock()
	if c := g.objects[name]; c != nil {
		apitest.Reply(w, http.StatusOK, c)
		return
	}
	apitest.Fail(w, apierrors.NewNotFound(csrResource, name))
}

func (g *signer) delete(w http.ResponseWriter, name, body string) {
	o, err := apitest.Decode[*metav1.DeleteOptions](body)
	g.Mutex.Lock()
	defer g.Mutex.Unlock()
	c := g.objects[name]
	switch {
	case err != nil || o.Preconditions == nil || o.Preconditions.UID == nil:
		g.T.Errorf("a delete without a precondition: %v", err)
	case c == nil:
		apitest.Fail(w, apierrors.NewNotFound(csrResource, name))
	case *o.Preconditions.UID != c.UID:
		apitest.Fail(w, apierrors.NewConflict(csrResource, name, fmt.Errorf("uid")))
	default:
		g.store(watch.Deleted, c.DeepCopy())
		apitest.Reply(w, http.StatusOK, metav1.Status{Status: metav1.StatusSuccess})
	}
}

func (g *signer) approve(w http.ResponseWriter, name, body string) {
	sent, err := apitest.Decode[*csr](body)
	if err != nil {
		g.T.Errorf("decoding an approval: %v", err)
	}
	g.Mutex.Lock()
	defer g.Mutex.Unlock()
	if c := g.objects[name]; g.onApprove != nil && c != nil {
		g.onApprove(c.DeepCopy())
	}
	c := g.objects[name]
	switch {
	case c == nil:
		apitest.Fail(w, apierrors.NewNotFound(csrResource, name))
		return
	case sent.ResourceVersion != c.ResourceVersion || sent.UID != c.UID:
		apitest.Fail(w, apierrors.NewConflict(csrResource, name, fmt.Errorf("the object has been modified")))
		return
	}
	c = c.DeepCopy()
	c.Status.Conditions = sent.Status.Conditions
	g.store(watch.Modified, c)
	apitest.Reply(w, http.StatusOK, c)
	if g.sign != nil {
		c = c.DeepCopy()
		if g.sign(c); c.Name != "" {
			g.store(watch.Modified, c)
		}
	}
}

func (g *signer) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("watch") != "" {
		g.watch(w, r)
		return
	}
	g.Mutex.Lock()
	defer g.Mutex.Unlock()
	all := []*csr{}
	for _, name := range slices.Sorted(maps.Keys(g.objects)) {
		all = append(all, g.objects[name])
	}
	apitest.Reply(w, http.StatusOK, map[string]any{
		"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequestList", "items": all,
		"metadata": map[string]any{"resourceVersion": strconv.Itoa(g.version)},
	})
}

func (g *signer) watch(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	g.Mutex.Lock()
	from, _ := strconv.Atoi(q.Get("resourceVersion"))
	stream := q.Get("sendInitialEvents") == "true"
	var first []watchEvent
	switch {
	case stream && g.noStream:
		g.Mutex.Unlock()
		apitest.Fail(w, apierrors.NewInvalid(csrResourceKind, "", nil))
		return
	case stream:
		for _, name := range slices.Sorted(maps.Keys(g.objects)) {
			first = append(first, watchEvent{0, watch.Added, g.objects[name].DeepCopy()})
		}
		first = append(first, watchEvent{0, watch.Bookmark, bookmark(g.version)})
		from = g.version
	case from < g.compact:
		g.Mutex.Unlock()
		apitest.Fail(w, apierrors.NewResourceExpired("too old resource version"))
		return
	}
	closing := g.closing
	g.Mutex.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	for {
		g.Mutex.Lock()
		for _, e := range g.history {
			if e.version > from {
				first, from = append(first, e), e.version
			}
		}
		changed := g.changed
		g.Mutex.Unlock()
		for _, e := range first {
			_ = json.NewEncoder(w).Encode(e)
		}
		first = nil
		_ = http.NewResponseController(w).Flush()
		g.locked(func() { g.told = from })
		select {
		case <-changed:
		case <-closing:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// locked runs f while no request is served.
func (g *signer) locked(f func()) {
	g.Mutex.Lock()
	defer g.Mutex.Unlock()
	f()
}

// left counts the requests that stand.
func (g *signer) left() (n int) {
	g.locked(func() { n = len(g.objects) })
	return n
}

func (g *signer) object(name string) (c *csr) {
	g.locked(func() { c = g.objects[name] })
	return c
}

// closeWatches ends all watches that are open.
func (g *signer) closeWatches() {
	g.Mutex.Lock()
	defer g.Mutex.Unlock()
	close(g.closing)
	g.closing = make(chan struct{})
}

func bookmark(version int) *csr {
	return &csr{
		TypeMeta: metav1.TypeMeta{APIVersion: "certificates.k8s.io/v1", Kind: "CertificateSigningRequest"},
		ObjectMeta: metav1.ObjectMeta{ResourceVersion: strconv.Itoa(version),
			Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"}},
	}
}

var csrResourceKind = certificatesv1.SchemeGroupVersion.WithKind("CertificateSigningRequest").GroupKind()
