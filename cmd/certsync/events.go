package main

import (
	"encoding/json"
	"io"
	"slices"
)

// eventStream writes events as JSON, one per line. After a failed write it still tries the next ones.
type eventStream struct {
	out     io.Writer // nil: nothing is written
	cluster string    // the first field of each event, unless it is ""
	err     error     // of the first write that failed
}

func (s *eventStream) send(event any) {
	if s.out == nil {
		return
	}
	text, err := json.Marshal(event)
	if s.cluster != "" && err == nil {
		name, _ := json.Marshal(s.cluster)
		text = slices.Concat([]byte(`{"cluster":`), name, []byte(","), text[1:])
	}
	if err == nil {
		err = writeAll(s.out, append(text, '\n'))
	}
	if s.err == nil {
		s.err = err
	}
}
