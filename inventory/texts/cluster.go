package texts

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

// MaxCluster is arbitrary, but the name of a context gets typed.
const MaxCluster = 253

// The forms of names of clusters and hosts.
var (
	// As clouds name clusters: arn:aws:eks:eu-west-1:1234:cluster/prod, gke_project_zone_name.
	ClusterForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._:/@+-]*[A-Za-z0-9])?$`)
	HostForm    = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?$`)
)

// ClusterFault says what is wrong with the name of a cluster, or nothing.
func ClusterFault(s string) string {
	if len(s) > MaxCluster || !ClusterForm.MatchString(s) {
		return fmt.Sprintf("%s is not a valid name for a cluster: use letters, digits and . _ : / @ + -, begin and end with a letter or digit, and use at most %d characters", strict.Quote(s), MaxCluster)
	}
	return ""
}

// ServerFault says what is wrong with the URL of an API server, or nothing.
func ServerFault(s string) string { return urlFault(s, "https") }

// TLSServerFault says what is wrong with the name in a certificate of an API server, or nothing.
func TLSServerFault(s string) string {
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

// ProxyFault says what is wrong with the URL of a proxy, or nothing.
func ProxyFault(s string) string {
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
	return len(s) <= 253 && HostForm.MatchString(s)
}

func validPort(u *url.URL) bool {
	if !strings.HasSuffix(u.Host, ":") && u.Port() == "" {
		return true
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port > 0
}

// ContextFault says what is wrong with the name of a context, or nothing. A kubeconfig may hold any text.
func ContextFault(s string) string {
	if strings.TrimSpace(s) == "" || len(s) > MaxCluster || !printed(s) {
		return fmt.Sprintf("%s is not a usable name of a context: use printed characters, and at most %d", strict.Quote(s), MaxCluster)
	}
	return ""
}
