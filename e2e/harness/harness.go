// Package harness starts the real servers that certsync works with, for tests and for the demo: etcd,
// kube-apiserver, kube-controller-manager and Vault, each a process of its own on a free loopback port,
// over TLS, with its data and its log in one temporary folder.
//
// The servers end with the process that started them, however that ends: each holds the read end of a
// pipe and exits when the kernel closes the other end. The folder is removed by Stop. A program that
// wants it gone after Ctrl-C too must catch the signal and call Stop (signal.NotifyContext and a defer
// do); what a killed program leaves behind is removed by the next Start on the machine.
package harness

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// The names of the processes, for StopProcess, KillProcess and StartProcess.
const (
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Vault             = "vault"
)

// startTimeout is for a loaded machine with two cores; an idle one takes about five seconds.
const startTimeout = 2 * time.Minute

// Options is what a test may want to be different. The zero value is a cluster that works.
type Options struct {
	// Dir is the folder for data and logs. It must be empty, and Stop leaves it. By default it is a
	// new temporary one, which Stop removes.
	Dir string

	// APIServerArgs and ControllerManagerArgs come last on the command line, and so win.
	APIServerArgs         []string
	ControllerManagerArgs []string

	// AuthorizationConfig is the path of an AuthorizationConfiguration, which takes the place of the modes Node and RBAC.
	AuthorizationConfig string

	// WithoutControllerManager leaves it to a later StartProcess.
	WithoutControllerManager bool
	// WithoutSigner leaves out the controller that issues certificates, as on EKS: requests are
	// approved, and nothing ever comes of them.
	WithoutSigner bool
	// ForeignSigner signs with a CA that the API server does not trust, as on some hand-built
	// clusters: certificates are issued, and refused with 401.
	ForeignSigner bool
	// SharedCA has one CA sign for clients and for front proxies, which may have any name: whoever has a certificate can
	// be whoever they like. It has a certificate for each, as after it was renewed: with the very same for both, recent API
	// servers do not start.
	SharedCA bool
	// VaultInMemory is faster, and a restart of Vault begins with an empty one and a new root token.
	VaultInMemory bool
	// Vault is a running set whose Vault these servers use. They have none of their own then.
	Vault *Servers
}

// Servers is a running set. Stop may be called at any time, as on a signal; of the other methods that start
// and stop something, one at a time.
type Servers struct {
	Dir string

	AdminKubeconfig string // path; the user is in system:masters
	KubeURL         string // https://127.0.0.1:port
	CACert          []byte // PEM of the CA of the API server, which also signs client certificates
	KubeAuditLog    string // path; JSON lines, one a request, with metadata only
	KubectlPath     string // the program

	VaultAddr      string
	VaultToken     string // root
	VaultUnsealKey string
	VaultCACert    string // path
	VaultAuditLog  string // path; JSON lines; request paths are plain, values hashed

	binary      string
	options     Options
	alwaysAllow bool // see AllowAlways
	temporary   bool
	lock        *os.File
	admin       *client  // of the API server
	parent      *os.File // write end of the pipe whose end tells the servers to end
	child       *os.File // its read end, which they inherit
	ports       ports
	pki         *pki

	mutex     sync.Mutex // guards what is below, and closing the files above
	processes map[string]*process
}

// Start starts a set of servers from the binary that Build returned, and waits until all of it can be
// used: the API server is ready, the signer has issued a certificate, and Vault's secret/ (KV version 2)
// answers. An error ends what was started.
func Start(ctx context.Context, binary string, o Options) (*Servers, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	s := &Servers{binary: binary, options: o, Dir: o.Dir, processes: map[string]*process{}}
	if err := s.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("preparing the servers: %w", err), s.Stop())
	}
	const attempts = 5
	for attempt := 1; ; attempt++ {
		err := s.start(ctx)
		if err == nil {
			return s, nil
		}
		// Between finding a port free and using it, another process may take it.
		if attempt < attempts && errors.Is(err, errPortTaken) {
			s.kill()
			continue
		}
		return nil, errors.Join(err, s.Stop())
	}
}

// open makes what outlives a failed attempt: the folder, the pipe and the keys.
func (s *Servers) open() error {
	var err error
	if s.KubectlPath, err = kubectlBeside(s.binary); err != nil {
		return err
	}
	if s.Dir == "" {
		s.temporary = true
		sweep()
		if s.Dir, s.lock, err = lockedTempDir(); err != nil {
			return err
		}
	}
	if s.Dir, err = filepath.Abs(s.Dir); err != nil {
		return err
	}
	if s.child, s.parent, err = os.Pipe(); err != nil {
		return err
	}
	if s.pki, err = newPKI(s.path("pki")); err != nil {
		return err
	}
	s.CACert = s.pki.cluster.certPEM
	s.VaultCACert = s.path("pki", "vault-ca.crt")
	s.KubeAuditLog = s.path("log", "kube-audit.log")
	s.VaultAuditLog = s.path("log", "vault-audit.log")
	return os.WriteFile(s.path("audit-policy.yaml"), []byte(auditPolicy), 0o600)
}

func (s *Servers) start(ctx context.Context) error {
	// Nothing of an attempt that failed may be taken for this one's.
	for _, dir := range []string{s.path("data"), s.path("log")} {
		if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
			return err
		}
	}
	var err error
	if s.ports, err = freePorts(); err != nil {
		return err
	}
	if s.options.Vault != nil {
		s.shareVault(s.options.Vault)
	}
	s.KubeURL = "https://" + s.ports.apiServer
	s.VaultAddr = "https://" + s.ports.vault
	if err := s.writeKubeconfigs(); err != nil {
		return err
	}
	// These start at the same time. The API server tries again until etcd is there.
	first := []string{Etcd, Vault, APIServer}
	if s.options.Vault != nil {
		first = []string{Etcd, APIServer}
	}
	for _, name := range first {
		if err := s.launch(name); err != nil {
			return err
		}
	}
	for _, name := range []string{Etcd, APIServer} {
		if err := s.waitReady(ctx, name); err != nil {
			return err
		}
	}
	if !s.options.WithoutControllerManager {
		if err := s.StartProcess(ctx, ControllerManager); err != nil {
			return err
		}
	}
	if s.options.Vault != nil {
		return nil
	}
	return s.waitReady(ctx, Vault)
}

// Stop ends all processes and removes the folder, unless Options named it. It can be called again.
func (s *Servers) Stop() error {
	s.kill()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var errs []error
	for _, file := range []**os.File{&s.parent, &s.child} {
		if *file != nil {
			errs = append(errs, (*file).Close())
			*file = nil
		}
	}
	if s.temporary && s.Dir != "" {
		errs = append(errs, os.RemoveAll(s.Dir))
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
		s.lock = nil
	}
	return errors.Join(errs...)
}

// kill ends all processes at once: their data is of no use any more.
func (s *Servers) kill() {
	s.mutex.Lock()
	processes := slices.Collect(maps.Values(s.processes))
	clear(s.processes)
	s.mutex.Unlock()
	for _, p := range processes {
		_ = p.cmd.Process.Kill()
	}
	for _, p := range processes {
		<-p.done
	}
}

// Env is what makes kubectl, the vault command line and certsync use these servers, with all rights.
// Append it to the environment of a child process.
func (s *Servers) Env() []string {
	return []string{
		"KUBECONFIG=" + s.AdminKubeconfig,
		"VAULT_ADDR=" + s.VaultAddr,
		"VAULT_TOKEN=" + s.VaultToken,
		"VAULT_CACERT=" + s.VaultCACert,
	}
}

// LogFile is the path of what the named process has written to stdout and stderr.
func (s *Servers) LogFile(name string) string { return s.path("log", name+".log") }

func (s *Servers) path(elements ...string) string {
	return filepath.Join(append([]string{s.Dir}, elements...)...)
}

// fileName makes a name fit for a file: users are called system:masters or alice@example.com.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:`, r) {
			return '-'
		}
		return r
	}, name)
}
