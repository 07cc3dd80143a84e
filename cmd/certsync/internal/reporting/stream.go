package reporting

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// Stream writes events as JSON, one per line. After a failed write it still tries the next ones.
type Stream struct {
	Out     io.Writer // nil: nothing is written
	Cluster string    // the first field of each event, unless it is ""
	Err     error     // of the first write that failed
}

// Send writes an event, unless there is no output.
func (s *Stream) Send(event any) {
	if s.Out == nil {
		return
	}
	text, err := json.Marshal(event)
	if s.Cluster != "" && err == nil {
		name, _ := json.Marshal(s.Cluster)
		text = slices.Concat([]byte(`{"cluster":`), name, []byte(","), text[1:])
	}
	if err == nil {
		if _, err = s.Out.Write(append(text, '\n')); err != nil {
			err = fmt.Errorf("writing the output: %w", err)
		}
	}
	if s.Err == nil {
		s.Err = err
	}
}

// OutliveReaders turns SIGPIPE into a write error until stop is called. Otherwise `certsync apply --yes 2>&1 | head` would
// end in the middle of a user.
func OutliveReaders() (stop func()) {
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	return func() { signal.Stop(broken) }
}
