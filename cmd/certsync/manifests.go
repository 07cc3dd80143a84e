package main

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/certsync/certsync/cmd/certsync/internal/flagvalue"
	"github.com/certsync/certsync/cmd/certsync/internal/fleet"
	"github.com/certsync/certsync/cmd/certsync/internal/generate"
	"github.com/certsync/certsync/cmd/certsync/internal/vaultlogin"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile/endpoint"
	"github.com/certsync/certsync/reconcile/kube/csr"
	"github.com/certsync/certsync/reconcile/kube/deploy"
)

type manifestsCmd struct {
	inventoryFlags
	fleet.OneFlag
	Namespace string `default:"certsync" placeholder:"NAME" help:"Namespace of the CronJob. Use it for this owner only (default: ${default})."`
	leaseFlags
	Image    string             `placeholder:"IMAGE" help:"Container image of the CronJob, preferably with its digest. Required without --vault."`
	Schedule flagvalue.Schedule `default:"*/30 * * * *" placeholder:"CRON" help:"Schedule of the CronJob (default: ${default})."`
	vaultFolderFlags
	VaultAddr     flagvalue.VaultAddress `placeholder:"URL" help:"Vault address that the CronJob uses. Required without --vault."`
	VaultCA       string                 `name:"vault-ca" placeholder:"FILE" help:"Certificate of the CA that signed Vault's certificate. The image has none, not even public CAs. Required for an https address."`
	VaultSpace    string                 `name:"vault-namespace" placeholder:"NAME" help:"Namespace in Vault Enterprise that the CronJob uses."`
	VaultAuth     string                 `name:"vault-auth-mount" default:"kubernetes" placeholder:"PATH" help:"Mount path of Vault's kubernetes auth method (default: ${default})."`
	VaultAudience string                 `default:"vault" placeholder:"NAME" help:"Audience of the service account token that the CronJob sends to Vault (default: ${default})."`
	Vault         bool                   `help:"Print a shell script that sets up Vault, instead of the Kubernetes manifests."`
	Revocation    bool                   `help:"Add an admission policy that denies all writes of revoked certificates. apply updates its list. Needs Kubernetes 1.30 or later."`
	UsersAccessor string                 `name:"vault-users-accessor" placeholder:"ACCESSOR" help:"With --vault: print one policy for all users instead of one for each. It finds a user by the alias at the auth method with this accessor."`
}

// Help is shown below the flags.
func (manifestsCmd) Help() string {
	return `Prints everything for a CronJob that runs certsync apply --drift: manifests for Kubernetes, or with --vault a script for Vault. It grants only the rights that the CronJob needs. It reads the inventory, asks no server and writes nothing. Read the output before you apply it.

  certsync manifests --vault > vault.sh
  export CERTSYNC_IMAGE=registry.example.com/certsync@sha256:…
  certsync manifests --vault-addr https://vault --vault-ca ca.crt > job.yaml
  kubectl apply --server-side -f job.yaml

` + exitLine(anError(), exitOK, exitError, exitUsage)
}

// Validate is called by kong after parsing.
func (c manifestsCmd) Validate() error {
	switch {
	case c.Vault && (c.VaultAddr != "" || c.VaultCA != ""):
		return errors.New("--vault cannot be used with --vault-addr or --vault-ca: the script finds Vault as the vault CLI does")
	case len(c.missing()) > 0:
		return errors.New(strings.Join(c.missing(), "; "))
	case strings.ContainsAny(c.Image, " \t\r\n"):
		return errors.New("--image: an image name contains no spaces")
	case c.Vault && c.Revocation:
		return errors.New("--revocation cannot be used with --vault: the admission policy is in the cluster")
	case !c.Vault && c.UsersAccessor != "":
		return errors.New("--vault-users-accessor requires --vault")
	case c.VaultAudience == "":
		return errors.New("--vault-audience is empty: Vault would accept any token of the service account")
	}
	return nil
}

// missing lists all required flags that are not set.
func (c manifestsCmd) missing() []string {
	var all []string
	if c.Vault {
		return nil
	}
	if c.VaultAddr == "" {
		all = append(all, "--vault-addr is required: the Vault address that the CronJob uses")
	}
	if c.VaultCA == "" && (c.VaultAddr == "" || strings.HasPrefix(string(c.VaultAddr), "https:")) {
		all = append(all, "--vault-ca is required: the certificate of the CA that signed Vault's, which the image does not have")
	}
	if c.Image == "" {
		all = append(all, "--image is required: the image that the CronJob runs, with its registry, preferably with its digest")
	}
	return all
}

// Run prints the manifests.
func (c manifestsCmd) Run(p program) error {
	inv, err := c.mounted()
	if err != nil {
		return err
	}
	deployment := c.deployment(inv)
	// Both sides are checked, so that nobody sets up one half of a deployment that the other half refuses.
	if err := deployment.Validate(); err != nil {
		return err
	}
	script, err := c.vaultScript(inv.Inventory)
	if err != nil {
		return err
	}
	if c.Vault {
		c.warnOfCapitals(p, inv.Inventory)
		c.warnOfUserpass(p, inv.Inventory)
		return writeAll(p.stdout, script)
	}
	if err := endpoint.CompleteInAPod(inv.Cluster); err != nil {
		return err
	}
	if deployment.VaultCA, err = vaultlogin.ReadCA(c.VaultCA); err != nil {
		return err
	}
	objects, err := deployment.Objects()
	if err != nil {
		return err
	}
	var documents []any
	for _, object := range objects {
		documents = append(documents, object)
		if err := deploy.ClientSide(object); err != nil {
			p.complain(fmt.Errorf("warning: %w", err))
		}
	}
	text, err := generate.Manifests(inv.Owner, c.Namespace, documents)
	if err != nil {
		return err
	}
	return writeAll(p.stdout, text)
}

// mounted is the inventory that the job reads: its name and all of its files, by their paths in the job's folder.
type mounted struct {
	*inventory.Inventory
	name  string
	files map[string][]byte
}

// mounted returns the inventory for the job. Of several clusters, a job gets only its own.
func (c manifestsCmd) mounted() (mounted, error) {
	file, files, err := inventory.LoadFiles(c.File)
	if err != nil {
		return mounted{}, notFound(err)
	}
	target, err := c.Target(file)
	if err != nil || !file.Fleet {
		return mounted{target.Inventory, filepath.Base(c.File), files}, err
	}
	files, err = file.Standalone(target.Member)
	return mounted{target.Inventory, inventory.StandaloneName, files}, err
}

func (c manifestsCmd) deployment(inv mounted) deploy.Deployment {
	return deploy.Deployment{
		Owner: inv.Owner, ClusterRoles: inv.ClusterRoles(), Roles: inv.Roles(), Issuing: csr.Permissions(false),
		Namespace: c.Namespace, LockNamespace: c.LockNamespace,
		Image: c.Image, Schedule: string(c.Schedule),
		Environment: c.environment(inv),
		Files:       inv.files, VaultAudience: c.VaultAudience, Revocation: c.Revocation,
	}
}

// environment returns the variables of the job: all settings that are not on its command line.
func (c manifestsCmd) environment(inv mounted) map[string]string {
	flag := func(name string) string { return envPrefix + "_" + name }
	env := map[string]string{
		flag("FILE"):             path.Join(deploy.InventoryFolder, inv.name),
		flag("NAMESPACE"):        c.Namespace,
		flag("LOCK_NAMESPACE"):   c.LockNamespace,
		flag("VAULT_MOUNT"):      c.VaultMount,
		flag("VAULT_PREFIX"):     c.VaultPrefix,
		flag("VAULT_AUTH"):       "kubernetes",
		flag("VAULT_AUTH_MOUNT"): c.VaultAuth,
		flag("VAULT_ROLE"):       roleName(inv.Owner),
		flag("VAULT_TOKEN_FILE"): deploy.VaultTokenFile,
		flag("LOCK_TIMEOUT"):     "2m", // the lock of a killed run is free after one minute
		"VAULT_ADDR":             string(c.VaultAddr),
	}
	if c.VaultSpace != "" {
		env["VAULT_NAMESPACE"] = c.VaultSpace
	}
	if c.VaultCA != "" {
		env["VAULT_CACERT"] = deploy.VaultCAFile
	}
	return env
}
