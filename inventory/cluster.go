package inventory

import (
	"github.com/certsync/certsync/inventory/shape"
	"github.com/certsync/certsync/inventory/strict"
	"github.com/certsync/certsync/inventory/texts"
)

func (r *run) cluster(v strict.Value) Cluster {
	fields, _ := v.Fields(shape.ClusterKeys...)
	return r.clusterOf(fields)
}

// clusterOf returns what the fields of a cluster say.
func (r *run) clusterOf(fields map[string]strict.Value) Cluster {
	var c Cluster
	if field, ok := fields["name"]; ok {
		c.Name = field.Checked(texts.ClusterFault)
	}
	if field, ok := fields["server"]; ok {
		c.Server = field.Checked(texts.ServerFault)
	}
	if field, ok := fields["proxyURL"]; ok {
		c.ProxyURL = field.Checked(texts.ProxyFault)
	}
	if field, ok := fields["tlsServerName"]; ok {
		c.TLSServerName = field.Checked(texts.TLSServerFault)
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
		{"name", c.Name, texts.ClusterFault},
		{"server", c.Server, texts.ServerFault},
		{"proxyURL", c.ProxyURL, texts.ProxyFault},
		{"tlsServerName", c.TLSServerName, texts.TLSServerFault},
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
