package inventory

import "testing"

func TestParseRefusesClusters(t *testing.T) { refused(t, clusterRefusals) }

var clusterRefusals = map[string]refusal{
	"an empty name":              {header + "cluster: {name: ''}\nusers: []", `users.yaml:4:17: cluster.name: "" is not a valid name for a cluster: use letters, digits and . _ : / @ + -, begin and end with a letter or digit, and use at most 253 characters`},
	"a name with an escape":      {header + `cluster: {name: "a\eb"}` + "\nusers: []", `users.yaml:4:17: cluster.name: "a\x1bb" is not a valid name for a cluster: use letters, digits and . _ : / @ + -, begin and end with a letter or digit, and use at most 253 characters`},
	"a server without a scheme":  {header + "cluster: {server: 'k8s.example.com:6443'}\nusers: []", `users.yaml:4:19: cluster.server: is not a URL that begins with https://`},
	"a server in plain HTTP":     {header + "cluster: {server: 'http://k8s.example.com'}\nusers: []", `users.yaml:4:19: cluster.server: is not a URL that begins with https://`},
	"a server without a host":    {header + "cluster: {server: 'https://:6443'}\nusers: []", `users.yaml:4:19: cluster.server: has no host`},
	"a server with a password":   {header + "cluster: {server: 'https://joe:hunter2@k8s.example.com'}\nusers: []", `users.yaml:4:19: cluster.server: contains a user name or a password, which do not belong in an inventory`},
	"a server with a query":      {header + "cluster: {server: 'https://k8s.example.com?a=b'}\nusers: []", `users.yaml:4:19: cluster.server: has a query or a fragment`},
	"a server with a fragment":   {header + "cluster: {server: 'https://k8s.example.com#'}\nusers: []", `users.yaml:4:19: cluster.server: has a query or a fragment`},
	"a server's port too high":   {header + "cluster: {server: 'https://k8s.example.com:65536'}\nusers: []", `users.yaml:4:19: cluster.server: has a port outside 1 to 65535`},
	"a server's port empty":      {header + "cluster: {server: 'https://k8s.example.com:'}\nusers: []", `users.yaml:4:19: cluster.server: has a port outside 1 to 65535`},
	"a server that is no URL":    {header + "cluster: {server: 'https://joe:hunter2@[::1'}\nusers: []", `users.yaml:4:19: cluster.server: is not a URL`},
	"a server with a blank":      {header + "cluster: {server: 'https://k8s.example.com/a b'}\nusers: []", `users.yaml:4:19: cluster.server: is not a URL`},
	"a proxy with a password":    {header + "cluster: {proxyURL: 'http://joe:hunter2@proxy:3128'}\nusers: []", `users.yaml:4:21: cluster.proxyURL: contains a user name or a password, which do not belong in an inventory`},
	"a proxy of another kind":    {header + "cluster: {proxyURL: 'ftp://proxy'}\nusers: []", `users.yaml:4:21: cluster.proxyURL: is not a URL that begins with http://, https://, socks5://`},
	"a proxy with a path":        {header + "cluster: {proxyURL: 'http://proxy/x'}\nusers: []", `users.yaml:4:21: cluster.proxyURL: has a path, which a proxy does not have`},
	"a TLS name that is none":    {header + "cluster: {tlsServerName: 'https://x'}\nusers: []", `users.yaml:4:26: cluster.tlsServerName: "https://x" is neither a host name nor an IP address`},
	"an unknown field":           {header + "cluster: {certificate-authority: ca.crt}\nusers: []", `users.yaml:4:11: cluster.certificate-authority: unknown field (did you mean "certificateAuthority"?)`},
	"a CA without a folder":      {header + "cluster: {certificateAuthority: ca.crt}\nusers: []", `users.yaml:4:33: cluster.certificateAuthority: file "ca.crt" cannot be read: there is no folder to read it from`},
	"a CA without a name":        {header + "cluster: {certificateAuthority: ''}\nusers: []", `users.yaml:4:33: cluster.certificateAuthority: is empty`},
	"a CA in the file's place":   {header + "cluster: {certificateAuthority: '-----BEGIN CERTIFICATE----- MIIB'}\nusers: []", `users.yaml:4:33: cluster.certificateAuthority: is PEM, but must be the name of a file: put the PEM into a file, or into certificateAuthorityData as base64`},
	"CA data that is not base64": {header + "cluster: {certificateAuthorityData: '***'}\nusers: []", `users.yaml:4:37: cluster.certificateAuthorityData: is not base64`},
	"CA data that is PEM":        {header + "cluster: {certificateAuthorityData: '-----BEGIN CERTIFICATE----- MIIB'}\nusers: []", `users.yaml:4:37: cluster.certificateAuthorityData: is PEM, but must be base64: put the PEM into a file, and name the file in certificateAuthority`},
	"CA data that is not PEM":    {header + "cluster: {certificateAuthorityData: aGVsbG8=}\nusers: []", `users.yaml:4:37: cluster.certificateAuthorityData: holds something other than PEM certificates`},
	"CA data that is empty":      {header + "cluster: {certificateAuthorityData: ''}\nusers: []", `users.yaml:4:37: cluster.certificateAuthorityData: holds something other than PEM certificates`},
	"a CA twice":                 {header + "cluster: {certificateAuthority: ca.crt, certificateAuthorityData: aGVsbG8=}\nusers: []", `users.yaml:4:67: cluster.certificateAuthorityData: certificateAuthority is given too: keep one of the two`},
}
