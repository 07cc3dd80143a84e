package e2e

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
)

// gate is an admission webhook: it lets dry runs pass, and holds the API server up over any other ConfigMap of a namespace
// until it is opened.
type gate struct {
	arrived chan string   // names of what is held
	opened  chan struct{} // closed: all may pass

	mu    sync.Mutex
	asked bool
}

func (f *fixture) newGate(namespace string) *gate {
	f.Helper()
	g := &gate{arrived: make(chan string, 100), opened: make(chan struct{})}
	s := httptest.NewTLSServer(g)
	f.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	ca := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	name := "gate." + namespace + ".example.com"
	f.apply(`
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: ` + name + `}
webhooks:
  - name: ` + name + `
    admissionReviewVersions: [v1]
    sideEffects: None
    timeoutSeconds: 30
    clientConfig: {url: "` + s.URL + `", caBundle: ` + ca + `}
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ` + namespace + `}}
    rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
`)
	f.Cleanup(func() { f.kubectl("delete", "validatingwebhookconfiguration", name) })
	return g
}

// ServeHTTP answers an AdmissionReview.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil || review.Request == nil {
		http.Error(w, "not an AdmissionReview", http.StatusBadRequest)
		return
	}
	g.mu.Lock()
	g.asked = true
	g.mu.Unlock()
	if dry := review.Request.DryRun; dry == nil || !*dry {
		g.arrived <- review.Request.Name
		select {
		case <-g.opened:
		case <-r.Context().Done():
			return
		}
	}
	review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
	review.Request = nil
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(review)
}

// isThere reports whether the API server asks.
func (g *gate) isThere() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked
}

func (g *gate) open() { close(g.opened) }

// wait waits until an object is held.
func (g *gate) wait(t *testing.T, name string) {
	t.Helper()
	for timeout := time.After(time.Minute); ; {
		select {
		case got := <-g.arrived:
			if got == name {
				return
			}
		case <-timeout:
			t.Fatalf("%q did not come to the gate", name)
		}
	}
}
