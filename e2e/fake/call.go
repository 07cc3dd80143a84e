package fake

import (
	"fmt"
	"net/http"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Call is a request of a run: the Nth, from 1, of those with that name. Names are made of method and path, and of what
// tells requests apart that have those in common: "POST certificatesigningrequests for alice@example.com".
type Call struct {
	Name string
	N    int
}

func (c Call) String() string {
	if c.N == 1 {
		return c.Name
	}
	return fmt.Sprintf("%s (%d)", c.Name, c.N)
}

// kubernetesCall names a request to the API server. In a list of a run's calls, a request for a certificate is told by whom
// it is for, since its name is made up by the server.
func (w *World) kubernetesCall(r *http.Request, path string, body []byte) string {
	method := r.Method
	if isWatch(r) {
		method = "WATCH"
	}
	if strings.HasSuffix(path, "reviews") {
		return method + " " + path[strings.LastIndex(path, "/")+1:] + w.reviewFor(r, body)
	}
	t := parsePath(path)
	if t.kind == nil {
		return method + " " + path
	}
	name := method + " " + t.kind.resource
	switch {
	case t.kind == csrs && method != "WATCH" && (t.name != "" || method == "POST"):
		name += strings.TrimSuffix("/"+t.subresource, "/") + " for " + w.requestedFor(r, t, body)
	case t.name != "":
		name += " " + strings.TrimPrefix(t.namespace+"/"+t.name, "/")
	}
	return name
}

// reviewFor tells reviews apart: by who asks who they are, or by what is asked.
func (w *World) reviewFor(r *http.Request, body []byte) string {
	obj, err := decode[runtime.Object](r, body)
	if err != nil {
		return ""
	}
	switch asked := obj.(type) {
	case *authorizationv1.SelfSubjectAccessReview:
		return " " + questionIn(asked.Spec.ResourceAttributes)
	case *authorizationv1.SubjectAccessReview:
		return " " + questionIn(asked.Spec.ResourceAttributes)
	case *authenticationv1.SelfSubjectReview:
		w.mu.Lock()
		defer w.mu.Unlock()
		if who, known := w.identify(r); known {
			return " of " + who.name
		}
	}
	return ""
}

// questionIn is a question with the namespace that it is about.
func questionIn(a *authorizationv1.ResourceAttributes) string {
	if a == nil || a.Namespace == "" {
		return question(a)
	}
	return question(a) + " in " + a.Namespace
}

// requestedFor is the CN of a CertificateSigningRequest.
func (w *World) requestedFor(r *http.Request, t target, body []byte) string {
	var c *csr
	if t.name == "" {
		c, _ = decode[*csr](r, body)
	} else {
		w.mu.Lock()
		c, _ = w.objects[t.key()].(*csr)
		w.mu.Unlock()
	}
	if c == nil {
		return t.name
	}
	request, err := parseRequest(c.Spec.Request)
	if err != nil {
		return t.name
	}
	return request.Subject.CommonName
}
