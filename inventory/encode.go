package inventory

import (
	"cmp"
	"encoding/base64"
	"maps"
	"slices"
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
// it. What the defaults are without a word is left out, and so is what is zero. The certificates of the cluster's
// authority are written into the file itself; requests, which only files of their own hold, are left out.
func (inv *Inventory) Encode(c Comments) []byte { return strict.Write(c.Head, inv.encode(c, nil)) }

// encode is Encode before it is text, with the files of requests by the name of the user.
func (inv *Inventory) encode(c Comments, requests map[string]string) *strict.Element {
	root := strict.Mapping()
	root.Add("apiVersion", strict.Text(APIVersion))
	root.Add("kind", strict.Text(Kind))
	root.Add("owner", strict.Text(inv.Owner))
	root.AddFilled("cluster", inv.Cluster.encode())
	root.AddFilled("defaults", inv.Defaults.encode())
	if groups := strict.List(); len(inv.Groups) > 0 {
		for _, g := range inv.Groups {
			groups.Item(g.encode(), c.Groups[g.Name])
		}
		root.Add("groups", groups)
	}
	users := strict.List()
	if len(inv.Users) == 0 {
		users = users.InLine() // an empty list in blocks would be null
	}
	for _, u := range inv.Users {
		users.Item(u.encode(inv.Defaults, requests[u.Name]), c.Users[u.Name])
	}
	root.Add("users", users)
	return root
}

func (c Cluster) encode() *strict.Element {
	m := strict.Mapping()
	for _, field := range []struct{ key, value string }{
		{"name", c.Name}, {"server", c.Server}, {"certificateAuthorityData", base64.StdEncoding.EncodeToString(c.CertificateAuthority)},
		{"proxyURL", c.ProxyURL}, {"tlsServerName", c.TLSServerName},
	} {
		if field.value != "" {
			m.Add(field.key, strict.Text(field.value))
		}
	}
	return m
}

func (d Defaults) encode() *strict.Element {
	m := strict.Mapping().InLine()
	if d.Expiration != 0 && d.Expiration != builtIn.Expiration {
		m.Add("expiration", strict.Scalar(DurationText(d.Expiration)))
	}
	switch r := d.RenewBefore; {
	case r == RenewBefore{} || r == builtIn.RenewBefore:
	case r.Duration > 0:
		m.Add("renewBefore", strict.Scalar(DurationText(r.Duration)))
	default:
		m.Add("renewBefore", strict.Scalar(r.String()))
	}
	if d.KeyAlgorithm != "" && d.KeyAlgorithm != builtIn.KeyAlgorithm {
		m.Add("keyAlgorithm", strict.Text(string(d.KeyAlgorithm)))
	}
	if !d.RevokedBefore.IsZero() {
		m.Add("revokedBefore", strict.Scalar(d.RevokedBefore.Format(time.RFC3339Nano)))
	}
	if d.WithoutGroups {
		m.Add("groupsInCertificate", strict.Scalar("false"))
	}
	return m
}

func (g Group) encode() *strict.Element {
	m := strict.Mapping()
	m.Add("name", strict.Text(g.Name))
	addGrants(m, g.ClusterRoles, g.Namespaces, g.ByLabel)
	return m
}

func (u User) encode(defaults Defaults, request string) *strict.Element {
	m := strict.Mapping()
	m.Add("name", strict.Text(u.Name))
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
	if request != "" {
		m.Add("request", strict.Text(request))
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
		add("selector", s.Selector.encode(), s.Grants)
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
		if out[i] = name; key == "name" && g.From.IsZero() && g.Until.IsZero() && g.Why == (Why{}) {
			continue
		}
		out[i] = strict.Mapping().InLine()
		out[i].Add(key, name)
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
