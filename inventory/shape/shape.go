// Package shape says which fields the files of an inventory have, in order, what each holds, and what an editor says of it. The
// parser knows these fields and no others, and the JSON Schemas are made of these types, so that the two cannot drift apart. A
// field with omitempty may be left out.
package shape

import (
	"reflect"

	"github.com/certsync/certsync/inventory/clusters"
	"github.com/certsync/certsync/inventory/jsonschema"
	"github.com/certsync/certsync/inventory/selector"
)

// The first two lines of every inventory and of every team file.
const (
	APIVersion = "certsync.dev/v1"
	Kind       = "Inventory"
	TeamKind   = "TeamInventory"
)

// maxLabelKeys is how many keys a selector of clusters can have: those of all labels, and name.
const maxLabelKeys = clusters.Max*selector.MaxRequirements + 1

// Inventory is the file itself.
type Inventory struct {
	APIVersion apiVersionText `json:"apiVersion" doc:"The version of the format."`
	Kind       kindText       `json:"kind" doc:"The kind of file."`
	Owner      ownerText      `json:"owner,omitempty" doc:"The name of the folder in Vault, and the mark of every object in the cluster: a-z, 0-9 and -, at most 40 characters."`
	Cluster    clusterShape   `json:"cluster,omitempty" doc:"The cluster in users' kubeconfigs. Fields that you leave out come from certsync's own connection."`
	Clusters   membersShape   `json:"clusters,omitempty" doc:"Several clusters, in place of owner and cluster. Each is an owner of its own."`
	Defaults   defaultsShape  `json:"defaults,omitempty" doc:"The defaults for all users."`
	Groups     []groupShape   `json:"groups,omitempty" doc:"Every group that a user may be in."`
	Users      []userShape    `json:"users" doc:"The users of the cluster, without the users in teams' files. For no users at all, write []."`
	Teams      []teamShape    `json:"teams,omitempty" doc:"The teams that name the members of their groups in files of their own."`
}

// ExactlyOne are fields of which a file has one.
func (Inventory) ExactlyOne() []string { return []string{"owner", "clusters"} }

// Forbidden are fields that exclude each other.
func (Inventory) Forbidden() []string { return []string{"cluster", "clusters"} }

type membersShape []memberShape

func (membersShape) Filled() (most int) { return clusters.Max }

// memberShape is one of several clusters.
type memberShape struct {
	Name     clusterText                     `json:"name" doc:"Name of the cluster and of the context in users' kubeconfigs."`
	Owner    ownerText                       `json:"owner" doc:"The name of the folder in Vault, and the mark of every object in this cluster."`
	Labels   map[labelKeyText]labelValueText `json:"labels,omitempty" doc:"Labels for the selectors under users, groups and grants, such as {env: prod}."`
	Context  contextText                     `json:"context,omitempty" doc:"The context in the kubeconfig with which certsync reaches the cluster, if it is not the name."`
	Defaults defaultsShape                   `json:"defaults,omitempty" doc:"Defaults for this cluster, in place of those of the inventory."`
	clusterShape
}

// clustersShape has values by name or label. A cluster has one of the values under each key.
type clustersShape map[labelKeyText]clusterValuesShape

func (clustersShape) Filled() (most int) { return maxLabelKeys }

// clusterValuesShape has the values under one key. One text may stand in its place.
type clusterValuesShape []clusterValueText

func (clusterValuesShape) Instead() reflect.Type { return reflect.TypeFor[clusterValueText]() }

func (clusterValuesShape) Filled() (most int) { return clusters.Max }

type clusterShape struct {
	Name                     clusterText   `json:"name,omitempty" doc:"Name of the cluster and of the context."`
	Server                   serverText    `json:"server,omitempty" doc:"The https URL at which users reach the API server."`
	CertificateAuthority     fileText      `json:"certificateAuthority,omitempty" doc:"File with the CA that signed the API server's certificate: PEM, in the inventory's folder."`
	CertificateAuthorityData base64Text    `json:"certificateAuthorityData,omitempty" doc:"The same as base64, instead of a file."`
	ProxyURL                 proxyText     `json:"proxyURL,omitempty" doc:"The proxy between users and the API server: an http, https or socks5 URL without user and password."`
	TLSServerName            tlsServerText `json:"tlsServerName,omitempty" doc:"The name in the API server's certificate, if it is not the one in server."`
}

// Forbidden are fields that exclude each other.
func (clusterShape) Forbidden() []string {
	return []string{"certificateAuthority", "certificateAuthorityData"}
}

type defaultsShape struct {
	Expiration          expirationText   `json:"expiration,omitempty" default:"168h" doc:"How long a certificate lives: a duration such as 168h, at least 10m."`
	RenewBefore         renewBeforeText  `json:"renewBefore,omitempty" default:"33%" doc:"How long before expiry a certificate is renewed: a share of its life such as 33%, at most 90%, or a duration such as 24h."`
	KeyAlgorithm        keyAlgorithmText `json:"keyAlgorithm,omitempty" default:"ECDSA-P256" doc:"The kind and size of users' keys."`
	RevokedBefore       untilText        `json:"revokedBefore,omitempty" doc:"Revokes all certificates from before this time, such as 2026-11-28T10:00:00Z, or from before this day (UTC)."`
	GroupsInCertificate bool             `json:"groupsInCertificate,omitempty" default:"true" doc:"Whether certificates carry the user's groups as O. certsync's own bindings do not need them."`
}

type groupShape struct {
	Name         nameText        `json:"name" doc:"The name of the group, which is an O in its members' certificates."`
	ClusterRoles []grantShape    `json:"clusterRoles,omitempty" doc:"ClusterRoles that its members have in the whole cluster."`
	Namespaces   namespacesShape `json:"namespaces,omitempty" doc:"Roles that its members have in some namespaces: a mapping by their names, or a list of names and selectors."`
	Clusters     clustersShape   `json:"clusters,omitempty" doc:"The clusters in which there is the group, by name or labels, such as {env: prod}. Without it, all."`
}

type userShape struct {
	Name         nameText        `json:"name" doc:"The name of the user, which is the CN of the certificate: letters, digits and . _ @ + -, at most 64 characters."`
	Previously   []nameText      `json:"previously,omitempty" doc:"Earlier names of the same person. Set it when you rename a user."`
	Groups       []nameText      `json:"groups,omitempty" doc:"The groups of the user. Each is declared under groups."`
	ClusterRoles []grantShape    `json:"clusterRoles,omitempty" doc:"ClusterRoles that the user has in the whole cluster."`
	Namespaces   namespacesShape `json:"namespaces,omitempty" doc:"Roles that the user has in some namespaces: a mapping by their names, or a list of names and selectors."`
	Expiration   expirationText  `json:"expiration,omitempty" doc:"How long a certificate lives, instead of the default: a duration such as 24h, at least 10m."`
	accessTermShape
	Protected     bool          `json:"protected,omitempty" doc:"Whether apply refuses to take access from the user. Taking it out is a change of its own; access can go in a later apply."`
	RevokedBefore untilText     `json:"revokedBefore,omitempty" doc:"Revokes the user's certificates from before this time, such as 2026-11-28T10:00:00Z, or from before this day (UTC)."`
	Clusters      clustersShape `json:"clusters,omitempty" doc:"The clusters in which the user has access, by name or labels, such as {env: prod}. Without it, all."`
	Request       requestText   `json:"request,omitempty" doc:"The file with a certificate request for the user's own key: PEM, in the inventory's folder. The request has exactly this name and these groups."`
}

// accessTermShape has the fields on when all access of a user begins and ends, and why.
type accessTermShape struct {
	From   untilText `json:"from,omitempty" doc:"Access begins with the first apply on or after this day (UTC), or after this time, such as 2027-01-31T08:00:00Z."`
	Until  untilText `json:"until,omitempty" doc:"Access ends with the first apply after this day (UTC), or after this time, such as 2027-06-30T18:00:00Z."`
	Reason whyText   `json:"reason,omitempty" doc:"Why the user has access: one line of at most 200 characters, for people who read a plan or a review."`
	Ticket whyText   `json:"ticket,omitempty" doc:"The ticket that asks for the access: text such as OPS-1234."`
}

// grantTermShape has the same fields of a grant.
type grantTermShape struct {
	From     untilText     `json:"from,omitempty" doc:"The grant begins with the first apply on or after this day (UTC), or after this time, such as 2027-01-31T08:00:00Z."`
	Until    untilText     `json:"until,omitempty" doc:"The grant ends with the first apply after this day (UTC), or after this time, such as 2027-06-30T18:00:00Z."`
	Reason   whyText       `json:"reason,omitempty" doc:"Why the role is granted: one line of at most 200 characters, for people who read a plan or a review."`
	Ticket   whyText       `json:"ticket,omitempty" doc:"The ticket that asks for the grant: text such as OPS-1234."`
	Clusters clustersShape `json:"clusters,omitempty" doc:"The clusters in which the role is granted, by name or labels, such as {env: prod}. Without it, all."`
}

// grantShape is a role with a beginning, an end and why. Its name alone may stand in its place.
type grantShape struct {
	Name roleText `json:"name" doc:"The ClusterRole."`
	grantTermShape
}

func (grantShape) Instead() reflect.Type { return reflect.TypeFor[roleText]() }

// namespacesShape has the grants in each namespace, by its name. A list of namespaces may stand in its place.
type namespacesShape map[namespaceText][]namespaceGrantShape

func (namespacesShape) Instead() reflect.Type { return reflect.TypeFor[[]namespaceItemShape]() }

// namespaceGrantShape is a role in one namespace. The name of a ClusterRole may stand in its place.
type namespaceGrantShape struct {
	Name roleText `json:"name,omitempty" doc:"The ClusterRole."`
	Role roleText `json:"role,omitempty" doc:"The Role of the namespace, in place of a ClusterRole."`
	grantTermShape
}

func (namespaceGrantShape) Instead() reflect.Type { return reflect.TypeFor[roleText]() }

func (namespaceGrantShape) ExactlyOne() []string { return []string{"name", "role"} }

type namespaceItemShape struct {
	Name         namespaceText    `json:"name,omitempty" doc:"The name of one namespace."`
	Selector     selectorShape    `json:"selector,omitempty" doc:"The labels of the namespaces, such as {team: payments}."`
	ClusterRoles []grantShape     `json:"clusterRoles,omitempty" doc:"ClusterRoles in these namespaces."`
	Roles        []roleGrantShape `json:"roles,omitempty" doc:"Roles of these namespaces."`
}

func (namespaceItemShape) ExactlyOne() []string { return []string{"name", "selector"} }

func (namespaceItemShape) AtLeastOne() []string { return []string{"clusterRoles", "roles"} }

// roleGrantShape is a Role in a list of nothing else.
type roleGrantShape struct {
	Name roleText `json:"name" doc:"The Role."`
	grantTermShape
}

func (roleGrantShape) Instead() reflect.Type { return reflect.TypeFor[roleText]() }

// selectorShape has labels, by their keys, and one key of its own.
type selectorShape struct {
	MatchExpressions []expressionShape `json:"matchExpressions,omitempty" doc:"Further conditions on labels, as in a label selector of Kubernetes."`
}

// Others are labels. matchLabels looks like one, and is an error of its own.
func (selectorShape) Others() (key, value reflect.Type, except string, most int) {
	return reflect.TypeFor[labelKeyText](), reflect.TypeFor[labelValueText](), selector.LabelsField, selector.MaxRequirements + 1 // with the expressions
}

// expressionShape compares a label with values. One that asks only whether there is the label may stand in its place.
type expressionShape struct {
	Key      labelKeyText `json:"key" doc:"The key of the label."`
	Operator valuesText   `json:"operator" doc:"In, NotIn, Exists or DoesNotExist."`
	Values   valuesShape  `json:"values" doc:"The values of In and NotIn."`
}

func (expressionShape) Instead() reflect.Type { return reflect.TypeFor[existsShape]() }

type valuesShape []labelValueText

func (valuesShape) Filled() (most int) { return selector.MaxValues }

type existsShape struct {
	Key      labelKeyText `json:"key" doc:"The key of the label."`
	Operator existsText   `json:"operator" doc:"In, NotIn, Exists or DoesNotExist."`
}

type teamShape struct {
	Name          nameText       `json:"name" doc:"The name of the team, as in the team's file."`
	File          teamFileText   `json:"file" doc:"The team's file in the inventory's folder, such as teams/payments.yaml."`
	Groups        []nameText     `json:"groups" doc:"The only groups that the file may use. Each is declared under groups."`
	MaxExpiration expirationText `json:"maxExpiration,omitempty" doc:"The longest life of the team's certificates. A longer default is shortened to it. Without it, the team's file can set at most the default."`
}

// TeamFile is the file of a team.
type TeamFile struct {
	APIVersion apiVersionText  `json:"apiVersion" doc:"The version of the format."`
	Kind       teamKindText    `json:"kind" doc:"The kind of file."`
	Team       nameText        `json:"team" doc:"The name that the team has in the inventory."`
	Users      []teamUserShape `json:"users" doc:"The users of the team. For no users at all, write []."`
}

type teamUserShape struct {
	Name       nameText       `json:"name" doc:"The name of the user, which is the CN of the certificate: letters, digits and . _ @ + -, at most 64 characters."`
	Groups     []nameText     `json:"groups,omitempty" doc:"The groups of the user, among those that the inventory gives to the team."`
	Expiration expirationText `json:"expiration,omitempty" doc:"How long a certificate lives, instead of the default: a duration such as 24h, within the team's maxExpiration or, without one, the default."`
	accessTermShape
	Clusters clustersShape `json:"clusters,omitempty" doc:"The clusters in which the user has access, by name or labels, such as {env: prod}. Without it, all."`
}

// The keys of the fields that the parser knows, by what has them.
var (
	InventoryKeys = keys[Inventory]()
	ClusterKeys   = keys[clusterShape]()
	DefaultsKeys  = keys[defaultsShape]()
	GroupKeys     = keys[groupShape]()
	UserKeys      = keys[userShape]()
	GrantKeys     = keys[grantShape]()

	NamespaceGrantKeys = keys[namespaceGrantShape]()
	NamespaceItemKeys  = keys[namespaceItemShape]()

	MemberKeys   = keys[memberShape]()
	TeamKeys     = keys[teamShape]()
	TeamFileKeys = keys[TeamFile]()
	TeamUserKeys = keys[teamUserShape]()
)

func keys[T any]() []string {
	var names []string
	for _, f := range jsonschema.Fields(reflect.TypeFor[T]()) {
		name, _ := jsonschema.Key(f)
		names = append(names, name)
	}
	return names
}
