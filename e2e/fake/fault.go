package fake

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/certsync/certsync/vaultstore/kvtest"
)

// FaultKind says what goes wrong with a request.
type FaultKind string

// The kinds of fault. The statuses come with the bodies that each of the two servers sends.
const (
	Refused      FaultKind = "refused"          // the connection is closed, and nothing done
	Reset        FaultKind = "reset after"      // it is done, and the connection reset before the answer
	Unauthorized FaultKind = "401"              //
	Forbidden    FaultKind = "403"              //
	Conflict     FaultKind = "409"              //
	Throttled    FaultKind = "429"              // with Retry-After: 1
	ServerError  FaultKind = "500"              //
	Timeout      FaultKind = "504"              //
	Truncated    FaultKind = "truncated answer" // it is done, and the connection ends in the middle of the answer
	DieBefore    FaultKind = "die before"       // the run ends: no request has an effect from now on, this one neither
	DieAfter     FaultKind = "die after"        // it is done, and the run ends before the answer
)

// FaultKinds are all of them.
var FaultKinds = []FaultKind{
	Refused, Reset, Unauthorized, Forbidden, Conflict, Throttled, ServerError, Timeout, Truncated, DieBefore, DieAfter,
}

// Fault is one thing that goes wrong.
type Fault struct {
	Call Call
	Kind FaultKind
}

func (f Fault) String() string { return string(f.Kind) + ": " + f.Call.String() }

// statuses of the faults that are an answer.
var statuses = map[FaultKind]int{
	Unauthorized: 401, Forbidden: 403, Conflict: 409, Throttled: 429, ServerError: 500, Timeout: 504,
}

// serve answers a request the way the fault has it. do is what the server would have done.
func (k FaultKind) serve(w http.ResponseWriter, r *http.Request, do http.HandlerFunc, refuse func(http.ResponseWriter, int)) {
	if status := statuses[k]; status != 0 {
		refuse(w, status)
		return
	}
	if k == Refused || k == DieBefore {
		panic(http.ErrAbortHandler)
	}
	answer := httptest.NewRecorder()
	if isWatch(r) {
		// Nothing is done, and its answer has no end.
		answer.Header().Set("Content-Type", "application/json")
		answer.WriteHeader(http.StatusOK)
		_, _ = answer.WriteString(`{"type":"ADDED","object":`)
	} else {
		do(answer, r)
	}
	if k == Truncated {
		truncate(w, answer)
	}
	reset(w)
}

func isWatch(r *http.Request) bool {
	return r.Method == http.MethodGet && r.URL.Query().Get("watch") != ""
}

// truncate sends the head of an answer and half of its body.
func truncate(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	body := answer.Body.Bytes()
	w.Header().Set("Content-Length", strconv.Itoa(len(body)+1)) // of an empty one, too, something is missing
	if answer.Code == http.StatusNoContent {
		panic(http.ErrAbortHandler) // there is no body to be cut
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(body[:len(body)/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// reset ends a connection so that the client sees "connection reset by peer".
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		tcp := conn
		if wrapped, ok := conn.(interface{ NetConn() net.Conn }); ok {
			tcp = wrapped.NetConn()
		}
		if t, ok := tcp.(*net.TCPConn); ok {
			_ = t.SetLinger(0)
			_ = t.Close()
		}
	}
	panic(http.ErrAbortHandler)
}

// refuseAsKubernetes answers with the Status that the API server, or what stands in front of it, would send.
func refuseAsKubernetes(r *http.Request, path string) func(http.ResponseWriter, int) {
	return func(w http.ResponseWriter, code int) {
		t := parsePath(path)
		if t.kind == nil {
			t.kind = &kind{}
		}
		gr := t.kind.groupResource()
		var err error
		switch code {
		case http.StatusUnauthorized:
			err = apierrors.NewUnauthorized("Unauthorized")
		case http.StatusForbidden:
			err = apierrors.NewForbidden(gr, t.name, errors.New("a policy forbids it"))
		case http.StatusConflict:
			err = apierrors.NewConflict(gr, t.name, errModified)
			if r.Method == http.MethodPost {
				err = apierrors.NewAlreadyExists(gr, t.name)
			}
		case http.StatusTooManyRequests:
			err = apierrors.NewTooManyRequests("too many requests, please try again later", 1)
		case http.StatusGatewayTimeout:
			err = apierrors.NewTimeoutError("request did not complete within the allotted timeout", 0)
		default:
			err = apierrors.NewInternalError(errors.New("etcdserver: leader changed"))
		}
		fail(w, accepted(r), err)
	}
}

// refuseAsVault answers with the errors that Vault, or what stands in front of it, would send.
func refuseAsVault(w http.ResponseWriter, code int) {
	texts := map[int]string{
		http.StatusUnauthorized:        "unauthorized",
		http.StatusForbidden:           "1 error occurred:\n\t* permission denied\n\n",
		http.StatusConflict:            "conflict",
		http.StatusTooManyRequests:     "rate limit quota exceeded",
		http.StatusInternalServerError: "1 error occurred:\n\t* internal error\n\n",
		http.StatusGatewayTimeout:      "context deadline exceeded",
	}
	if code == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	kvtest.Fail(w, code, texts[code])
}
