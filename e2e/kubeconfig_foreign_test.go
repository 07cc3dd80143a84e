package e2e

import (
	"crypto/x509/pkix"
	"encoding/base64"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// visited is bob's machine, and an intruder who may write what stands in Vault for bob, and nothing else.
type visited struct {
	*intruder
	bob     *userMachine
	config  string         // bob's kubeconfig, whose context admin uses the cluster's entry with a token
	genuine map[string]any // what certsync has stored for bob
}

func newVisited(t *testing.T) *visited {
	t.Helper()
	f := newFixture(t, shared)
	f.write("cluster: CLUSTER\nusers: [{name: bob@OWNER}, {name: alice@OWNER}]")
	f.must(0, "apply", "--yes")
	v := &visited{intruder: newIntruder(f, "users")}
	v.bob = f.reader("bob", f.policy("bob", `path "secret/data/certsync/OWNER/users/bob@OWNER" { capabilities = ["read"] }`))
	v.genuine = f.kv("users/bob@" + f.owner)
	f.kubectl("create", "serviceaccount", "admin-"+f.owner, "-n", "default")
	token := f.secret("the token of an administrator", strings.TrimSpace(f.kubectl("create", "token", "admin-"+f.owner, "-n", "default")))
	config := v.parse(v.genuine["kubeconfig"].(string))
	config.Contexts = map[string]*clientcmdapi.Context{"admin": {Cluster: "e2e", AuthInfo: "admin"}}
	config.AuthInfos = map[string]*clientcmdapi.AuthInfo{"admin": {Token: token}}
	config.CurrentContext = "admin"
	v.config = v.bob.file(".kube/config", v.text(config))
	return v
}

func (v *visited) parse(text string) *clientcmdapi.Config {
	v.Helper()
	config, err := clientcmd.Load([]byte(text))
	if err != nil {
		v.Fatal(err)
	}
	return config
}

func (v *visited) text(config *clientcmdapi.Config) string {
	v.Helper()
	text, err := clientcmd.Write(*config)
	if err != nil {
		v.Fatal(err)
	}
	return string(text)
}

// plant stores what certsync has stored for bob, with a change in the kubeconfig.
func (v *visited) plant(change func(config *clientcmdapi.Config, cluster *clientcmdapi.Cluster)) {
	v.Helper()
	config := v.parse(v.genuine["kubeconfig"].(string))
	change(config, config.Clusters["e2e"])
	data := maps.Clone(v.genuine)
	data["kubeconfig"] = v.text(config)
	v.put("users", data)
}

// TestKubeconfigLeadsNobodyAway: whatever an intruder stores for bob, a merge leads no other context of bob's elsewhere; the
// administrator's token goes to the cluster as before. In a file of its own it does no harm, and what certsync has stored is
// merged.
func TestKubeconfigLeadsNobodyAway(t *testing.T) {
	t.Parallel()
	v := newVisited(t)
	o := v.owner
	before := v.bob.text(v.config)
	const proxy = "http://proxy.intruder.example.com:3128"
	ca := []byte(selfSigned(v.fixture, pkix.Name{CommonName: "intruder"}))
	for sentence, tt := range map[string]struct {
		change func(*clientcmdapi.Config, *clientcmdapi.Cluster)
		want   string
	}{
		"a CA and a proxy of the intruder's": {func(_ *clientcmdapi.Config, c *clientcmdapi.Cluster) {
			c.CertificateAuthorityData, c.ProxyURL = ca, proxy
		}, `cluster "e2e" in ` + v.config + " is another one"},
		"a CA": {func(_ *clientcmdapi.Config, c *clientcmdapi.Cluster) { c.CertificateAuthorityData = ca }, "another certificate authority"},
		"a second CA": {func(_ *clientcmdapi.Config, c *clientcmdapi.Cluster) {
			c.CertificateAuthorityData = slices.Concat(ca, c.CertificateAuthorityData)
		}, "another certificate authority"},
		"a proxy":    {func(_ *clientcmdapi.Config, c *clientcmdapi.Cluster) { c.ProxyURL = proxy }, `proxy-url: "" becomes "` + proxy + `"`},
		"a server":   {func(_ *clientcmdapi.Config, c *clientcmdapi.Cluster) { c.Server = "https://intruder.example.com" }, `becomes "https://intruder.example.com"`},
		"a TLS name": {func(_ *clientcmdapi.Config, c *clientcmdapi.Cluster) { c.TLSServerName = "intruder" }, `tls-server-name: "" becomes "intruder"`},
	} {
		v.plant(tt.change)
		r := v.bob.must(3, "kubeconfig", "--user=bob@"+o, "--merge")
		if !strings.Contains(r.stderr, tt.want) || !strings.Contains(r.stderr, "--kubeconfig FILE") || r.stdout != "" || v.bob.text(v.config) != before {
			t.Errorf("%s: %s%s", sentence, r.stdout, r.stderr)
		}
		v.bob.must(3, "kubeconfig", "--user=bob@"+o, "--merge", "--exec")
		if who := v.whoami(v.config, "admin"); !strings.HasPrefix(who, "system:serviceaccount:default:admin-"+o+" ") {
			t.Errorf("%s: the administrator is %s", sentence, who)
		}
	}
	v.plant(func(_ *clientcmdapi.Config, c *clientcmdapi.Cluster) { c.CertificateAuthorityData = ca })
	aside := filepath.Join(v.bob.home, "aside")
	v.bob.must(0, "kubeconfig", "--user=bob@"+o, "--merge", "--kubeconfig="+aside)
	if v.bob.text(v.config) != before {
		t.Error("the other file has changed, too")
	}
	v.put("users", v.genuine)
	v.bob.must(0, "kubeconfig", "--user=bob@"+o, "--merge")
	for context, want := range map[string]string{"admin": "system:serviceaccount:default:admin-" + o, "e2e": "bob@" + o} {
		if who := v.whoami(v.config, context); !strings.HasPrefix(who, want+" ") {
			t.Errorf("in %s it is %s", context, who)
		}
	}
	// In a file of its own the entry is bob's alone, follows the cluster, and stderr says in what.
	r := v.bob.must(0, "kubeconfig", "--user=bob@"+o, "--merge", "--kubeconfig="+aside)
	if !strings.Contains(r.stderr, `cluster "e2e" has changed in your kubeconfig: `) || !strings.Contains(r.stderr, aside+".certsync.bak") {
		t.Errorf("%s%s", r.stdout, r.stderr)
	}
	if who := v.whoami(aside, "e2e"); !strings.HasPrefix(who, "bob@"+o+" ") {
		t.Errorf("in the other file it is %s", who)
	}
}

// TestKubeconfigOfAnIntruder: what certsync would not have stored for bob is neither printed nor merged, and does nothing to
// bob's terminal. The credential plugin refuses it, too, if it is in the certificate or the key.
func TestKubeconfigOfAnIntruder(t *testing.T) {
	t.Parallel()
	v := newVisited(t)
	o := v.owner
	before := v.bob.text(v.config)
	alices := v.kv("users/alice@" + o)
	renamed := func(name string) func() {
		return func() {
			v.plant(func(config *clientcmdapi.Config, c *clientcmdapi.Cluster) {
				user := config.AuthInfos["bob@"+o+"@e2e"]
				config.Clusters = map[string]*clientcmdapi.Cluster{name: c}
				config.AuthInfos = map[string]*clientcmdapi.AuthInfo{"bob@" + o + "@" + name: user}
				config.Contexts = map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: "bob@" + o + "@" + name}}
				config.CurrentContext = name
			})
		}
	}
	forged := func(field string, value any) func() {
		return func() {
			data := maps.Clone(v.genuine)
			was, is := data[field].(string), value.(string)
			data["kubeconfig"] = strings.ReplaceAll(data["kubeconfig"].(string), base64.StdEncoding.EncodeToString([]byte(was)), base64.StdEncoding.EncodeToString([]byte(is)))
			data[field] = is
			v.put("users", data)
		}
	}
	user := func(change func(*clientcmdapi.AuthInfo)) func() {
		return func() {
			v.plant(func(config *clientcmdapi.Config, _ *clientcmdapi.Cluster) { change(config.AuthInfos["bob@"+o+"@e2e"]) })
		}
	}
	cluster := func(change func(*clientcmdapi.Cluster)) func() {
		return func() { v.plant(func(_ *clientcmdapi.Config, c *clientcmdapi.Cluster) { change(c) }) }
	}
	for sentence, tt := range map[string]struct {
		plant  func()
		plugin bool // refuses it, too
		want   string
	}{
		"alice's credential": {func() {
			data := maps.Clone(alices)
			data["kubeconfig"] = strings.ReplaceAll(data["kubeconfig"].(string), "alice@", "bob@")
			v.put("users", data)
		}, true, `its certificate is for "alice@` + o + `"`},
		"alice's key":           {forged("tls.key", alices["tls.key"]), true, "its key is not that of its certificate"},
		"a certificate of a CA": {forged("tls.crt", selfSigned(v.fixture, pkix.Name{CommonName: "bob@" + o})), true, "it is not for client authentication"},
		"a certificate for somebody with an escape sequence": {forged("tls.crt", selfSigned(v.fixture, pkix.Name{CommonName: "\x1b[2J"})), true, `its certificate is for "\x1b[2J"`},
		"an escape sequence before the certificate":          {forged("tls.crt", "\u009b2J"+v.genuine["tls.crt"].(string)), true, "holds control characters"},
		"a server with a password":                           {cluster(func(c *clientcmdapi.Cluster) { c.Server = "https://u:p@" + strings.TrimPrefix(c.Server, "https://") }), false, "server: contains a user name or a password"},
		"a server without TLS":                               {cluster(func(c *clientcmdapi.Cluster) { c.Server = "http://" + strings.TrimPrefix(c.Server, "https://") }), false, "server: is not a URL that begins with https://"},
		"a server that is not checked":                       {cluster(func(c *clientcmdapi.Cluster) { c.InsecureSkipTLSVerify, c.CertificateAuthorityData = true, nil }), false, "certsync did not write it"},
		"a proxy with a password":                            {cluster(func(c *clientcmdapi.Cluster) { c.ProxyURL = "http://u:p@proxy" }), false, "proxyURL: contains a user name or a password"},
		"a TLS name with an escape sequence":                 {cluster(func(c *clientcmdapi.Cluster) { c.TLSServerName = "k\x1b[2J" }), false, `tlsServerName: "k\x1b[2J" is neither`},
		"a context with an escape sequence":                  {renamed("e2e\x1b[2J"), false, `name: "e2e\x1b[2J" is not a valid name for a cluster`},
		"a context with a line of its own":                   {renamed("e2e\ncertsync: done"), false, `name: "e2e\ncertsync: done" is not a valid name for a cluster`},
		"a context for a shell":                              {renamed("$(reboot)"), false, `name: "$(reboot)" is not a valid name for a cluster`},
		"a program": {user(func(u *clientcmdapi.AuthInfo) {
			u.Exec = &clientcmdapi.ExecConfig{APIVersion: "client.authentication.k8s.io/v1", Command: "/bin/false", InteractiveMode: "Never"}
		}), false, "certsync did not write it"},
		"a file to send": {user(func(u *clientcmdapi.AuthInfo) { u.TokenFile = v.config }), false, "certsync did not write it"},
		"somebody to be": {user(func(u *clientcmdapi.AuthInfo) { u.Impersonate = "admin" }), false, "certsync did not write it"},
	} {
		tt.plant()
		commands := [][]string{{"kubeconfig"}, {"kubeconfig", "--exec"}, {"kubeconfig", "--merge"}}
		if tt.plugin {
			commands = append(commands, []string{"credential"})
		}
		for _, args := range commands {
			r := v.bob.must(1, append(args, "--user=bob@"+o)...)
			quiet := strings.IndexFunc(r.stderr, func(c rune) bool { return c != '\n' && !unicode.IsPrint(c) }) < 0
			if !strings.Contains(r.stderr, tt.want) || !strings.Contains(r.stderr, "\nhint: tell your certsync administrator") || !quiet || strings.Count(r.stderr, "\n") != 2 || r.stdout != "" {
				t.Errorf("%s: %q: %q %q", sentence, args, r.stdout, r.stderr)
			}
		}
	}
	if _, err := os.Stat(v.config + ".certsync.bak"); err == nil || v.bob.text(v.config) != before {
		t.Error("bob's kubeconfig has changed")
	}
	if left, err := filepath.Glob(filepath.Join(v.bob.home, ".cache", "certsync", "*")); len(left) > 0 || err != nil {
		t.Errorf("kept: %q, %v", left, err)
	}
}
