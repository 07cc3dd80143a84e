package harness

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestSweepRemovesOnlyWhatIsLeftBehind(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	inUse, lock, err := lockedTempDir()
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	leftBehind, lock2, err := lockedTempDir()
	if err != nil {
		t.Fatal(err)
	}
	_ = lock2.Close()
	young, lock3, err := lockedTempDir()
	if err != nil {
		t.Fatal(err)
	}
	_ = lock3.Close()
	hour := time.Now().Add(-time.Hour)
	for _, dir := range []string{inUse, leftBehind} {
		if err := os.Chtimes(filepath.Join(dir, lockName), hour, hour); err != nil {
			t.Fatal(err)
		}
	}

	sweep()

	for dir, want := range map[string]error{inUse: nil, leftBehind: fs.ErrNotExist, young: nil} {
		if _, err := os.Stat(dir); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", dir, err, want)
		}
	}
}

func TestATakenPortIsToldFromOtherFailures(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	binary, err := Build(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}

	began := time.Now()
	_, err = Start(t.Context(), binary, Options{APIServerArgs: []string{"--secure-port=" + port}})

	if !errors.Is(err, errPortTaken) {
		t.Errorf("error %v, want that a port is taken", err)
	}
	t.Logf("given up after %s", time.Since(began))
}
