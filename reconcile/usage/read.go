package usage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/certsync/certsync/reconcile"
)

// maxWorkers bounds the memory for lines, of which each worker may hold 4 MiB.
const maxWorkers = 8

// Read counts the use of certificates and bindings in the sources. users are the names to ask about, as Kubernetes knows them
// (reconcile.Username), and the certificates of each that are never left out, as SHA-256 in hex.
//
// Lines that are no audit events are skipped and counted. A source that cannot be read to its end, or that has lines and no
// event at all, is an error with a hint: it would make everybody look idle. When ctx is done, Read returns its error, even
// if a source hangs.
func Read(ctx context.Context, users map[string][]string, sources ...Source) (*Log, error) {
	asked, err := parseUsers(users)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tallies := make([]*tally, min(runtime.GOMAXPROCS(0), maxWorkers))
	r := newReader(len(tallies)+2, len(sources))
	var workers sync.WaitGroup
	for i := range tallies {
		tallies[i] = newTally(asked, len(sources))
		workers.Go(func() { r.work(tallies[i]) })
	}
	done := make(chan error, 1)
	go func() {
		err := r.read(ctx, sources)
		close(r.full)
		workers.Wait()
		done <- err
	}()
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	all := tallies[0]
	for _, t := range tallies[1:] {
		all.merge(t)
	}
	for i, s := range sources {
		if all.events[i] == 0 && r.lines[i] {
			return nil, reconcile.WithHint(fmt.Errorf("reading audit log %q: it holds no event of %s as a line of JSON", s.Name, apiVersion),
				"pass the file that the API server's --audit-log-path names, with --audit-log-format=json, plain or compressed with gzip")
		}
	}
	log := all.log()
	log.TooLong = r.tooLong
	return log, nil
}

func parseUsers(names map[string][]string) (users, error) {
	asked := users{}
	for name, certificates := range names {
		asked[name] = map[fingerprint]bool{}
		for _, digits := range certificates {
			f, ok := parseFingerprint([]byte(digits))
			if !ok {
				return nil, fmt.Errorf("a certificate of %q: %q is no SHA-256 in hex", name, reconcile.Shown(digits))
			}
			asked[name][f] = true
		}
	}
	return asked, nil
}

// piece is whole lines of a source.
type piece struct {
	source int
	text   []byte
}

// reader hands out pieces of the sources to workers.
type reader struct {
	full  chan piece  // to work on
	empty chan []byte // to fill again; as many as there are in all

	// For when all is done:
	lines   []bool // by source: it has lines
	tooLong int
}

func newReader(buffers, sources int) *reader {
	r := &reader{full: make(chan piece), empty: make(chan []byte, buffers), lines: make([]bool, sources)}
	for range buffers {
		r.empty <- nil
	}
	return r
}

func (r *reader) read(ctx context.Context, sources []Source) error {
	for i, s := range sources {
		if err := r.source(ctx, i, s); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) source(ctx context.Context, i int, s Source) error {
	file, err := s.Open()
	if err != nil {
		return failed(s.Name, err)
	}
	defer file.Close()
	content, err := plain(file)
	if err != nil {
		return failed(s.Name, err)
	}
	cut := lines{from: content}
	for {
		var buffer []byte
		select {
		case buffer = <-r.empty:
		case <-ctx.Done():
			return ctx.Err()
		}
		text, err := cut.next(buffer)
		r.lines[i] = r.lines[i] || len(text) > 0 || cut.tooLong > 0
		if err != nil {
			r.tooLong += cut.tooLong
			r.empty <- text
			if errors.Is(err, io.EOF) {
				return nil
			}
			return failed(s.Name, err)
		}
		select {
		case r.full <- piece{i, text}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// work counts the events of pieces until there are no more.
func (r *reader) work(t *tally) {
	for p := range r.full {
		count := func(e *event) { t.count(p.source, e) }
		for line := range bytes.Lines(p.text) {
			if line = bytes.TrimSpace(line); len(line) > 0 {
				t.invalid += events(line, count)
			}
		}
		r.empty <- p.text
	}
}
