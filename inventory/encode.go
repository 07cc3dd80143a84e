package inventory

import (
	"bytes"
	"encoding/base64"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
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
func (inv *Inventory) Encode(c Comments) []byte {
	var out bytes.Buffer
	for _, line := range commented(c.Head) {
		out.WriteString(line + "\n")
	}
	root := mapping(0)
	root.add("apiVersion", text(APIVersion))
	root.add("kind", text(Kind))
	root.add("owner", text(inv.Owner))
	root.addFilled("cluster", inv.Cluster.encode())
	root.addFilled("defaults", inv.Defaults.encode())
	if groups := list(0); len(inv.Groups) > 0 {
		for _, g := range inv.Groups {
			groups.item(g.encode(), c.Groups[g.Name])
		}
		root.add("groups", groups)
	}
	users := list(0)
	if len(inv.Users) == 0 {
		users = list(yaml.FlowStyle) // an empty list in blocks would be null
	}
	for _, u := range inv.Users {
		users.item(u.encode(inv.Defaults), c.Users[u.Name])
	}
	root.add("users", users)
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode((*yaml.Node)(root)); err != nil {
		panic(err) // text in nodes, into memory
	}
	return out.Bytes()
}

func (c Cluster) encode() *element {
	m := mapping(0)
	for _, field := range []struct{ key, value string }{
		{"name", c.Name}, {"server", c.Server}, {"certificateAuthorityData", base64.StdEncoding.EncodeToString(c.CertificateAuthority)},
		{"proxyURL", c.ProxyURL}, {"tlsServerName", c.TLSServerName},
	} {
		if field.value != "" {
			m.add(field.key, text(field.value))
		}
	}
	return m
}

func (d Defaults) encode() *element {
	m := mapping(yaml.FlowStyle)
	if d.Expiration != 0 && d.Expiration != builtIn.Expiration {
		m.add("expiration", scalar(DurationText(d.Expiration)))
	}
	switch r := d.RenewBefore; {
	case r == RenewBefore{} || r == builtIn.RenewBefore:
	case r.Duration > 0:
		m.add("renewBefore", scalar(DurationText(r.Duration)))
	default:
		m.add("renewBefore", scalar(r.String()))
	}
	if d.KeyAlgorithm != "" && d.KeyAlgorithm != builtIn.KeyAlgorithm {
		m.add("keyAlgorithm", text(string(d.KeyAlgorithm)))
	}
	if !d.RevokedBefore.IsZero() {
		m.add("revokedBefore", scalar(d.RevokedBefore.Format(time.RFC3339Nano)))
	}
	if d.WithoutGroups {
		m.add("groupsInCertificate", scalar("false"))
	}
	return m
}

func (g Group) encode() *element {
	m := mapping(0)
	m.add("name", text(g.Name))
	m.addGrants(g.ClusterRoles, g.Namespaces)
	return m
}

func (u User) encode(defaults Defaults) *element {
	m := mapping(0)
	m.add("name", text(u.Name))
	m.addFilled("previously", row(texts(u.Previously)))
	m.addFilled("groups", row(texts(u.Groups)))
	m.addGrants(u.ClusterRoles, u.Namespaces)
	if u.Expiration != 0 && u.Expiration != defaults.Expiration {
		m.add("expiration", scalar(DurationText(u.Expiration)))
	}
	if !u.Until.IsZero() {
		m.add("until", scalar(lastDay(u.Until)))
	}
	if u.RevokedBefore.After(defaults.RevokedBefore) {
		m.add("revokedBefore", scalar(u.RevokedBefore.Format(time.RFC3339Nano)))
	}
	return m
}

// addGrants adds both fields that grant ClusterRoles, where there are any.
func (e *element) addGrants(clusterRoles []Grant, namespaces map[string][]Grant) {
	e.addFilled("clusterRoles", row(encodeGrants(clusterRoles)))
	all := mapping(0)
	for _, name := range slices.Sorted(maps.Keys(namespaces)) {
		all.addFilled(name, row(encodeGrants(namespaces[name])))
	}
	e.addFilled("namespaces", all)
}

func encodeGrants(grants []Grant) []*element {
	out := make([]*element, len(grants))
	for i, g := range grants {
		out[i] = text(g.ClusterRole)
		if !g.Until.IsZero() {
			m := mapping(yaml.FlowStyle)
			m.add("name", out[i])
			m.add("until", scalar(lastDay(g.Until)))
			out[i] = m
		}
	}
	return out
}

// element is a node that is built to be written.
type element yaml.Node

func mapping(style yaml.Style) *element {
	return &element{Kind: yaml.MappingNode, Tag: "!!map", Style: style}
}

func list(style yaml.Style) *element {
	return &element{Kind: yaml.SequenceNode, Tag: "!!seq", Style: style}
}

func (e *element) add(key string, value *element) {
	e.Content = append(e.Content, (*yaml.Node)(text(key)), (*yaml.Node)(value))
}

// addFilled leaves out a list or mapping that holds nothing.
func (e *element) addFilled(key string, value *element) {
	if len(value.Content) > 0 {
		e.add(key, value)
	}
}

func (e *element) item(value *element, comments []string) {
	value.HeadComment = strings.Join(commented(comments), "\n")
	e.Content = append(e.Content, (*yaml.Node)(value))
}

// maxRow is how many characters of a list stand in one line.
const maxRow = 80

// row is a list in one line, or one item a line where it would be too long to be read and to be compared.
func row(items []*element) *element {
	l, length := list(yaml.FlowStyle), 0
	for _, item := range items {
		l.Content = append(l.Content, (*yaml.Node)(item))
		length += len(item.Value) + 2
	}
	if length > maxRow {
		l.Style = 0
	}
	return l
}

func texts(values []string) []*element {
	out := make([]*element, len(values))
	for i, v := range values {
		out[i] = text(v)
	}
	return out
}

// plainText is text that every reader of YAML takes for text without quotes: no number, date, base-60 number or alias,
// in a flow or outside of one.
var plainText = regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9._@+/-]*[A-Za-z0-9])?$`)

// text is a string, in quotes where YAML could take it for something else. The library knows of true and null, but lets
// the old booleans stand bare.
func text(s string) *element {
	e := &element{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	if !plainText.MatchString(s) || slices.Contains(oldBooleans, s) {
		e.Style = yaml.DoubleQuotedStyle
	}
	return e
}

// scalar is a date, a duration or a share.
func scalar(s string) *element { return &element{Kind: yaml.ScalarNode, Value: s} }

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

// lastDay is an end as an inventory says it: the last day that is included, or the instant where it is not midnight.
func lastDay(end time.Time) string {
	end = end.UTC()
	if end.Equal(end.Truncate(24 * time.Hour)) {
		return end.AddDate(0, 0, -1).Format(time.DateOnly)
	}
	return end.Format(time.RFC3339Nano)
}

// commented makes comments of lines. A name of the cluster in one of them must not begin a line of its own.
func commented(lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = strings.TrimRight("# "+printable(line), " ")
	}
	return out
}
