// Package httplimit bounds how much certsync reads of an HTTP answer.
package httplimit

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/certsync/certsync/inventory"
)

// TooLarge is the error of an answer that is larger than the limit of its connection.
type TooLarge struct {
	Server string // https://vault.example.com:8200
	Call   string // GET "/v1/sys/health", without the query
	Limit  int64  // in bytes, decompressed
}

func (t *TooLarge) Error() string {
	return fmt.Sprintf("the answer of %s to %s is larger than %d bytes, the most that certsync reads", t.Server, t.Call, t.Limit)
}

// Transport sends requests by Next, and ends the body of an answer with a TooLarge after Limit bytes. It has to be
// outside of the transport that decompresses. Headers are bounded by net/http.
type Transport struct {
	Next  http.RoundTripper
	Limit int64
}

// RoundTrip implements http.RoundTripper.
func (t Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := t.Next.RoundTrip(request)
	if err != nil {
		return answer, err
	}
	parts, _ := request.Context().Value(partsKey{}).(*atomic.Int64)
	answer.Body = &body{ReadCloser: answer.Body, parts: parts, tooLarge: TooLarge{
		Server: request.URL.Scheme + "://" + request.URL.Host,
		Call:   request.Method + " " + shown(request.URL.Path),
		Limit:  t.Limit,
	}}
	return answer, nil
}

// WrappedRoundTripper lets client-go find the connection behind it.
func (t Transport) WrappedRoundTripper() http.RoundTripper { return t.Next }

// shown quotes a path. After a redirect it is the server's choice.
func shown(path string) string {
	return fmt.Sprintf("%q", inventory.Shorten(path, 512))
}

type partsKey struct{}

// InParts returns a context for a request whose answer has no end by design, such as a watch. The limit is then for each
// part: next says that a part has been read.
func InParts(ctx context.Context) (_ context.Context, next func()) {
	parts := new(atomic.Int64)
	return context.WithValue(ctx, partsKey{}, parts), func() { parts.Add(1) }
}

// body counts what is read.
type body struct {
	io.ReadCloser
	tooLarge TooLarge
	taken    int64         // at most one byte more than the limit
	parts    *atomic.Int64 // nil: the answer is one part
	part     int64
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.parts != nil {
		if now := b.parts.Load(); now != b.part {
			b.part, b.taken = now, 0
		}
	}
	left := b.tooLarge.Limit - b.taken
	if left < 0 {
		return 0, &b.tooLarge
	}
	// One byte more tells an answer of just that size from a larger one.
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), left+1)])
	b.taken += int64(n)
	if int64(n) > left {
		return int(left), &b.tooLarge
	}
	return n, err
}
