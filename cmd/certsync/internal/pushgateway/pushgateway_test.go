package pushgateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certsync/certsync/e2e/fake"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/report"
)

// TestPushFails: what is wrong with a push is said, in time, without the credentials.
func TestPushFails(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server see the client go
		<-r.Context().Done()
	}))
	defer silent.Close()
	away := httptest.NewServer(http.RedirectHandler("/elsewhere", http.StatusMovedPermanently))
	defer away.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	guarded := fake.NewGateway("certsync", "correct horse")
	defer guarded.Close()
	tests := map[string]struct {
		url, password string
		want          string // "": it succeeds
	}{
		"nobody listens":     {url: "http://" + closed.Addr().String(), want: "connection refused"},
		"nobody answers":     {url: silent.URL, want: "no answer from " + silent.URL + ": the time is up"},
		"it is elsewhere":    {url: away.URL, want: "unexpected status code 301"},
		"a wrong password":   {url: guarded.URL, password: "battery staple", want: "unexpected status code 401"},
		"the right password": {url: guarded.URL, password: "correct horse"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			login := Login{"certsync", reconcile.NewSecret([]byte(tt.password))}
			wait := 10 * time.Second
			if tt.url == silent.URL {
				wait = 50 * time.Millisecond
			}
			ctx, cancel := context.WithTimeoutCause(t.Context(), wait, errors.New("the time is up"))
			defer cancel()
			err := URL(tt.url).Push(ctx, login, report.Account{Owner: "prod-eu"})
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || reconcile.Hint(err) == "" {
				t.Errorf("%v", err)
			}
			if text := fmt.Sprint(err); tt.password != "" && strings.Contains(text, tt.password) {
				t.Errorf("it shows the password: %s", text)
			}
		})
	}
}

// TestPushToWhoTalks: of an answer without end only the beginning is read, and said.
func TestPushToWhoTalks(t *testing.T) {
	var sent atomic.Int64
	talks := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		for line := []byte(strings.Repeat("x", 1<<16)); ; {
			n, err := w.Write(line)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	}))
	defer talks.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	err := URL(talks.URL).Push(ctx, Login{}, report.Account{Owner: "prod-eu"})
	if err == nil || !strings.Contains(err.Error(), "unexpected status code 400") || len(err.Error()) > 2*maxAnswer {
		t.Errorf("%.300s", fmt.Sprint(err))
	}
	if want := "… (the answer of " + talks.URL + ` to POST "/metrics/job/certsync/owner/prod-eu" is larger than 1024 bytes`; !strings.Contains(fmt.Sprint(err), want) {
		t.Errorf("%q is not in: %v", want, err)
	}
	// Beside what is read, a connection has room for what the kernel buffers on both sides: some 10 MiB with the usual limits.
	if sent.Load() > 32<<20 {
		t.Errorf("%d bytes were sent", sent.Load())
	}
}
