package main

import (
	"encoding/json"
	"io"
)

// eventStream writes events as JSON, one a line. err is the first error of a write; later events are tried all the same.
type eventStream struct {
	out io.Writer
	err error
}

func (s *eventStream) send(event any) {
	text, err := json.Marshal(event)
	if err == nil {
		err = writeAll(s.out, append(text, '\n'))
	}
	if s.err == nil {
		s.err = err
	}
}
