package main

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/certsync/certsync/cmd/certsync/internal/render"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/csr"
	"github.com/certsync/certsync/reconcile/kube/deploy"
)

type manifestsCmd struct {
	inventoryFlags
	Namespace     string       `default:"certsync" placeholder:"NAME" help:"Namespace of the job, for this owner alone (default: ${default})."`
	LockNamespace string       `default:"kube-system" placeholder:"NAME" help:"Namespace of the Lease that lets one run of an owner write at a time (default: ${default})."`
	Image         string       `placeholder:"IMAGE" help:"The container image, best by its digest. Needed without --vault."`
	Schedule      cronSchedule `default:"*/30 * * * *" placeholder:"CRON" help:"When the job runs (default: ${default})."`
	vaultFolderFlags
	VaultAddr     serverURL `placeholder:"URL" help:"Where the job finds Vault. Needed without --vault."`
	VaultCA       string    `name:"vault-ca" placeholder:"FILE" help:"Vault's CA, also a public one: there is none in the image. Needed with an https URL."`
	VaultSpace    string    `name:"vault-namespace" placeholder:"NAME" help:"Namespace of Vault Enterprise, for the job."`
	VaultAuth     string    `name:"vault-auth-mount" default:"kubernetes" placeholder:"PATH" help:"Where Vault's kubernetes auth method is mounted (default: ${default})."`
	VaultAudience string    `default:"vault" placeholder:"NAME" help:"Whom the account's token for Vault is made for (default: ${default})."`
	Vault         bool      `help:"Print what to set up in Vault instead, as a shell script."`
	Revocation    bool      `help:"Add the admission policy that denies all writes of revoked certificates. apply keeps its list. Needs Kubernetes 1.30."`
	UsersAccessor string    `name:"vault-users-accessor" placeholder:"ACCESSOR" help:"With --vault: one policy for all users, by their alias at the auth method with this accessor, instead of one for each."`
}

// Help is shown below the flags.
func (manifestsCmd) Help() string {
	return `Prints what certsync needs to correct drift by itself, and nothing that it does not: for Kubernetes as YAML, for Vault as a script. It asks neither of them. Read it before you apply it.

  certsync manifests --vault > vault.sh
  export CERTSYNC_IMAGE=registry.example.com/certsync@sha256:…
  certsync manifests --vault-addr https://vault --vault-ca ca.crt > job.yaml
  kubectl apply --server-side -f job.yaml

Exit codes: 0 done; 1 an error; 80 usage.`
}

// cronSchedule is the value of --schedule. The API server checks the numbers in it.
type cronSchedule string

var cronForm = regexp.MustCompile(`^(@[a-z]+|[0-9A-Za-z*?/,-]+( +[0-9A-Za-z*?/,-]+){4})$`)

// UnmarshalText refuses text that is no schedule of a CronJob.
func (s *cronSchedule) UnmarshalText(text []byte) error {
	if !cronForm.Match(text) {
		return errors.New("five fields are wanted, such as \"*/30 * * * *\", or @hourly and the like")
	}
	*s = cronSchedule(text)
	return nil
}

// serverURL is the value of --vault-addr.
type serverURL string

// UnmarshalText refuses text that is no address of Vault. It repeats nothing, since a URL may hold a password.
func (s *serverURL) UnmarshalText(text []byte) error {
	u, err := url.Parse(string(text))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return errors.New("a URL is wanted, such as https://vault.example.com:8200, without user and password")
	}
	*s = serverURL(text)
	return nil
}

// Validate is called by kong after parsing.
func (c manifestsCmd) Validate() error {
	switch {
	case c.Vault && (c.VaultAddr != "" || c.VaultCA != ""):
		return errors.New("--vault: with it, --vault-addr and --vault-ca do nothing: the script finds Vault as the vault CLI does")
	case len(c.missing()) > 0:
		return errors.New(strings.Join(c.missing(), "; "))
	case strings.ContainsAny(c.Image, " \t\r\n"):
		return errors.New("--image: the name of an image has no blanks")
	case c.Vault && c.Revocation:
		return errors.New("--revocation: with --vault it does nothing: the policy is in the cluster")
	case !c.Vault && c.UsersAccessor != "":
		return errors.New("--vault-users-accessor: without --vault it does nothing")
	case c.VaultAudience == "":
		return errors.New("--vault-audience: without one, any token of the account would do")
	}
	return nil
}

// missing lists the flags that are required and not there, all at once.
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
		all = append(all, "--image is required: the image that the CronJob runs, with its registry, best by its digest")
	}
	return all
}

// Run prints the manifests.
func (c manifestsCmd) Run(p program) error {
	inv, files, err := inventory.LoadFiles(c.File)
	if err != nil {
		return notFound(err)
	}
	deployment := c.deployment(inv, files)
	// Both sides are checked: a deployment that one side refuses must not be half set up.
	if err := deployment.Validate(); err != nil {
		return err
	}
	script, err := c.vaultScript(inv)
	if err != nil {
		return err
	}
	if c.Vault {
		c.warnOfCapitals(p, inv)
		c.warnOfUserpass(p, inv)
		return writeAll(p.stdout, script)
	}
	if err := reconcile.CompleteInAPod(inv.Cluster); err != nil {
		return err
	}
	if deployment.VaultCA, err = readCertificates(c.VaultCA); err != nil {
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
	text, err := render.Manifests(inv.Owner, c.Namespace, documents)
	if err != nil {
		return err
	}
	return writeAll(p.stdout, text)
}

func (c manifestsCmd) deployment(inv *inventory.Inventory, files map[string][]byte) deploy.Deployment {
	return deploy.Deployment{
		Owner: inv.Owner, ClusterRoles: inv.ClusterRoles(), Issuing: csr.Permissions(false),
		Namespace: c.Namespace, LockNamespace: c.LockNamespace,
		Image: c.Image, Schedule: string(c.Schedule),
		Environment: c.environment(inv.Owner),
		Files:       files, VaultAudience: c.VaultAudience, Revocation: c.Revocation,
	}
}

// environment returns the variables of the job: all its settings beyond the command line.
func (c manifestsCmd) environment(owner string) map[string]string {
	flag := func(name string) string { return envPrefix + "_" + name }
	env := map[string]string{
		flag("FILE"):             path.Join(deploy.InventoryFolder, filepath.Base(c.File)),
		flag("NAMESPACE"):        c.Namespace,
		flag("LOCK_NAMESPACE"):   c.LockNamespace,
		flag("VAULT_MOUNT"):      c.VaultMount,
		flag("VAULT_PREFIX"):     c.VaultPrefix,
		flag("VAULT_AUTH"):       "kubernetes",
		flag("VAULT_AUTH_MOUNT"): c.VaultAuth,
		flag("VAULT_ROLE"):       roleName(owner),
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
