package starter

import (
	"encoding/base64"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/certsync/certsync/inventory"
)

// Inventory is the content of a new inventory.
type Inventory struct {
	Owner   string
	Cluster inventory.Cluster // with empty fields for what is not known
	Users   []string
	Schema  string // path of the JSON Schema, relative to the inventory; "" for none
}

// Text returns the inventory as YAML, with a comment that explains each field.
func (n Inventory) Text() []byte {
	var b strings.Builder
	if n.Schema != "" {
		fmt.Fprintf(&b, "# yaml-language-server: $schema=%s\n", n.Schema)
	}
	fmt.Fprintf(&b, `# The users of a Kubernetes cluster and their access. "certsync validate" checks this file.
apiVersion: certsync.dev/v1
kind: Inventory

# The owner names the folder in Vault and marks every object in the cluster. Keep it: under a new owner, certsync starts
# again and leaves the access that the old owner gave.
owner: %s

`, scalar(n.Owner))
	n.writeCluster(&b)
	b.WriteString(`
defaults:
  # How long a certificate is valid, at least 10m. Kubernetes has no revocation list, so keep it short.
  expiration: 168h
  # apply renews a certificate when this part of its life is left.
  renewBefore: 33%

groups:
  # The users of a group get its roles. The group's name also goes into their certificates, as O.
  - name: developers
    # ClusterRoles in the whole cluster.
    clusterRoles: [view]
    # ClusterRoles in one namespace:
    # namespaces:
    #   staging: [edit]

`)
	n.writeUsers(&b)
	return []byte(b.String())
}

// writeCluster writes the field cluster. A field that is not known becomes a comment.
func (n Inventory) writeCluster(b *strings.Builder) {
	c := n.Cluster
	b.WriteString("# The cluster as the kubeconfigs of the users describe it.\n")
	if c.Name == "" && c.Server == "" {
		b.WriteString(`# certsync uses its own connection until you set these fields. The CronJob in the cluster requires them.
# cluster:
#   name: prod-eu
#   server: https://k8s.example.com:6443
`)
		return
	}
	b.WriteString("cluster:\n")
	if c.Name != "" {
		fmt.Fprintf(b, "  # The name of the cluster and of the context.\n  name: %s\n", scalar(c.Name))
	}
	if c.Server == "" {
		b.WriteString("  # The address of the API server, as the users reach it. The CronJob in the cluster requires it.\n  # server: https://k8s.example.com:6443\n")
	} else {
		fmt.Fprintf(b, "  # The address of the API server, as the users reach it.\n  server: %s\n", scalar(c.Server))
	}
	if c.TLSServerName != "" {
		fmt.Fprintf(b, "  # The name in the certificate of the API server.\n  tlsServerName: %s\n", scalar(c.TLSServerName))
	}
	if len(c.CertificateAuthority) > 0 {
		fmt.Fprintf(b, "  # The CA of the API server, as PEM in base64.\n  certificateAuthorityData: %s\n", base64.StdEncoding.EncodeToString(c.CertificateAuthority))
	}
}

// writeUsers writes the field users. Without a user, a comment shows one.
func (n Inventory) writeUsers(b *strings.Builder) {
	if len(n.Users) == 0 {
		b.WriteString(`# Each user gets a certificate in Vault. For example:
#   - name: alice@example.com     # goes into the certificate, as CN
#     groups: [developers]
#     expiration: 24h             # in place of the default
#     until: 2099-12-31           # the first apply after this day (UTC) ends all access
users: []
`)
		return
	}
	b.WriteString("# Each user gets a certificate in Vault. The name goes into the certificate, as CN.\nusers:\n")
	for _, user := range n.Users {
		fmt.Fprintf(b, "  - name: %s\n    groups: [developers]\n", scalar(user))
	}
	b.WriteString(`    # A user can also have these fields:
    # expiration: 24h             # in place of the default
    # until: 2099-12-31           # the first apply after this day (UTC) ends all access
    # clusterRoles: [edit]        # for this user alone, as in a group
`)
}

// scalar returns a text as a YAML scalar, in quotes where YAML would read something other than a text.
func scalar(text string) string {
	encoded, err := yaml.Marshal(text)
	if err != nil {
		panic(err) // a text can always be encoded
	}
	return strings.TrimSuffix(string(encoded), "\n")
}
