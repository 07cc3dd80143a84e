package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/e2e/fake"
)

// lab is where certsync runs, many times at once, in this process.
type lab struct {
	servers *fake.Servers
	signer  *fake.Authority
	dir     string
	files   *strings.Replacer // of what stands for a path in arguments
	null    *os.File
	benches chan *bench // those that are free
	own     []any       // public keys of which only their users have the other half
	// environment is held from setting VAULT_ variables until the run has read them.
	environment sync.Mutex
}

// bench has the files of one run at a time.
type bench struct {
	kubeconfig string
	output     *os.File
}

func newLab(t *testing.T, benches int) *lab {
	t.Helper()
	fixture.CleanEnvironment(t)
	collect := debug.SetGCPercent(400) // thousands of runs, none of which keeps anything
	t.Cleanup(func() { debug.SetGCPercent(collect) })
	l := &lab{dir: t.TempDir(), benches: make(chan *bench, benches)}
	var err error
	if l.servers, err = fake.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.servers.Close)
	t.Setenv("VAULT_ADDR", l.servers.VaultAddress())
	if l.signer, err = fake.NewAuthority("fake-signer"); err != nil {
		t.Fatal(err)
	}
	key, err := l.signer.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	l.files = strings.NewReplacer("$CA_CERT", l.file(t, "ca-*.crt", l.signer.CertPEM()), "$CA_KEY", l.file(t, "ca-*.key", key))
	for _, name := range ownRequests {
		l.request(t, name)
	}
	if l.null, err = os.Open(os.DevNull); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.null.Close() })
	for i := range benches {
		b := &bench{kubeconfig: filepath.Join(l.dir, fmt.Sprintf("kubeconfig-%d", i))}
		if b.output, err = os.Create(filepath.Join(l.dir, fmt.Sprintf("output-%d", i))); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.output.Close() })
		l.benches <- b
	}
	return l
}

// file writes a file that nobody else can read, and returns its path.
func (l *lab) file(t *testing.T, pattern string, text []byte) string {
	t.Helper()
	f, err := os.CreateTemp(l.dir, pattern)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// request makes a key of alice's own, and her request in that file beside the inventories. The file's name begins with the username.
func (l *lab) request(t *testing.T, name string) {
	t.Helper()
	username, _, _ := strings.Cut(strings.TrimSuffix(name, ".csr"), "-")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: username, Organization: []string{"developers"}},
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	if err := os.WriteFile(filepath.Join(l.dir, name), text, 0o600); err != nil {
		t.Fatal(err)
	}
	l.own = append(l.own, key.Public())
}

// inventory writes one and returns its path.
func (l *lab) inventory(t *testing.T, text string) string {
	t.Helper()
	return l.file(t, "users-*.yaml", []byte(text))
}

// command is a command line to be run in a world.
type command struct {
	file    string
	args    []string
	workers int
	retries int // of Vault's client
	faults  []fake.Fault
	late    string // the name of calls that come late
}

// ran is how a command ended.
type ran struct {
	exit   int
	output string
	calls  []fake.Call
	met    []fake.Fault
}

var (
	errDied    = errors.New("a fault ended the run")
	errTooLong = errors.New("the run took too long")
)

// lateness is longer than most runs take when few run at once.
const lateness = 150 * time.Millisecond

// runLimit is far more than a run takes: waits for what never comes are bounded by certsync itself.
const runLimit = 2 * time.Minute

// apply runs certsync apply. Unlike a process that is killed, a run that a fault ends lives on for a moment: nothing
// that it sends has an effect.
func (l *lab) apply(w *fake.World, c command) ran {
	b := <-l.benches
	defer func() { l.benches <- b }()
	front := l.servers.Open(w)
	defer front.Close()
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	limited, stop := context.WithTimeoutCause(ctx, runLimit, errTooLong)
	defer stop()
	front.Break(func() { cancel(errDied) }, c.faults...)
	front.Delay(c.late, lateness)
	if err := errors.Join(
		os.WriteFile(b.kubeconfig, front.Kubeconfig("certsync"), 0o600),
		b.output.Truncate(0), second(b.output.Seek(0, io.SeekStart)),
	); err != nil {
		return ran{exit: -1, output: err.Error()}
	}
	args := []string{"apply", "--yes", "-f", c.file, "--kubeconfig", b.kubeconfig, "--max-in-flight", strconv.Itoa(c.workers)}
	for _, a := range c.args {
		args = append(args, l.files.Replace(a))
	}
	exit := make(chan int, 1)

	withVault := !slices.Contains(c.args, "--removals-only") // without it, nothing is read from the environment
	if withVault {
		l.environment.Lock()
		_ = os.Setenv("VAULT_TOKEN", front.VaultToken())
		_ = os.Setenv("VAULT_MAX_RETRIES", strconv.Itoa(c.retries))
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		exit <- program{stdin: l.null, stdout: b.output, stderr: b.output, grace: time.Millisecond}.Run(limited, args)
	}()
	if withVault {
		select {
		case <-front.AtVault():
		case <-over:
		}
		l.environment.Unlock()
	}

	r := ran{exit: <-exit}
	<-over
	if errors.Is(context.Cause(limited), errTooLong) {
		r.exit = -1
	}
	r.calls, r.met = front.Calls(), front.Met()
	text, _ := os.ReadFile(b.output.Name())
	r.output = string(text)
	return r
}

func second[T any](_ T, err error) error { return err }
