package apitest

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

// Flood answers with a head and then with filler, for as long as the client reads, and counts the bytes that it sent.
func Flood(sent *atomic.Int64, status int, head, filler string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		Pour(w, sent, head, filler)
	}
}

// Pour writes a head and then filler, until writing fails, and counts the bytes.
func Pour(w io.Writer, sent *atomic.Int64, head, filler string) {
	block := []byte(strings.Repeat(filler, 32<<10/len(filler)))
	for part := []byte(head); ; part = block {
		n, err := w.Write(part)
		sent.Add(int64(n))
		if err != nil {
			return
		}
	}
}

// Protobuf encodes a list as an API server sends it.
func Protobuf(t *testing.T, l runtime.Object) []byte {
	t.Helper()
	var b bytes.Buffer
	codec := scheme.Codecs.EncoderForVersion(protobuf.NewSerializer(scheme.Scheme, scheme.Scheme),
		schema.GroupVersions{rbacv1.SchemeGroupVersion, certificatesv1.SchemeGroupVersion})
	if err := codec.Encode(l, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// ReplyProtobuf answers with an object that Protobuf has encoded.
func ReplyProtobuf(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", runtime.ContentTypeProtobuf)
	_, _ = w.Write(body)
}

// WaitFor waits until another goroutine has done something, and fails the test after 20 seconds.
func WaitFor(t *testing.T, event string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", event)
		}
	}
}
