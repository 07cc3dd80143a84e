package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/fleet"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/inventory/files"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/apply"
	"github.com/certsync/certsync/reconcile/kube"
	"github.com/certsync/certsync/reconcile/kube/kubeconfig"
	"github.com/certsync/certsync/vaultstore"
)

// inventoryFlags are the flags of every command that reads an inventory.
type inventoryFlags struct {
	File string `short:"f" default:"users.yaml" placeholder:"FILE" help:"Inventory file (default: ${default})."`
}

// targets reads the inventory, and returns the clusters that the flags choose. A file for one cluster has one.
func (f inventoryFlags) targets(chosen fleet.Flags) ([]fleet.Target, error) {
	file, err := inventory.LoadFile(f.File)
	if err != nil {
		return nil, notFound(err)
	}
	return chosen.Targets(file)
}

// notFound adds a hint to the error for a missing file, and for something that is no file.
func notFound(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return reconcile.WithHint(err, "set -f to your inventory file")
	}
	if errors.Is(err, files.ErrNotRegular) {
		return reconcile.WithHint(err, "set -f to a file: certsync reads the inventory from no folder, pipe or device")
	}
	return err
}

// clusterFlags name the cluster.
type clusterFlags struct {
	Kubeconfig string `placeholder:"FILE" help:"Kubeconfig file (default: $KUBECONFIG, then ~/.kube/config, then the pod's service account)."`
	Context    string `placeholder:"NAME" help:"Context in the kubeconfig (default: its current-context)."`
}

func (f clusterFlags) cluster(p program) (*kube.Cluster, error) {
	return kube.Connect(kube.Options{Kubeconfig: f.Kubeconfig, Context: f.Context, UserAgent: userAgent(), Warn: p.warn})
}

// serverFlags name the cluster, the namespace of the lock in it, and the folder in Vault.
type serverFlags struct {
	clusterFlags `group:"Cluster and Vault:"`
	leaseFlags
	vaultFlags
	beside bool // other clusters are read at the same time
}

// at returns the flags for one cluster. Its context goes before the kubeconfig's current one.
func (f serverFlags) at(t fleet.Target) serverFlags {
	f.Context = cmp.Or(f.Context, t.Member.Context, t.Name)
	return f
}

// leaseFlags name the namespace of the lock.
type leaseFlags struct {
	LockNamespace string `default:"kube-system" placeholder:"NAME" help:"Namespace of the Lease that allows only one run per owner at a time (default: ${default})."`
}

// vaultFolderFlags name the folder in Vault.
type vaultFolderFlags struct {
	VaultMount  string `default:"secret" placeholder:"PATH" help:"Mount path of the KV v2 secrets engine (default: ${default})."`
	VaultPrefix string `default:"certsync" placeholder:"PATH" help:"Folder in that mount. certsync keeps users/, ledger/ and state in its subfolder OWNER (default: ${default})."`
}

// vaultFlags name the folder in Vault and the login method.
type vaultFlags struct {
	vaultFolderFlags
	vaultLoginFlags `group:"Login to Vault:"`
}

// options are for the folder of an owner.
func (f vaultFlags) options(owner string) vaultstore.Options {
	return vaultstore.Options{
		Owner: owner, Mount: f.VaultMount, Prefix: f.VaultPrefix, UserAgent: userAgent(), Login: f.Login(),
	}
}

// connect connects to Kubernetes and to the folder of an owner in Vault. Up to concurrency requests to Vault run at once.
// The caller ends the session in Vault with program.leave.
func (f serverFlags) connect(ctx context.Context, p program, owner string, concurrency int) (*kube.Cluster, *vaultstore.Store, error) {
	cluster, err := f.kubernetes(p)
	if err != nil {
		return nil, nil, err
	}
	store, err := f.vault(ctx, owner, concurrency)
	return cluster, store, err
}

func (f serverFlags) kubernetes(p program) (*kube.Cluster, error) {
	return kube.Connect(kube.Options{
		Kubeconfig: f.Kubeconfig, Context: f.Context, LockNamespace: f.LockNamespace, UserAgent: userAgent(), Shared: f.beside, Warn: p.warn,
	})
}

func (f serverFlags) vault(ctx context.Context, owner string, concurrency int) (*vaultstore.Store, error) {
	o := f.options(owner)
	o.Concurrency = concurrency
	return vaultstore.Open(ctx, o)
}

// newExecutor returns the executor, the only part of a run that writes.
func (p program) newExecutor(cluster *kube.Cluster, store *vaultstore.Store, issuer reconcile.Issuer, workers int, runID string) *apply.Executor {
	return &apply.Executor{
		Bindings: cluster.Bindings(), Policies: cluster.Policies(), Store: store, Issuer: issuer, Login: cluster, Authorizer: cluster, Kubeconfigs: kubeconfig.Writer{},
		Now: time.Now, Workers: workers, RunID: runID, LastStep: p.lastStep(),
	}
}

func newRunID() string {
	var id [8]byte
	_, _ = rand.Read(id[:]) // it never fails: crypto/rand ends the process instead
	return hex.EncodeToString(id[:])
}
