package harness

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// client sends JSON to one of the servers. It stands for client-go and Vault's client, so that what is
// found to work here has not gone through the code that the tests are about.
type client struct {
	http    *http.Client
	baseURL string
	token   string // Vault's
}

func newClient(baseURL string, caPEM []byte, certificates ...tls.Certificate) *client {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(caPEM)
	return &client{
		baseURL: baseURL,
		http: &http.Client{
			Timeout: 30 * time.Second,
			Transport: &http.Transport{
				TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: certificates, MinVersion: tls.VersionTLS12},
				// A connection to a server that was killed and started again is of no use.
				DisableKeepAlives: true,
			},
		},
	}
}

// do sends in, unless it is nil, and reads the answer into out, unless that is nil. A status of 300 and
// more is an error too.
func (c *client) do(ctx context.Context, method, path string, in, out any) (status int, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return 0, err
	}
	if in == nil {
		body = nil
	}
	request, err := http.NewRequestWithContext(ctx, method, c.baseURL+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		request.Header.Set("X-Vault-Token", c.token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return response.StatusCode, err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return response.StatusCode, fmt.Errorf("%s %s: %s: %s", method, path, response.Status, answer)
	}
	if out == nil {
		return response.StatusCode, nil
	}
	return response.StatusCode, json.Unmarshal(answer, out)
}
