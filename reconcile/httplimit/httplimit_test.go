package httplimit

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

const limit = 64 << 10

// get reads an answer to its end.
func get(t *testing.T, ctx context.Context, url string) ([]byte, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	answer, err := (&http.Client{Transport: Transport{Next: transport, Limit: limit}}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return io.ReadAll(answer.Body)
}

func serve(t *testing.T, handler http.HandlerFunc) string {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func TestLimit(t *testing.T) {
	for name, size := range map[string]int{"none": 0, "one byte": 1, "the limit": limit} {
		t.Run(name, func(t *testing.T) {
			want := bytes.Repeat([]byte("x"), size)
			got, err := get(t, t.Context(), serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(want) }))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}

// TestAnswerWithoutEnd: the error names server, call and limit, and little more than the limit leaves the server.
func TestAnswerWithoutEnd(t *testing.T) {
	var sent atomic.Int64
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for {
			n, err := w.Write(make([]byte, 4<<10))
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	got, err := get(t, t.Context(), url+"/v1/secret?list=true")
	var large *TooLarge
	if !errors.As(err, &large) || len(got) != limit {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if want := "the answer of " + url + ` to GET "/v1/secret" is larger than 65536 bytes, the most that certsync reads`; err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

// TestCompressedAnswer: what counts is what comes out.
func TestCompressedAnswer(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(make([]byte, 100*limit))
	_ = w.Close()
	if packed.Len() > limit {
		t.Fatalf("%d bytes, compressed", packed.Len())
	}
	got, err := get(t, t.Context(), serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed.Bytes())
	}))
	if !errors.As(err, new(*TooLarge)) || len(got) != limit {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestParts: an answer in parts may be as long as it likes, a part may not.
func TestParts(t *testing.T) {
	ctx, next := InParts(t.Context())
	b := &body{ReadCloser: io.NopCloser(strings.NewReader(strings.Repeat("x", 3*limit))), tooLarge: TooLarge{Limit: limit}}
	b.parts, _ = ctx.Value(partsKey{}).(*atomic.Int64)
	for part := range 2 {
		if n, err := io.ReadFull(b, make([]byte, limit)); err != nil {
			t.Fatalf("part %d: %d bytes, %v", part, n, err)
		}
		next()
	}
	if n, err := io.ReadFull(b, make([]byte, limit/2)); err != nil {
		t.Fatalf("%d bytes, %v", n, err)
	}
	b.ReadCloser = io.NopCloser(strings.NewReader(strings.Repeat("x", limit)))
	for range 2 { // and it stays so
		if _, err := io.ReadFull(b, make([]byte, limit/2+1)); !errors.As(err, new(*TooLarge)) {
			t.Error(err)
		}
	}
}

// TestRedirectedPath: where a redirect leads is quoted, and not at length.
func TestRedirectedPath(t *testing.T) {
	if got := shown("/a\x1b[2J" + strings.Repeat("b", 10_000)); strings.ContainsRune(got, '\x1b') || len(got) > 600 {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}
