package main

import (
	"encoding/json"
	"io"
)

// eventStream writes events as JSON, one per line. After a failed write it still tries the next ones.
type eventStream struct {
	out io.Writer // nil: nothing is written
	err error     // of the first write that failed
}

func (s *eventStream) send(event any) {
	if s.out == nil {
		return
	}
	text, err := json.Marshal(event)
	if err == nil {
		err = writeAll(s.out, append(text, '\n'))
	}
	if s.err == nil {
		s.err = err
	}
}
