// Package inventory is the file that says who may use a cluster: its format, its checks and its digest.
//
// Parsing is strict, because a mistake here gives or takes access: whatever the format does not know is refused, and all
// problems come at once, each with its line and column. A parsed inventory holds only names that are safe in a
// certificate, in a path of Vault and in the name of a Kubernetes object.
//
// Package strict below it reads and writes the YAML, package shape says what the fields are, and package texts what single texts
// may hold. All else about the fields stands here, in the file of each part: user.go, group.go, teams.go and so on. Others are:
//
//	load.go                   Load, LoadFile and Parse
//	clusters.go, file.go      the clusters of a file, and the inventory of one of them (Effective)
//	term.go, expiration.go, renewal.go
//	                          from and until, how long certificates live, and when they are renewed
//	request.go, authority.go  files that an inventory names: certificate requests, and the cluster's CA
//	stray.go                  refuses teams' files that the inventory does not name
//	limit.go                  how much an inventory may hold with all its files
//	digest.go                 what the digest of an inventory is made of
//	encode.go, standalone.go  write an inventory: as it is, and for one cluster alone
//	schema.go                 the JSON Schemas
package inventory

import (
	"maps"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory/shape"
	"github.com/certsync/certsync/inventory/userkey"
)

// The first two lines of every inventory and of every team file.
const (
	APIVersion = shape.APIVersion
	Kind       = shape.Kind
	TeamKind   = shape.TeamKind
)

// Inventory is a parsed file, with defaults applied and the files that it names read in. Lists are in the order of the
// file; lists and maps without an element are nil. The users of teams come last among Users, as if they stood in the
// inventory itself.
type Inventory struct {
	Owner    string
	Cluster  Cluster
	Defaults Defaults
	Groups   []Group
	Users    []User
}

// Cluster is what goes into users' kubeconfigs. Every field is optional: the zero value stands for what certsync itself
// connects to.
type Cluster struct {
	Name   string
	Server string // an https URL
	// CertificateAuthority is PEM: CERTIFICATE blocks without headers, and nothing else.
	CertificateAuthority []byte
	ProxyURL             string // an http, https or socks5 URL without credentials
	TLSServerName        string
}

// Defaults hold for every user. The built-in ones are 168h, 33%, ECDSA-P256 and groups in certificates.
type Defaults struct {
	Expiration   time.Duration
	RenewBefore  RenewBefore
	KeyAlgorithm userkey.Algorithm
	// WithoutGroups keeps groups out of certificates: a change of groups then needs no new certificate, and what others bind to
	// a Group serves nobody.
	WithoutGroups bool
	RevokedBefore time.Time // for everybody, see User
}

// Group is a name that certificates may carry as O, with the grants that its members get.
type Group struct {
	Name         string
	ClusterRoles []Grant            // cluster-wide
	Namespaces   map[string][]Grant // in one namespace, by its name
	ByLabel      []Selection        // in each namespace that a selector matches
	Clusters     *Clusters          // where there is the group; nil in the inventory of one cluster
}

// User is a person with one certificate. Name is its CN. Groups, all of which are declared, are its O's, see
// Defaults.CertificateGroups.
type User struct {
	Name         string
	Previously   []string // names that the same person had before, none of which is in use
	Groups       []string
	ClusterRoles []Grant            // cluster-wide
	Namespaces   map[string][]Grant // in one namespace, by its name
	ByLabel      []Selection        // in each namespace that a selector matches
	Expiration   time.Duration      // of a certificate; the default is applied
	From         time.Time          // the instant at which access begins, in UTC; zero: it has begun
	Until        time.Time          // the instant at which access ends, in UTC, after From; zero: no end
	Why          Why
	Protected    bool   // nothing is taken from the user until a run has applied the inventory without it
	Team         string // in whose file the user stands; empty: in the inventory itself
	// Request is the user's own PKCS#10 request, whose key they alone have: PEM, one block, for exactly Name and the
	// certificate's groups. Nil: certsync makes the key.
	Request       []byte
	RevokedBefore time.Time // certificates from before are void, in UTC; zero: none are. The default is applied where it is later
	Clusters      *Clusters // where the user has access; nil in the inventory of one cluster
}

// CertificateGroups are the groups that a user's certificate carries as O, sorted, each once.
func (d Defaults) CertificateGroups(u User) []string {
	if d.WithoutGroups {
		return nil
	}
	return slices.Compact(slices.Sorted(slices.Values(u.Groups)))
}

// Grant is a role that is to be bound: a ClusterRole, or in a namespace a Role of that namespace.
type Grant struct {
	ClusterRole string    // empty: a Role is granted
	Role        string    // empty: a ClusterRole is granted
	From        time.Time // the instant at which the grant begins, in UTC; zero: it has begun
	Until       time.Time // the instant at which the grant ends, in UTC, after From; zero: no end
	Why         Why
	Clusters    *Clusters // where it is granted; nil in the inventory of one cluster
}

// ClusterRoles lists every ClusterRole that is granted anywhere, each once, sorted; those whose time has passed too.
func (inv *Inventory) ClusterRoles() []string {
	return inv.named(func(g Grant) string { return g.ClusterRole })
}

// Roles lists the name of every Role that is granted in any namespace, like ClusterRoles.
func (inv *Inventory) Roles() []string {
	return inv.named(func(g Grant) string { return g.Role })
}

// named lists what name returns for any grant, each once, sorted.
func (inv *Inventory) named(name func(Grant) string) []string {
	names := map[string]bool{}
	add := func(cluster []Grant, namespaces map[string][]Grant, byLabel []Selection) {
		lists := append(slices.Collect(maps.Values(namespaces)), cluster)
		for _, s := range byLabel {
			lists = append(lists, s.Grants)
		}
		for _, g := range slices.Concat(lists...) {
			names[name(g)] = true
		}
	}
	for _, g := range inv.Groups {
		add(g.ClusterRoles, g.Namespaces, g.ByLabel)
	}
	for _, u := range inv.Users {
		add(u.ClusterRoles, u.Namespaces, u.ByLabel)
	}
	delete(names, "")
	return slices.Sorted(maps.Keys(names))
}
