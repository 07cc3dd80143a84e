package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"sync/atomic"
	"time"
)

// Fault is the harm that a Proxy does to one request. The zero value is none.
type Fault struct {
	// Status is answered in the server's place, which does not see the request, in the server's own form. 429 says to
	// come back after a second.
	Status int
	// Drop is when the connection is reset.
	Drop Drop
	// Flood counts the bytes of an answer without an end, in the server's place, for as long as the client reads it.
	Flood *atomic.Int64
	// Do is called at that moment, before the client can notice anything: to kill it, for one.
	Do func()
}

// Drop says when the connection of a request is reset.
type Drop int

// When a connection is reset. A watch has been answered when its first event is there.
const (
	Never         Drop = iota
	BeforeServer       // the server does not see the request
	AfterServer        // the server has done it, and the client does not learn so
	InMidstAnswer      // the client gets half of the answer's body
)

// dropTimeout is for a server to do what is then not told.
const dropTimeout = time.Minute

// quiet is for net/http, which would log every connection that is reset.
var quiet = log.New(io.Discard, "", 0)

// serve forwards a request unless the fault keeps it from that.
func (f Fault) serve(w http.ResponseWriter, r *http.Request, server string, forward *httputil.ReverseProxy) {
	switch {
	case f.Status != 0:
		f.do()
		answerStatus(w, server, f.Status)
	case f.Flood != nil:
		f.do()
		flood(w, f.Flood)
	case f.Drop == BeforeServer:
		f.do()
		reset(w)
	case f.Drop == AfterServer, f.Drop == InMidstAnswer:
		f.dropAnswer(w, r, forward)
	default:
		forward.ServeHTTP(w, r)
	}
}

// flood begins a JSON object that never ends.
func flood(w http.ResponseWriter, sent *atomic.Int64) {
	w.Header().Set("Content-Type", "application/json")
	blanks := bytes.Repeat([]byte(" "), 32<<10)
	for part := []byte("{"); ; part = blanks {
		n, err := w.Write(part)
		sent.Add(int64(n))
		if err != nil {
			return
		}
	}
}

func (f Fault) do() {
	if f.Do != nil {
		f.Do()
	}
}

// dropAnswer lets the server do a request to its end, whatever becomes of the client.
func (f Fault) dropAnswer(w http.ResponseWriter, r *http.Request, forward *httputil.ReverseProxy) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), dropTimeout)
	defer cancel()
	answer := &firstPart{ResponseRecorder: httptest.NewRecorder()}
	if watches(r) {
		ctx, cancel = context.WithCancel(r.Context())
		defer cancel()
		answer.enough = cancel
	}
	failed := false
	forward.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { failed = true }
	func() {
		// By panicking, a reverse proxy says that the answer broke off, as a watch's does here.
		defer func() { _ = recover() }()
		forward.ServeHTTP(answer, r.WithContext(ctx))
	}()
	f.do()
	body := answer.Body.Bytes()
	if failed || f.Drop == AfterServer || len(body) < 2 {
		reset(w)
		return
	}
	breakOff(w, answer.Result(), body)
}

// watches reports a request whose answer goes on until somebody ends it.
func watches(r *http.Request) bool {
	watch := r.URL.Query().Get("watch")
	return watch == "true" || watch == "1"
}

// firstPart keeps an answer, and calls enough, if it is set, at the first part of its body.
type firstPart struct {
	*httptest.ResponseRecorder
	enough func()
}

func (f *firstPart) Write(part []byte) (int, error) {
	n, err := f.ResponseRecorder.Write(part)
	if f.enough != nil {
		f.enough()
	}
	return n, err
}

// breakOff sends the head of an answer and half of its body, and ends the connection.
func breakOff(w http.ResponseWriter, answer *http.Response, body []byte) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // no connection to break off; this one closes it
	}
	defer conn.Close()
	head := answer.Header.Clone()
	head.Del("Content-Length")
	head.Set("Transfer-Encoding", "chunked")
	fmt.Fprintf(buffered, "HTTP/1.1 %s\r\n", answer.Status)
	_ = head.Write(buffered)
	fmt.Fprintf(buffered, "\r\n%x\r\n%s", len(body), body[:len(body)/2])
	_ = buffered.Flush()
}

// reset ends a request's connection so that the client reads "connection reset by peer".
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if wrapped, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = wrapped.NetConn() // TLS would say goodbye
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// reasons are the API server's, by status.
var reasons = map[int]string{
	http.StatusUnauthorized:        "Unauthorized",
	http.StatusForbidden:           "Forbidden",
	http.StatusConflict:            "Conflict",
	http.StatusTooManyRequests:     "TooManyRequests",
	http.StatusInternalServerError: "InternalError",
	http.StatusGatewayTimeout:      "Timeout",
}

// answerStatus answers as the server itself would with that status. Vault has no 409: a check-and-set that fails is a
// 400 there.
func answerStatus(w http.ResponseWriter, server string, status int) {
	const message = "by the fault proxy"
	var body any = object{
		"apiVersion": "v1", "kind": "Status", "metadata": object{}, "status": "Failure",
		"code": status, "reason": reasons[status], "message": message,
	}
	if server == Vault {
		text := strings.ToLower(http.StatusText(status)) + " " + message
		switch status {
		case http.StatusConflict:
			status, text = http.StatusBadRequest, "check-and-set parameter did not match the current version"
		case http.StatusForbidden:
			text = "permission denied"
		}
		body = object{"errors": []string{text}}
	}
	w.Header().Set("Content-Type", "application/json")
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
