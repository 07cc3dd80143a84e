package usage

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/certsync/certsync/reconcile"
)

// Source is one part of an audit log.
type Source struct {
	Name string // for errors
	Open func() (io.ReadCloser, error)
}

// Files returns the files of these names as sources, in which "-" is stdin. Each is opened when its turn comes.
func Files(names []string, stdin io.Reader) []Source {
	var sources []Source
	for _, name := range names {
		source := Source{Name: name, Open: func() (io.ReadCloser, error) { return os.Open(name) }}
		if name == "-" {
			source = Source{Name: "standard input", Open: func() (io.ReadCloser, error) { return io.NopCloser(stdin), nil }}
		}
		sources = append(sources, source)
	}
	return sources
}

var gzipMagic = []byte{0x1f, 0x8b}

// plain returns the content of a stream that may be compressed with gzip.
func plain(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	if magic, err := buffered.Peek(len(gzipMagic)); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	} else if !bytes.Equal(magic, gzipMagic) {
		return buffered, nil
	}
	return gzip.NewReader(buffered)
}

// failed is an error in reading a source.
func failed(name string, err error) error {
	hint := "the compressed file is damaged or cut off: copy it again, or leave it out"
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		hint = "check the file's name, and that you may read it"
	}
	return reconcile.WithHint(fmt.Errorf("reading audit log %q: %w", name, err), hint)
}
