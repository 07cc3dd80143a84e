package inventory

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certsync/certsync/inventory/userkey"
)

// canonical is what two inventories that mean the same have in common. Its JSON is hashed, so a change of a field or of
// an order changes every digest.
type canonical struct {
	Format       string
	Owner        string
	Cluster      canonicalCluster
	RenewBefore  RenewBefore
	KeyAlgorithm userkey.Algorithm
	Groups       []canonicalGroup
	Users        []canonicalUser
	// Digests from before there was this field stay what they are.
	WithoutGroups bool `json:",omitempty"`
}

type canonicalCluster struct {
	Name, Server, CertificateAuthority, ProxyURL, TLSServerName string
}

type canonicalGroup struct {
	Name         string
	ClusterRoles []canonicalGrant
	Namespaces   map[string][]canonicalGrant
	// Digests from before there was this field stay what they are.
	ByLabel []canonicalSelection `json:",omitempty"`
}

type canonicalSelection struct {
	Labels      map[string]string
	Expressions []Expression
	Grants      []canonicalGrant
}

type canonicalUser struct {
	canonicalGroup
	Groups     []string
	Expiration time.Duration
	Until      string
	// Digests from before there were these fields stay what they are.
	From          string   `json:",omitempty"`
	Reason        string   `json:",omitempty"`
	Ticket        string   `json:",omitempty"`
	Protected     bool     `json:",omitempty"`
	Previously    []string `json:",omitempty"`
	Request       string   `json:",omitempty"`
	RevokedBefore string   `json:",omitempty"`
}

type canonicalGrant struct {
	ClusterRole, Until string
	// Digests from before there was this field stay what they are.
	Role           string `json:",omitempty"`
	From           string `json:",omitempty"` // as above
	Reason, Ticket string `json:",omitempty"`
}

// Digest is "sha256:" and the hash of what the inventory means, with what the named files hold. It does not depend on
// comments, on the order of users, groups and roles, on a role that is there twice, on whether a default was written
// down, or on which file a user stands in. The default expiration is in it as that of each user, and so is what a team
// makes of it.
func (inv *Inventory) Digest() string {
	c := canonical{
		Format: APIVersion,
		Owner:  inv.Owner,
		Cluster: canonicalCluster{
			Name:                 inv.Cluster.Name,
			Server:               inv.Cluster.Server,
			CertificateAuthority: string(inv.Cluster.CertificateAuthority),
			ProxyURL:             inv.Cluster.ProxyURL,
			TLSServerName:        inv.Cluster.TLSServerName,
		},
		RenewBefore:  inv.Defaults.RenewBefore,
		KeyAlgorithm: inv.Defaults.KeyAlgorithm,

		WithoutGroups: inv.Defaults.WithoutGroups,
	}
	for _, g := range inv.Groups {
		c.Groups = append(c.Groups, canonicalGroup{g.Name, grantSet(g.ClusterRoles), namespaceSets(g.Namespaces), selectionSet(g.ByLabel)})
	}
	for _, u := range inv.Users {
		c.Users = append(c.Users, canonicalUser{
			canonicalGroup: canonicalGroup{u.Name, grantSet(u.ClusterRoles), namespaceSets(u.Namespaces), selectionSet(u.ByLabel)},
			Groups:         slices.Compact(slices.Sorted(slices.Values(u.Groups))),
			Expiration:     u.Expiration,
			Until:          instantText(u.Until),
			From:           instantText(u.From),
			Reason:         u.Why.Reason,
			Ticket:         u.Why.Ticket,
			Protected:      u.Protected,
			Previously:     slices.Sorted(slices.Values(u.Previously)),
			Request:        string(u.Request),
			RevokedBefore:  instantText(u.RevokedBefore),
		})
	}
	slices.SortStableFunc(c.Groups, func(a, b canonicalGroup) int { return strings.Compare(a.Name, b.Name) })
	slices.SortStableFunc(c.Users, func(a, b canonicalUser) int { return strings.Compare(a.Name, b.Name) })
	data, err := json.Marshal(c)
	if err != nil {
		panic(err) // only text, numbers, lists and maps
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func grantSet(grants []Grant) []canonicalGrant {
	var set []canonicalGrant
	for _, g := range grants {
		set = append(set, canonicalGrant{
			ClusterRole: g.ClusterRole, Role: g.Role, Until: instantText(g.Until), From: instantText(g.From), Reason: g.Why.Reason, Ticket: g.Why.Ticket,
		})
	}
	slices.SortFunc(set, func(a, b canonicalGrant) int {
		return cmp.Or(strings.Compare(a.ClusterRole, b.ClusterRole), strings.Compare(a.Role, b.Role), strings.Compare(a.Until, b.Until), strings.Compare(a.From, b.From),
			strings.Compare(a.Reason, b.Reason), strings.Compare(a.Ticket, b.Ticket))
	})
	return slices.Compact(set)
}

// namespaceSets leaves out namespaces in which nothing is granted.
func namespaceSets(namespaces map[string][]Grant) map[string][]canonicalGrant {
	sets := map[string][]canonicalGrant{}
	for name, grants := range namespaces {
		if len(grants) > 0 {
			sets[name] = grantSet(grants)
		}
	}
	return sets
}

// selectionSet leaves out selectors by which nothing is granted.
func selectionSet(selections []Selection) []canonicalSelection {
	var set []canonicalSelection
	for _, s := range selections {
		if len(s.Grants) > 0 {
			set = append(set, canonicalSelection{s.Selector.Labels, s.Selector.Sorted(), grantSet(s.Grants)})
		}
	}
	slices.SortFunc(set, func(a, b canonicalSelection) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return set
}

func instantText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
