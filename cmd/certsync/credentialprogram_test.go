//go:build linux

// Where $XDG_CACHE_HOME says where caches are.

package main

import (
	"context"
	"crypto/elliptic"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/reconcile"
)

// rotation is a program with client-go, the plugin in its kubeconfig, and a cluster that can hold an answer back.
type rotation struct {
	t      *testing.T
	dir    string
	client rest.Interface
	maps   typedcorev1.ConfigMapInterface

	mu       sync.Mutex
	credent  reconcile.Credential // what Vault has
	asked    int                  // Vault
	seen     []string             // requests that were not answered 401: method and serial number of the certificate
	holds    bool
	arrived  chan struct{} // a request is held
	released chan struct{} // closed: requests are held no more
}

func newRotation(t *testing.T, first reconcile.Credential) *rotation {
	t.Helper()
	p := &rotation{t: t, dir: t.TempDir(), credent: first, arrived: make(chan struct{}, 10), released: make(chan struct{})}
	vault := httptest.NewServer(http.HandlerFunc(p.vault))
	t.Cleanup(func() { vault.CloseClientConnections(); vault.Close() })
	cluster := httptest.NewUnstartedServer(http.HandlerFunc(p.cluster))
	cluster.Config.ErrorLog = log.New(io.Discard, "", 0) // of connections that the client ends
	cluster.EnableHTTP2 = true
	cluster.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	cluster.StartTLS()
	t.Cleanup(func() { cluster.CloseClientConnections(); cluster.Close() })
	cmd := credentialProcess(t, p.dir, vault)
	plugin := &clientcmdapi.ExecConfig{
		APIVersion: "client.authentication.k8s.io/v1", Command: cmd.Path, Args: cmd.Args[1:], InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
	}
	for _, variable := range cmd.Env {
		if name, value, _ := strings.Cut(variable, "="); name != execInfo {
			plugin.Env = append(plugin.Env, clientcmdapi.ExecEnvVar{Name: name, Value: value})
		}
	}
	client, err := kubernetes.NewForConfig(&rest.Config{
		Host: cluster.URL, QPS: -1, ExecProvider: plugin,
		TLSClientConfig: rest.TLSClientConfig{CAData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cluster.Certificate().Raw})},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.client, p.maps = client.CoreV1().RESTClient(), client.CoreV1().ConfigMaps("work")
	return p
}

func (p *rotation) vault(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	text, err := json.Marshal(map[string]any{"data": map[string]any{
		"data":     map[string]string{"kubeconfig": "kubeconfig", "tls.crt": string(p.credent.Certificate), "tls.key": string(p.credent.Key.Reveal())},
		"metadata": map[string]int{"version": 1},
	}})
	if err != nil {
		panic(err)
	}
	answer(w, http.StatusOK, string(text))
}

// cluster answers 401 to what is about the ConfigMap "unauthorized", half of what is about "half", and holds the rest back if
// it is told to.
func (p *rotation) cluster(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	const object = `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"held"}}`
	if strings.HasSuffix(r.URL.Path, "/unauthorized") {
		answer(w, http.StatusUnauthorized, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Unauthorized","code":401}`)
		return
	}
	watches := r.URL.Query().Get("watch") != ""
	p.mu.Lock()
	p.seen = append(p.seen, r.Method+" "+r.TLS.PeerCertificates[0].SerialNumber.String())
	half := strings.HasSuffix(r.URL.Path, "/half")
	holds := p.holds || half
	p.mu.Unlock()
	if half {
		_, _ = io.WriteString(w, object[:len(object)/2])
		_ = http.NewResponseController(w).Flush()
	}
	if holds {
		p.arrived <- struct{}{}
		select {
		case <-p.released:
		case <-r.Context().Done():
			return
		}
	}
	if watches {
		answer(w, http.StatusOK, `{"type":"ADDED","object":`+object+`}`)
		return
	}
	answer(w, http.StatusOK, object)
}

// rotates puts a credential into Vault, and has client-go run the plugin, which it does at a 401 as at the
// expirationTimestamp.
func (p *rotation) rotates(next reconcile.Credential) {
	p.t.Helper()
	p.mu.Lock()
	p.credent, p.holds = next, false
	asked := p.asked
	p.mu.Unlock()
	if err := os.RemoveAll(filepath.Join(p.dir, "caches")); err != nil { // else Vault is not asked for 5 minutes
		p.t.Fatal(err)
	}
	if _, err := p.maps.Get(p.t.Context(), "unauthorized", metav1.GetOptions{}); !apierrors.IsUnauthorized(err) {
		p.t.Errorf("error is %v", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked != asked+1 {
		p.t.Errorf("Vault was asked %d times", p.asked-asked)
	}
}

// held is the object that the requests are about.
var held = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "held"}}

// requests are one of each kind.
var requests = map[string]func(context.Context, typedcorev1.ConfigMapInterface) error{
	http.MethodGet: func(ctx context.Context, maps typedcorev1.ConfigMapInterface) error {
		_, err := maps.Get(ctx, "held", metav1.GetOptions{})
		return err
	},
	http.MethodPost: func(ctx context.Context, maps typedcorev1.ConfigMapInterface) error {
		_, err := maps.Create(ctx, held, metav1.CreateOptions{})
		return err
	},
	http.MethodPut: func(ctx context.Context, maps typedcorev1.ConfigMapInterface) error {
		_, err := maps.Update(ctx, held, metav1.UpdateOptions{})
		return err
	},
	http.MethodPatch: func(ctx context.Context, maps typedcorev1.ConfigMapInterface) error {
		_, err := maps.Patch(ctx, "held", types.MergePatchType, []byte("{}"), metav1.PatchOptions{})
		return err
	},
	http.MethodDelete: func(ctx context.Context, maps typedcorev1.ConfigMapInterface) error {
		return maps.Delete(ctx, "held", metav1.DeleteOptions{})
	},
	"watch": func(ctx context.Context, maps typedcorev1.ConfigMapInterface) error {
		w, err := maps.Watch(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		defer w.Stop()
		if e, open := <-w.ResultChan(); open && e.Type != watch.Added {
			return errors.New("the watch shows " + string(e.Type))
		}
		return nil
	},
}

// TestProgramAtARotation: a request that has no answer yet when another certificate comes loses its connection. client-go
// repeats it if it only reads; any other fails, once.
func TestProgramAtARotation(t *testing.T) {
	t.Parallel()
	ca := fixture.NewCA(t)
	now := time.Now()
	first := ca.Sign(fixture.Key(t, elliptic.P256()), now, now.Add(time.Hour))
	second := ca.Sign(fixture.Key(t, elliptic.P256()), now.Add(time.Second), now.Add(time.Hour))
	for kind, send := range requests {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			p := newRotation(t, first)
			p.holds = true
			ended := make(chan error, 1)
			go func() { ended <- send(t.Context(), p.maps) }()
			<-p.arrived
			p.rotates(second)
			err := <-ended
			if reads := kind == http.MethodGet || kind == "watch"; reads && err != nil {
				t.Errorf("a request that only reads failed: %v", err)
			} else if !reads && !closedByRotation(err) {
				t.Errorf("error is %v", err)
			}
			if err := send(t.Context(), p.maps); err != nil {
				t.Errorf("when it was repeated: %v", err)
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			if first, last := p.seen[0], p.seen[len(p.seen)-1]; len(p.seen) < 2 || strings.Fields(first)[1] == strings.Fields(last)[1] {
				t.Errorf("requests and certificates: %q", p.seen)
			}
		})
	}
}

// TestProgramInTheMiddleOfAnAnswer: of a request that only reads, too, client-go does not repeat one whose answer has begun.
func TestProgramInTheMiddleOfAnAnswer(t *testing.T) {
	t.Parallel()
	ca, now := fixture.NewCA(t), time.Now()
	p := newRotation(t, ca.Sign(fixture.Key(t, elliptic.P256()), now, now.Add(time.Hour)))
	body, err := p.client.Get().Namespace("work").Resource("configmaps").Name("half").Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if _, err := io.ReadFull(body, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	p.rotates(ca.Sign(fixture.Key(t, elliptic.P256()), now.Add(time.Second), now.Add(time.Hour)))
	if _, err := io.ReadAll(body); !closedByRotation(err) {
		t.Errorf("error is %v", err)
	}
}

// closedByRotation recognizes the error of a request whose connection client-go has closed. The documentation tells users
// to look for an error that is no answer of the API server. Its text is net/http's: the goroutine that reads from an HTTP/2
// connection and the one that writes to it give different ones, and either may be first.
func closedByRotation(err error) bool {
	return err != nil && !errors.As(err, new(apierrors.APIStatus)) &&
		(errors.Is(err, net.ErrClosed) || strings.Contains(err.Error(), "http2: client connection force closed"))
}

// TestProgramWithoutARotation: a plugin that gives the same certificate again closes nothing, however often it runs.
func TestProgramWithoutARotation(t *testing.T) {
	t.Parallel()
	ca := fixture.NewCA(t)
	only := ca.Sign(fixture.Key(t, elliptic.P256()), time.Now(), time.Now().Add(time.Hour))
	p := newRotation(t, only)
	p.holds = true
	ended := make(chan error, 1)
	go func() { ended <- requests[http.MethodPost](t.Context(), p.maps) }()
	<-p.arrived
	for range 3 {
		p.rotates(only)
	}
	close(p.released)
	if err := <-ended; err != nil || len(p.seen) != 1 {
		t.Errorf("error is %v after %q", err, p.seen)
	}
}
