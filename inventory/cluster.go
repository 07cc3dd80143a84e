package inventory

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/certsync/certsync/inventory/strict"
)

// maxClusterName is arbitrary, but the name of a context gets typed.
const maxClusterName = 253

var (
	// As clouds name clusters: arn:aws:eks:eu-west-1:1234:cluster/prod, gke_project_zone_name.
	clusterForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._:/@+-]*[A-Za-z0-9])?$`)
	hostForm    = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?$`)
)

func (r *run) cluster(v strict.Value) Cluster {
	fields, _ := v.Fields(clusterKeys...)
	return r.clusterOf(fields)
}

// clusterOf returns what the fields of a cluster say.
func (r *run) clusterOf(fields map[string]strict.Value) Cluster {
	var c Cluster
	if field, ok := fields["name"]; ok {
		c.Name = field.Checked(clusterFault)
	}
	if field, ok := fields["server"]; ok {
		c.Server = field.Checked(serverFault)
	}
	if field, ok := fields["proxyURL"]; ok {
		c.ProxyURL = field.Checked(proxyFault)
	}
	if field, ok := fields["tlsServerName"]; ok {
		c.TLSServerName = field.Checked(tlsServerFault)
	}
	c.CertificateAuthority = r.authority(fields)
	return c
}

// Fault says for which of its texts an inventory would refuse c, and why, or nothing. An empty text is none. URLs are not
// repeated, which may hold a password.
func (c Cluster) Fault() string {
	for _, text := range []struct {
		key, value string
		fault      func(string) string
	}{
		{"name", c.Name, clusterFault},
		{"server", c.Server, serverFault},
		{"proxyURL", c.ProxyURL, proxyFault},
		{"tlsServerName", c.TLSServerName, tlsServerFault},
	} {
		if text.value == "" {
			continue
		}
		if fault := text.fault(text.value); fault != "" {
			return text.key + ": " + fault
		}
	}
	return ""
}

func clusterFault(s string) string {
	if len(s) > maxClusterName || !clusterForm.MatchString(s) {
		return fmt.Sprintf("%s is not a valid name for a cluster: use letters, digits and . _ : / @ + -, begin and end with a letter or digit, and use at most %d characters", strict.Quote(s), maxClusterName)
	}
	return ""
}

func serverFault(s string) string { return urlFault(s, "https") }

func tlsServerFault(s string) string {
	if !validHost(s) {
		return strict.Quote(s) + " is neither a host name nor an IP address"
	}
	return ""
}

// urlFault says what keeps s from being a bare URL. It never repeats s, which may hold a password.
func urlFault(s string, schemes ...string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil || !printed(s):
		return "is not a URL"
	case u.User != nil:
		return "contains a user name or a password, which do not belong in an inventory"
	case !slices.Contains(schemes, u.Scheme) || u.Opaque != "":
		return "is not a URL that begins with " + strings.Join(schemes, "://, ") + "://"
	case strings.ContainsAny(s, "?#"):
		return "has a query or a fragment"
	case !validHost(u.Hostname()):
		return "has no host"
	case !validPort(u):
		return "has a port outside 1 to 65535"
	}
	return ""
}

func proxyFault(s string) string {
	if fault := urlFault(s, "http", "https", "socks5"); fault != "" {
		return fault
	}
	if u, err := url.Parse(s); err != nil || strings.Trim(u.Path, "/") != "" {
		return "has a path, which a proxy does not have"
	}
	return ""
}

func validHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return len(s) <= 253 && hostForm.MatchString(s)
}

func validPort(u *url.URL) bool {
	if !strings.HasSuffix(u.Host, ":") && u.Port() == "" {
		return true
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port > 0
}
