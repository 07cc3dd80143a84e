package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube"
	"github.com/certsync/certsync/reconcile/kube/kubeconfig"
	"github.com/certsync/certsync/vaultstore"
)

// inventoryFlags are the flags of every command that reads an inventory.
type inventoryFlags struct {
	File string `short:"f" default:"users.yaml" placeholder:"FILE" help:"The inventory (default: ${default})."`
}

func (f inventoryFlags) load() (*inventory.Inventory, error) {
	inv, err := inventory.Load(f.File)
	return inv, notFound(err)
}

// notFound says what to do about a file that is not there.
func notFound(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return reconcile.WithHint(err, "name the inventory with -f FILE")
	}
	return err
}

// clusterFlags say which cluster.
type clusterFlags struct {
	Kubeconfig string `placeholder:"FILE" help:"Kubeconfig to use, instead of $KUBECONFIG or ~/.kube/config; without one, the pod's service account."`
	Context    string `placeholder:"NAME" help:"Context of the kubeconfig, instead of its current-context."`
}

func (f clusterFlags) cluster() (*kube.Cluster, error) {
	return kube.Connect(kube.Options{Kubeconfig: f.Kubeconfig, Context: f.Context, UserAgent: userAgent()})
}

// serverFlags say which cluster, where in it the lock is, and which part of Vault.
type serverFlags struct {
	clusterFlags  `group:"Cluster and Vault:"`
	LockNamespace string `default:"kube-system" placeholder:"NAME" help:"Namespace of the Lease that lets one run of an owner write at a time (default: ${default})."`
	vaultFlags
}

// vaultFolderFlags say which part of Vault.
type vaultFolderFlags struct {
	VaultMount  string `default:"secret" placeholder:"PATH" help:"Where the KV v2 secrets engine is mounted (default: ${default})."`
	VaultPrefix string `default:"certsync" placeholder:"PATH" help:"Folder in it; below come the owner, then users/, ledger/ and state (default: ${default})."`
}

// vaultFlags say which part of Vault, and how to log in.
type vaultFlags struct {
	vaultFolderFlags
	vaultLoginFlags `group:"Logging in to Vault:"`
}

// options are for an owner's folder.
func (f vaultFlags) options(owner string) vaultstore.Options {
	return vaultstore.Options{
		Owner: owner, Mount: f.VaultMount, Prefix: f.VaultPrefix, UserAgent: userAgent(), Login: f.login(),
	}
}

// connect connects to Kubernetes and to an owner's part of Vault, where concurrency requests may be under way at once.
// program.leave is for when the store is not needed any more.
func (f serverFlags) connect(ctx context.Context, owner string, concurrency int) (*kube.Cluster, *vaultstore.Store, error) {
	cluster, err := f.kubernetes()
	if err != nil {
		return nil, nil, err
	}
	store, err := f.vault(ctx, owner, concurrency)
	return cluster, store, err
}

func (f serverFlags) kubernetes() (*kube.Cluster, error) {
	return kube.Connect(kube.Options{
		Kubeconfig: f.Kubeconfig, Context: f.Context, LockNamespace: f.LockNamespace, UserAgent: userAgent(),
	})
}

func (f serverFlags) vault(ctx context.Context, owner string, concurrency int) (*vaultstore.Store, error) {
	o := f.options(owner)
	o.Concurrency = concurrency
	return vaultstore.Open(ctx, o)
}

// lastStep is shorter in tests in which an interruption stands for the end of the process.
var lastStep = reconcile.LastStep

// newExecutor wires what writes.
func newExecutor(cluster *kube.Cluster, store *vaultstore.Store, issuer reconcile.Issuer, workers int, runID string) *reconcile.Executor {
	return &reconcile.Executor{
		Bindings: cluster.Bindings(), Store: store, Issuer: issuer, Login: cluster, Kubeconfigs: kubeconfig.Writer{},
		Now: time.Now, Workers: workers, RunID: runID, LastStep: lastStep,
	}
}

func newRunID() string {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(id[:])
}

// version is set by the linker in releases.
var version = ""

// versionName is the release, or what the go command knows of the source.
func versionName() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

func userAgent() string { return "certsync/" + versionName() }

type versionCmd struct{}

// Help is shown below the flags.
func (versionCmd) Help() string {
	return `The version is the release's, or what Go knows of the source.

  certsync version

Exit codes: 0 done; 1 an error; 80 usage.`
}

// Run prints the version.
func (versionCmd) Run(p program) error {
	return writeAll(p.stdout, fmt.Appendf(nil, "certsync %s\n", versionName()))
}

// credentialFlags say whose credential. No inventory is needed.
type credentialFlags struct {
	Owner      string `required:"" placeholder:"NAME" help:"Owner of the inventory that the user is in."`
	User       string `required:"" placeholder:"NAME" help:"Whose credential: your own name, as in the inventory."`
	vaultFlags `group:"Vault:"`
}

// validate refuses names that nobody can have.
func (f credentialFlags) validate() error {
	switch {
	case f.Owner != "" && !inventory.ValidOwner(f.Owner): // kong says what is missing
		return errors.New("--owner: a-z, 0-9 and - are allowed, the first and the last not a -, at most 40 in all")
	case f.User != "" && !inventory.ValidName(f.User):
		return errors.New("--user: letters, digits and . _ @ + - are allowed, the first and the last a letter or digit, at most 64 in all")
	}
	return f.vaultLoginFlags.Validate()
}

// AfterApply refuses names that are given and empty, as by a variable of a script's that is not set.
func (f credentialFlags) AfterApply() error {
	switch "" {
	case f.Owner:
		return errors.New("--owner: it is empty; name the inventory's owner")
	case f.User:
		return errors.New("--user: it is empty; name yourself as the inventory does")
	}
	return nil
}

// fetch reads the credential from Vault, and has left it when it returns. It waits so long for each request at most; 0: as
// long as all other commands.
func (f credentialFlags) fetch(ctx context.Context, p program, patience time.Duration) (vaultstore.Stored, error) {
	o := f.options(f.Owner)
	o.Patience = patience
	store, err := vaultstore.OpenUser(ctx, o)
	if err != nil {
		return vaultstore.Stored{}, err
	}
	defer p.leave(ctx, store)
	return store.ReadCredential(ctx, f.User)
}
