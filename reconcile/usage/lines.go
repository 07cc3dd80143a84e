package usage

import (
	"bytes"
	"errors"
	"io"
)

const (
	maxLine   = 4 << 20   // bytes; a longer line is left out
	firstSize = 128 << 10 // of a buffer, which holds about 80 events
)

// lines cuts a stream into pieces of whole lines.
type lines struct {
	from    io.Reader
	rest    []byte // the beginning of the next line
	tooLong int    // lines of more than maxLine
	inside  bool   // of such a line: drop what comes until its end
	ended   bool   // do not read on: a log that is being written may have grown, and the last line was given out
}

// next fills buffer with whole lines and returns it, grown if a line needs it. The last line of a stream need not have an
// end. The error is io.EOF after the last piece, or the stream's own.
func (l *lines) next(buffer []byte) ([]byte, error) {
	if l.ended {
		return buffer[:0], io.EOF
	}
	buffer = append(roomFor(buffer[:0], len(l.rest)), l.rest...)
	l.rest = l.rest[:0]
	for {
		n, err := l.from.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		if l.inside {
			buffer = l.leave(buffer)
		}
		switch {
		case errors.Is(err, io.EOF):
			l.ended = true
			return buffer, nil
		case err != nil:
			return buffer[:0], err
		case len(buffer) < cap(buffer):
			continue
		}
		if end := bytes.LastIndexByte(buffer, '\n') + 1; end > 0 {
			l.rest = append(l.rest, buffer[end:]...)
			return buffer[:end], nil
		}
		if len(buffer) > maxLine {
			l.tooLong++
			l.inside, buffer = true, buffer[:0]
			continue
		}
		buffer = roomFor(buffer, len(buffer))
	}
}

// roomFor returns the buffer, or a larger one with its content, with room for size bytes and some more. No buffer is larger
// than the longest line with its end.
func roomFor(buffer []byte, size int) []byte {
	if cap(buffer) >= firstSize && cap(buffer) > size {
		return buffer
	}
	return append(make([]byte, 0, min(max(firstSize, 2*size), maxLine+1)), buffer...)
}

// leave drops the rest of a line that is too long, which is all that buffer holds before a newline.
func (l *lines) leave(buffer []byte) []byte {
	end := bytes.IndexByte(buffer, '\n') + 1
	if end == 0 {
		return buffer[:0]
	}
	l.inside = false
	return append(buffer[:0], buffer[end:]...)
}
