package inventory

import (
	"cmp"
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certsync/certsync/inventory/strict"
)

// Comments are lines to stand in an inventory that is written. Each becomes one line, whatever it holds.
type Comments struct {
	Head   []string            // before everything
	Groups map[string][]string // before a group, by its name
	Users  map[string][]string // before a user, by their name
}

// Encode writes the inventory as a file that Parse reads as the same inventory: what Parse would refuse must not be in
// it. It leaves out zero values, and defaults that apply without being written. The certificates of the cluster's
// authority are written into the file itself; requests, which only files of their own hold, are left out.
func (inv *Inventory) Encode(c Comments) []byte {
	root := document(Kind)
	root.Add("owner", strict.Text(inv.Owner))
	root.AddFilled("cluster", inv.Cluster.encode())
	root.AddFilled("defaults", inv.Defaults.encode(builtIn))
	root.AddFilled("groups", encodeGroups(inv.Groups, c))
	users := make([]*strict.Element, len(inv.Users))
	for i, u := range inv.Users {
		users[i] = u.encode(inv.Defaults)
	}
	root.Add("users", encodeUsers(inv.Users, users, c))
	return strict.Write(c.Head, root)
}

// document is what every file begins with.
func document(kind string) *strict.Element {
	root := strict.Mapping()
	root.Add("apiVersion", strict.Text(APIVersion))
	root.Add("kind", strict.Text(kind))
	return root
}

func encodeGroups(groups []Group, c Comments) *strict.Element {
	list := strict.List()
	for _, g := range groups {
		list.Item(g.encode(), c.Groups[g.Name])
	}
	return list
}

// encodeUsers is the list of users, whose elements are given.
func encodeUsers(users []User, elements []*strict.Element, c Comments) *strict.Element {
	list := strict.List()
	if len(users) == 0 {
		list = list.InLine() // an empty list in blocks would be null
	}
	for i, u := range users {
		list.Item(elements[i], c.Users[u.Name])
	}
	return list
}

func (c Cluster) encode() *strict.Element {
	m := strict.Mapping()
	c.addTo(m)
	return m
}

func (c Cluster) addTo(m *strict.Element) {
	for _, field := range []struct{ key, value string }{
		{"name", c.Name}, {"server", c.Server}, {"certificateAuthorityData", base64.StdEncoding.EncodeToString(c.CertificateAuthority)},
		{"proxyURL", c.ProxyURL}, {"tlsServerName", c.TLSServerName},
	} {
		if field.value != "" {
			m.Add(field.key, strict.Text(field.value))
		}
	}
}

// encode writes what differs from others, which hold where it is left out.
func (d Defaults) encode(others Defaults) *strict.Element {
	m := strict.Mapping().InLine()
	if d.Expiration != 0 && d.Expiration != others.Expiration {
		m.Add("expiration", strict.Scalar(DurationText(d.Expiration)))
	}
	if r := d.RenewBefore; r != (RenewBefore{}) && r != others.RenewBefore {
		m.Add("renewBefore", strict.Scalar(r.String()))
	}
	if d.KeyAlgorithm != "" && d.KeyAlgorithm != others.KeyAlgorithm {
		m.Add("keyAlgorithm", strict.Text(string(d.KeyAlgorithm)))
	}
	if d.RevokedBefore.After(others.RevokedBefore) {
		m.Add("revokedBefore", strict.Scalar(d.RevokedBefore.Format(time.RFC3339Nano)))
	}
	if d.WithoutGroups != others.WithoutGroups {
		m.Add("groupsInCertificate", strict.Scalar(strconv.FormatBool(!d.WithoutGroups)))
	}
	return m
}

func (g Group) encode() *strict.Element {
	m := strict.Mapping()
	m.Add("name", strict.Text(g.Name))
	addClusters(m, g.Clusters)
	addGrants(m, g.ClusterRoles, g.Namespaces, g.ByLabel)
	return m
}

func (u User) encode(defaults Defaults) *strict.Element {
	m := strict.Mapping()
	m.Add("name", strict.Text(u.Name))
	addClusters(m, u.Clusters)
	m.AddFilled("previously", strict.Row(strict.Texts(u.Previously)))
	m.AddFilled("groups", strict.Row(strict.Texts(u.Groups)))
	addGrants(m, u.ClusterRoles, u.Namespaces, u.ByLabel)
	if u.Expiration != 0 && u.Expiration != defaults.Expiration {
		m.Add("expiration", strict.Scalar(DurationText(u.Expiration)))
	}
	addTerm(m, u.From, u.Until)
	addWhy(m, u.Why)
	if u.Protected {
		m.Add("protected", strict.Scalar("true"))
	}
	if u.RevokedBefore.After(defaults.RevokedBefore) {
		m.Add("revokedBefore", strict.Scalar(u.RevokedBefore.Format(time.RFC3339Nano)))
	}
	return m
}

// addGrants adds both fields that grant roles, where there are any. Namespaces are a list where some are selected.
func addGrants(e *strict.Element, clusterRoles []Grant, namespaces map[string][]Grant, byLabel []Selection) {
	e.AddFilled("clusterRoles", strict.Row(encodeGrants(clusterRoles, "")))
	if slices.ContainsFunc(byLabel, func(s Selection) bool { return len(s.Grants) > 0 }) {
		e.Add("namespaces", encodeList(namespaces, byLabel))
		return
	}
	all := strict.Mapping()
	for _, name := range slices.Sorted(maps.Keys(namespaces)) {
		all.AddFilled(name, strict.Row(encodeGrants(namespaces[name], "role")))
	}
	e.AddFilled("namespaces", all)
}

// encodeList writes namespaces as a list of those that have a name, and of those that are selected.
func encodeList(namespaces map[string][]Grant, byLabel []Selection) *strict.Element {
	list := strict.List()
	add := func(key string, which *strict.Element, grants []Grant) {
		if len(grants) == 0 {
			return
		}
		isRole := func(g Grant) bool { return g.Role != "" }
		item := strict.Mapping()
		item.Add(key, which)
		item.AddFilled("clusterRoles", strict.Row(encodeGrants(slices.DeleteFunc(slices.Clone(grants), isRole), "")))
		item.AddFilled("roles", strict.Row(encodeGrants(slices.DeleteFunc(slices.Clone(grants), func(g Grant) bool { return !isRole(g) }), "")))
		list.Item(item, nil)
	}
	for _, name := range slices.Sorted(maps.Keys(namespaces)) {
		add("name", strict.Text(name), namespaces[name])
	}
	for _, s := range byLabel {
		add("selector", s.Selector.Encode(), s.Grants)
	}
	return list
}

// encodeGrants writes each grant as a name, or as a mapping where there is more to say. A Role stands under roleKey, unless all
// in the list are Roles.
func encodeGrants(grants []Grant, roleKey string) []*strict.Element {
	out := make([]*strict.Element, len(grants))
	for i, g := range grants {
		key, name := "name", strict.Text(g.ClusterRole)
		if g.Role != "" {
			key, name = cmp.Or(roleKey, key), strict.Text(g.Role)
		}
		if out[i] = name; key == "name" && g.From.IsZero() && g.Until.IsZero() && g.Why == (Why{}) && g.Clusters == nil {
			continue
		}
		out[i] = strict.Mapping().InLine()
		out[i].Add(key, name)
		addClusters(out[i], g.Clusters)
		addTerm(out[i], g.From, g.Until)
		addWhy(out[i], g.Why)
	}
	return out
}

// DurationText returns a duration as an inventory writes it: 168h instead of 168h0m0s.
func DurationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// addTerm adds the beginning and the end of access, where there are any.
func addTerm(e *strict.Element, from, until time.Time) {
	if !from.IsZero() {
		e.Add("from", strict.Scalar(firstDay(from)))
	}
	if !until.IsZero() {
		e.Add("until", strict.Scalar(lastDay(until)))
	}
}

// addWhy adds why there is access, where somebody says it.
func addWhy(e *strict.Element, w Why) {
	if w.Reason != "" {
		e.Add("reason", strict.Text(w.Reason))
	}
	if w.Ticket != "" {
		e.Add("ticket", strict.Text(w.Ticket))
	}
}

// firstDay is a beginning as an inventory says it: the first day, or the instant where it is not midnight.
func firstDay(from time.Time) string {
	if from = from.UTC(); from.Equal(from.Truncate(24 * time.Hour)) {
		return from.Format(time.DateOnly)
	}
	return from.Format(time.RFC3339Nano)
}

// lastDay is an end as an inventory says it: the last day that is included, or the instant where it is not midnight.
func lastDay(end time.Time) string {
	end = end.UTC()
	if end.Equal(end.Truncate(24 * time.Hour)) {
		return end.AddDate(0, 0, -1).Format(time.DateOnly)
	}
	return end.Format(time.RFC3339Nano)
}
