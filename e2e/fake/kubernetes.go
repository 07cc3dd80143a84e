package fake

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// request is a request to the API server, taken apart.
type request struct {
	*http.Request
	body   []byte
	who    identity
	format format
	target
}

// target is what a path names.
type target struct {
	kind                         *kind
	namespace, name, subresource string
}

func (t target) key() objectKey { return objectKey{t.kind, t.namespace, t.name} }

// parsePath reads /api/v1/… and /apis/<group>/<version>/…; the kind is nil if there is none.
func parsePath(path string) target {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	group, version := "", ""
	switch {
	case len(parts) > 2 && parts[0] == "api":
		version, parts = parts[1], parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		group, version, parts = parts[1], parts[2], parts[3:]
	default:
		return target{}
	}
	var t target
	if len(parts) > 2 && parts[0] == "namespaces" {
		t.namespace, parts = parts[1], parts[2:]
	}
	parts = append(parts, "", "")
	i := slices.IndexFunc(kinds, func(k *kind) bool { return k.Group == group && k.Version == version && k.resource == parts[0] })
	if i < 0 || !kinds[i].namespaced && t.namespace != "" {
		return target{}
	}
	t.kind, t.name, t.subresource = kinds[i], parts[1], parts[2]
	return t
}

// serveKubernetes answers as an API server. The path is without the world's prefix.
func (w *World) serveKubernetes(rw http.ResponseWriter, r *http.Request, path string, body []byte) {
	w.mu.Lock()
	locked := true
	defer func() {
		if locked {
			w.mu.Unlock()
		}
	}()
	rw.Header().Set("Date", w.now().UTC().Format(http.TimeFormat))
	req := &request{Request: r, body: body, format: accepted(r), target: parsePath(path)}
	var known bool
	if req.who, known = w.identify(r); !known {
		fail(rw, req.format, apierrors.NewUnauthorized("Unauthorized"))
		return
	}
	if strings.HasSuffix(path, "/selfsubjectreviews") || strings.HasSuffix(path, "subjectaccessreviews") {
		w.review(rw, req)
		return
	}
	if req.kind == nil {
		fail(rw, req.format, apierrors.NewGenericServerResponse(http.StatusNotFound, r.Method, kinds[0].groupResource(), "", "", 0, true))
		return
	}
	if err := w.authorize(req); err != nil {
		fail(rw, req.format, err)
		return
	}
	if r.Method == http.MethodGet && r.URL.Query().Get("watch") != "" {
		locked = false
		w.mu.Unlock()
		w.watch(rw, req)
		return
	}
	w.serveObject(rw, req)
}

// serveObject answers what is about one object, or a list. The caller holds the lock.
func (w *World) serveObject(rw http.ResponseWriter, r *request) {
	var (
		obj    object
		status = http.StatusOK
		err    error
	)
	switch {
	case r.Method == http.MethodGet && r.name == "":
		w.list(rw, r)
		return
	case r.Method == http.MethodGet:
		obj, err = w.get(r)
		w.peopleDecide(r.key(), true)
	case r.Method == http.MethodPost && r.name == "":
		status = http.StatusCreated
		obj, err = w.create(r)
	case r.Method == http.MethodPut && r.kind == csrs && r.subresource == "approval":
		obj, err = w.approve(r)
	case r.subresource != "":
		err = apierrors.NewNotFound(r.kind.groupResource(), r.name)
	case r.Method == http.MethodPut && r.name != "":
		obj, err = w.put(r)
	case r.Method == http.MethodPatch && r.name != "":
		obj, err = w.patch(r)
	case r.Method == http.MethodDelete && r.name != "":
		if obj, err = w.delete(r); err == nil && obj == nil {
			reply(rw, r.format, http.StatusOK, &metav1.Status{
				TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusSuccess})
			return
		}
	default:
		err = apierrors.NewMethodNotSupported(r.kind.groupResource(), r.Method)
	}
	switch {
	case err != nil:
		fail(rw, r.format, err)
	case r.format.metadataOnly:
		reply(rw, r.format, status, metadataOf(obj))
	default:
		reply(rw, r.format, status, obj)
	}
}

func (w *World) get(r *request) (object, error) {
	if obj := w.objects[r.key()]; obj != nil {
		return obj, nil
	}
	return nil, apierrors.NewNotFound(r.kind.groupResource(), r.name)
}

// identity is who sent a request.
type identity struct {
	name   string
	groups []string
}

// identify takes the certificate's CN and O, else the bearer token, which is the name itself. A certificate that the
// API server doesn't trust is as good as none.
func (w *World) identify(r *http.Request) (identity, bool) {
	if r.TLS != nil && !w.settings.Untrusted {
		if leaf := w.authority.knows(r.TLS.PeerCertificates, w.now()); leaf != nil {
			return identity{leaf.Subject.CommonName, append(slices.Clone(leaf.Subject.Organization), "system:authenticated")}, true
		}
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return identity{token, []string{"system:authenticated"}}, ok && token != ""
}

// verbs by method; a GET of a list is "list" or "watch".
var verbs = map[string]string{"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}

// authorize looks at Settings.Denied.
func (w *World) authorize(r *request) error {
	verb, resource := verbs[r.Method], r.kind.resource
	switch {
	case verb == "get" && r.URL.Query().Get("watch") != "":
		verb = "watch"
	case verb == "get" && r.name == "":
		verb = "list"
	}
	if r.subresource != "" {
		resource += "/" + r.subresource
	}
	if !slices.Contains(w.settings.Denied, verb+" "+resource) {
		return nil
	}
	return apierrors.NewForbidden(r.kind.groupResource(), r.name, errors.New(
		"User \""+r.who.name+"\" cannot "+verb+" resource \""+resource+"\" in API group \""+r.kind.Group+"\""))
}

// serverTime is t as objects have it, in whole seconds.
func serverTime(t time.Time) metav1.Time { return metav1.NewTime(t.Truncate(time.Second)) }
