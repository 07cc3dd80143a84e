package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

const module = "module github.com/certsync/certsync\n"

// compileFlags are those of all that the tests compile, and of the tests (see Makefile): a package that servers, certsync and
// tests have in common, such as client-go, is compiled once. Nobody debugs them, so they have no DWARF, which takes time to make.
var compileFlags = []string{"-trimpath", "-gcflags=all=-dwarf=false"}

// Build compiles the servers and kubectl into .build/bin of the repository, and returns the path of the
// binary for Start. Of which version of Kubernetes they are, Kubernetes tells. The first time takes minutes,
// and log is told so; when nothing has changed it takes seconds. Builds at the same time, as of several
// packages' tests, wait for each other.
func Build(ctx context.Context, log io.Writer) (string, error) {
	return BuildVersion(ctx, log, os.Getenv(kubernetesVar))
}

// BuildVersion is Build for one of KubernetesVersions, whatever the environment says.
func BuildVersion(ctx context.Context, log io.Writer, version string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	k, err := findKubernetes(ctx, version)
	if err != nil {
		return "", err
	}
	folder := filepath.Join(root, ".build", "bin", k.folder)
	if err := removeLink(filepath.Join(folder, "kubectl")); err != nil {
		return "", err
	}
	err = build(ctx, log, target{
		name:   "etcd, kube-apiserver, kube-controller-manager, kubectl and vault (Kubernetes " + k.version + ")",
		output: folder + string(filepath.Separator), // go build gives each program its folder's name
		dir:    filepath.Join(root, "e2e", "servers"),
		// Without cgo the result does not depend on a C compiler, nor on whether there is one.
		// Of 3,500 packages several are compiled at once already: more threads for each cost more than they bring.
		env:  []string{"CGO_ENABLED=0", "GOWORK=off", "GOMAXPROCS=1"},
		args: []string{fmt.Sprintf("-p=%d", runtime.GOMAXPROCS(0)), "-modfile=" + k.modfile, "-ldflags=-s -w " + k.versionFlags(), ".", "./kubectl"},
	})
	if err != nil {
		return "", err
	}
	return filepath.Join(folder, "servers"), nil
}

// BuildCertsync compiles cmd/certsync into .build/bin of the repository, with the race detector if race
// is set, and returns the path.
func BuildCertsync(ctx context.Context, log io.Writer, race bool) (string, error) {
	t, err := certsync(race)
	if err != nil {
		return "", err
	}
	return t.output, build(ctx, log, t)
}

func certsync(race bool) (target, error) {
	root, err := Root()
	if err != nil {
		return target{}, err
	}
	t := target{
		name:   "certsync",
		output: filepath.Join(root, ".build", "bin", "certsync"),
		dir:    root,
		args:   []string{"./cmd/certsync"},
		env:    []string{"CGO_ENABLED=0"}, // as in the image
	}
	if race {
		t.output += "-race"
		t.args = []string{"-race", "./cmd/certsync"}
		t.env = []string{"CGO_ENABLED=1"}
	}
	return t, nil
}

// BuildImage runs `make image` for those platforms, such as linux/amd64, in the repository at root, or in a copy of it, and
// opens what it wrote: not in .build/image, which somebody may be about to push. env is added to the environment, and before is run in the shell first.
func BuildImage(ctx context.Context, root string, platforms []string, before string, env ...string) (*Layout, error) {
	dir := filepath.Join(root, ".build", "image-under-test")
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, err
	}
	unlock, err := lock(ctx, dir+".lock")
	if err != nil {
		return nil, fmt.Errorf("waiting for another build of the image: %w", err)
	}
	defer unlock()
	cmd := exec.CommandContext(ctx, "sh", "-c", before+"\nexec make --no-print-directory image IMAGE=.build/image-under-test PLATFORMS="+strings.Join(platforms, ","))
	cmd.Dir = root
	cmd.Env = append(append(os.Environ(), "MAKEFLAGS="), env...) // a make that tests would share its job server
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the image: %w\n%s", err, out)
	}
	return OpenLayout(dir)
}

type target struct {
	name, output, dir string
	env, args         []string
}

func build(ctx context.Context, log io.Writer, t target) error {
	if err := os.MkdirAll(filepath.Dir(t.output), 0o755); err != nil {
		return err
	}
	unlock, err := lock(ctx, t.output+".lock")
	if err != nil {
		return fmt.Errorf("waiting for another build of %s: %w", t.name, err)
	}
	defer unlock()

	cmd := exec.CommandContext(ctx, "go", slices.Concat([]string{"build", "-o", t.output}, compileFlags, t.args)...)
	cmd.Dir = t.dir
	// The compiler is done with most packages before it needs 2 GiB, and collecting its garbage takes a fifth of its CPU time.
	cmd.Env = append(append(os.Environ(), "GOFLAGS=", "GOGC=off", "GOMEMLIMIT=2GiB"), t.env...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("compiling %s: %w", t.name, err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	// Silence means that all was compiled before.
	for pause := 5 * time.Second; ; pause = time.Minute {
		select {
		case err := <-done:
			if err != nil {
				return fmt.Errorf("compiling %s: %w\n%s", t.name, err, output.Bytes())
			}
			return nil
		case <-time.After(pause):
			fmt.Fprintf(log, "compiling %s (%s so far); the first build of everything takes 5 to 10 minutes on two idle cores, longer on a busy machine\n",
				t.name, time.Since(start).Round(time.Second))
		}
	}
}

// lock waits for the lock on a file, which the kernel drops with the process that holds it.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), err, file.Close())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// removeLink removes a symbolic link. Builds of earlier commits linked kubectl to the servers, and go build may write through a link.
func removeLink(path string) error {
	if _, err := os.Readlink(path); err != nil {
		return nil
	}
	return os.Remove(path)
}

func kubectlBeside(binary string) (string, error) {
	path, err := filepath.Abs(filepath.Join(filepath.Dir(binary), "kubectl"))
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("looking for kubectl beside %q, where Build puts it: %w", binary, err)
	}
	return path, nil
}

// Root finds the root of the repository above the current folder.
func Root() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		content, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(content, []byte(module)) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("looking for the repository: no go.mod of certsync in or above %q", start)
		}
	}
}
