package harness_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/certsync/certsync/e2e/harness"
)

// testProxy checks that a proxy lets everything pass as it is, and each of its faults.
func testProxy(t *testing.T, s *harness.Servers) {
	p, err := s.StartProxy()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	kubeconfig, err := p.UserKubeconfig("paula@example.com", []string{"developers", "system:masters"})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("a client certificate is who it is", func(t *testing.T) {
		who := kubectl(t, s, kubeconfig, "auth", "whoami", "-o", "jsonpath={.status.userInfo}")
		for _, want := range []string{"paula@example.com", `"developers","system:masters","system:authenticated"`, `"authentication.kubernetes.io/credential-id":["X509SHA256=`} {
			if !strings.Contains(who, want) {
				t.Errorf("no %s in %s", want, who)
			}
		}
	})
	t.Run("nobody is somebody else by a header", func(t *testing.T) {
		header := http.Header{"X-Remote-User": {"root"}, "X-Remote-Group": {"system:masters"}}
		if status, body, err := get(t, s, nil, p.KubeURL+"/api/v1/secrets", header); status != http.StatusForbidden || !strings.Contains(body, "system:anonymous") {
			t.Errorf("%d, %v: %s", status, err, body)
		}
	})
	t.Run("a token passes", func(t *testing.T) {
		kubectl(t, s, kubeconfig, "-n=default", "create", "serviceaccount", "paula")
		token := strings.TrimSpace(kubectl(t, s, kubeconfig, "-n=default", "create", "token", "paula"))
		header := http.Header{"Authorization": {"Bearer " + token}}
		if status, body, err := get(t, s, nil, p.KubeURL+"/api/v1/secrets", header); status != http.StatusForbidden || !strings.Contains(body, "system:serviceaccount:default:paula") {
			t.Errorf("%d, %v: %s", status, err, body)
		}
		header = http.Header{"X-Vault-Token": {s.VaultToken}}
		if status, body, err := get(t, s, nil, p.VaultAddr+"/v1/auth/token/lookup-self", header); status != http.StatusOK {
			t.Errorf("%d, %v: %s", status, err, body)
		}
	})
	t.Run("a watch goes on event by event", func(t *testing.T) { testWatch(t, s, p, kubeconfig) })
	t.Run("faults", func(t *testing.T) { testFaults(t, s, p, kubeconfig) })
}

func testWatch(t *testing.T, s *harness.Servers, p *harness.Proxy, kubeconfig string) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.KubeURL+"/api/v1/namespaces/default/configmaps?watch=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client(t, s, clientCertificate(t, kubeconfig)).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	events := bufio.NewScanner(response.Body)
	for _, name := range []string{"first", "second"} {
		kubectl(t, s, kubeconfig, "-n=default", "create", "configmap", name)
		for events.Scan() && !strings.Contains(events.Text(), `"name":"`+name+`"`) {
		}
		if err := events.Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// testFaults creates a namespace under each fault.
func testFaults(t *testing.T, s *harness.Servers, p *harness.Proxy, kubeconfig string) {
	tests := map[string]struct {
		fault  harness.Fault
		status int    // 0: the call fails
		text   string // of the answer or of the error
		done   bool   // the server did it
	}{
		"none":                      {harness.Fault{}, 201, `"name":"`, true},
		"an answer in its place":    {harness.Fault{Status: 409}, 409, `"reason":"Conflict"`, false},
		"one that says when":        {harness.Fault{Status: 429}, 429, `"reason":"TooManyRequests"`, false},
		"dropped before the server": {harness.Fault{Drop: harness.BeforeServer}, 0, "connection reset by peer", false},
		"dropped after the server":  {harness.Fault{Drop: harness.AfterServer}, 0, "connection reset by peer", true},
		"dropped in midst of it":    {harness.Fault{Drop: harness.InMidstAnswer}, 201, "unexpected EOF", true},
	}
	certificate := clientCertificate(t, kubeconfig)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			var did atomic.Bool
			tt.fault.Do = func() { did.Store(true) }
			p.Intercept(func(c harness.Call) harness.Fault {
				calls.Add(1)
				if want := (harness.Call{Server: harness.APIServer, Method: "POST", Path: "/api/v1/namespaces"}); c != want {
					t.Errorf("call %+v, want %+v", c, want)
				}
				return tt.fault
			})
			defer p.Intercept(nil)
			name := strings.ReplaceAll(name, " ", "-")
			status, text, err := send(t, s, certificate, http.MethodPost, p.KubeURL+"/api/v1/namespaces", http.Header{"Content-Type": {"application/json"}},
				`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"`+name+`"}}`)
			if err != nil {
				text = err.Error()
			}
			if status != tt.status || !strings.Contains(text, tt.text) || calls.Load() != 1 {
				t.Errorf("after %d calls: %d: %s", calls.Load(), status, text)
			}
			if did.Load() != (tt.fault.Status != 0 || tt.fault.Drop != harness.Never) {
				t.Errorf("Do was called: %v", did.Load())
			}
			if _, _, err := s.Kubectl(t.Context(), s.AdminKubeconfig, "get", "namespace", name); (err == nil) != tt.done {
				t.Errorf("the namespace: %v", err)
			}
		})
	}
}

// clientCertificate is that of a kubeconfig.
func clientCertificate(t *testing.T, kubeconfig string) *tls.Certificate {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair(config.CertData, config.KeyData)
	if err != nil {
		t.Fatal(err)
	}
	return &certificate
}

func client(t *testing.T, s *harness.Servers, certificate *tls.Certificate) *http.Client {
	t.Helper()
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(s.CACert)
	vaultCA, err := os.ReadFile(s.VaultCACert)
	if err != nil {
		t.Fatal(err)
	}
	trusted.AppendCertsFromPEM(vaultCA)
	config := &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}
	if certificate != nil {
		config.Certificates = []tls.Certificate{*certificate}
	}
	transport := &http.Transport{TLSClientConfig: config}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func get(t *testing.T, s *harness.Servers, certificate *tls.Certificate, url string, header http.Header) (status int, body string, err error) {
	t.Helper()
	return send(t, s, certificate, http.MethodGet, url, header, "")
}

// send makes one request, and returns an error also for a body that breaks off.
func send(t *testing.T, s *harness.Servers, certificate *tls.Certificate, method, url string, header http.Header, body string) (int, string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	response, err := client(t, s, certificate).Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if json.Valid(text) || err != nil {
		return response.StatusCode, string(text), err
	}
	t.Errorf("no JSON: %s", text)
	return response.StatusCode, string(text), nil
}
