// Package e2e runs the built certsync against real servers, and the real kubectl with what came out of it.
package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/certsync/certsync/e2e/harness"
)

// The servers that tests share, each under an owner of its own. Tests that stop or seal something start their own.
var (
	shared        *harness.Servers
	serversBinary string
	otherBinary   string // of another version of Kubernetes; "" without CERTSYNC_SOAK
	certsync      string // the binary under test
)

func TestMain(m *testing.M) {
	if standIn, ok := standIns[filepath.Base(os.Args[0])]; ok {
		if err := standIn(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code, err := run(ctx, m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(ctx context.Context, m *testing.M) (code int, err error) {
	if serversBinary, err = harness.Build(ctx, os.Stderr); err != nil {
		return 1, err
	}
	// Before any test, whose deadlines would suffer from a build.
	if os.Getenv("CERTSYNC_SOAK") != "" {
		if otherBinary, err = buildOther(ctx); err != nil {
			return 1, err
		}
	}
	if certsync, err = harness.BuildCertsync(ctx, os.Stderr, raceDetector()); err != nil {
		return 1, err
	}
	if err := manyAtOnce(); err != nil {
		return 1, err
	}
	version, err := harness.Kubernetes(ctx)
	if err != nil {
		return 1, err
	}
	began := time.Now()
	if shared, err = harness.Start(ctx, serversBinary, harness.Options{}); err != nil {
		return 1, err
	}
	fmt.Fprintf(os.Stderr, "servers of Kubernetes %s up in %s\n", version, time.Since(began).Round(time.Millisecond))
	// A signal ends the servers and with them the tests, which then fail for want of a server.
	context.AfterFunc(ctx, func() { _ = shared.Stop(); os.Exit(130) })
	defer func() {
		if stopErr := shared.Stop(); err == nil {
			err = stopErr
		}
	}()
	return m.Run(), nil
}

// buildOther builds the servers of the oldest version of Kubernetes that is not the tests' own.
func buildOther(ctx context.Context) (binary string, err error) {
	own, err := harness.Kubernetes(ctx)
	if err != nil {
		return "", err
	}
	versions, err := harness.KubernetesVersions(ctx)
	if err != nil {
		return "", err
	}
	return harness.BuildVersion(ctx, os.Stderr, slices.Min(slices.DeleteFunc(versions, func(v string) bool { return v == own })))
}

// manyAtOnce has more tests run at once than there are processors, unless -parallel says how many: most of the time they
// wait, some of them for minutes, for what certsync waits for.
func manyAtOnce() error {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if chosen {
		return nil
	}
	return flag.Set("test.parallel", strconv.Itoa(max(4, runtime.GOMAXPROCS(0))))
}

// raceDetector reports whether the binary under test can be built with -race: that takes cgo and a C compiler.
func raceDetector() bool {
	out, err := exec.Command("go", "env", "CGO_ENABLED", "CC").Output()
	if err != nil {
		return false
	}
	var enabled, compiler string
	_, _ = fmt.Sscan(string(out), &enabled, &compiler)
	_, err = exec.LookPath(compiler)
	return enabled == "1" && err == nil
}
