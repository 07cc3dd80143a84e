package apitest

import (
	"io"
	"net/http"
	"net/http/httptest"
)

// InProcess returns a transport that passes requests to a handler without a network. So synctest's clock goes on while a
// request hangs. A handler that panics with http.ErrAbortHandler gives no answer.
func InProcess(handler http.Handler) http.RoundTripper { return inProcess{handler} }

type inProcess struct{ http.Handler }

// RoundTrip waits for the answer as long as the request may take.
func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if r.Body == nil {
		r.Body = http.NoBody
	}
	answer := make(chan *http.Response, 1)
	go func() {
		defer close(answer)
		defer func() {
			if broken := recover(); broken != nil && broken != http.ErrAbortHandler {
				panic(broken)
			}
		}()
		recorder := httptest.NewRecorder()
		p.ServeHTTP(recorder, r)
		answer <- recorder.Result()
	}()
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case a := <-answer:
		switch {
		case r.Context().Err() != nil:
			return nil, r.Context().Err()
		case a == nil:
			return nil, io.ErrUnexpectedEOF
		}
		return a, nil
	}
}
