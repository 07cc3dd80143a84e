package kubeconfig

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/apitest"
)

// TestWithKey: a kubeconfig without a key and the key together are the kubeconfig that Vault would hold.
func TestWithKey(t *testing.T) {
	without := strings.Replace(goldenKubeconfig, "    client-key-data: a2V5\n", "", 1)
	got, err := WithKey(reconcile.NewSecret([]byte(without)), reconcile.NewSecret([]byte("key")))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(goldenKubeconfig, string(got.Reveal())); diff != "" {
		t.Error(diff)
	}
}

// TestKubeconfigOfSomebodyElse: a text that certsync did not write is not changed, and no error repeats it.
func TestKubeconfigOfSomebodyElse(t *testing.T) {
	for name, text := range map[string]string{
		"no YAML":                 "{s3cret",
		"another kind":            "apiVersion: v1\nkind: Secret\nstringData: {key: s3cret}\n",
		"empty":                   "",
		"two users":               goldenKubeconfig + "- name: bob\n  user: {token: s3cret}\n",
		"no current context":      strings.Replace(goldenKubeconfig, "current-context: prod-eu", "", 1),
		"a context of other user": strings.Replace(goldenKubeconfig, "    user: alice@example.com@prod-eu", "    user: s3cret", 1),
	} {
		_, err := WithKey(reconcile.NewSecret([]byte(text)), reconcile.NewSecret([]byte("key")))
		if err == nil || !strings.Contains(err.Error(), "certsync did not write it") || reconcile.Hint(err) == "" {
			t.Errorf("%s: error %v, hint %q", name, err, reconcile.Hint(err))
		}
		if strings.Contains(fmt.Sprint(err, reconcile.Hint(err)), "s3cret") {
			t.Errorf("%s: %v repeats it", name, err)
		}
	}
}

// aliceStored is a credential of alice's as certsync stores it, and its kubeconfig's text. changed makes another text of it.
func aliceStored(t *testing.T, changed func(kubeconfig string) string) (reconcile.Credential, string) {
	t.Helper()
	chain, key := apitest.NewUser("alice@example.com")
	text := strings.NewReplacer("Y2hhaW4=", base64.StdEncoding.EncodeToString(chain), "a2V5", base64.StdEncoding.EncodeToString(key)).Replace(goldenKubeconfig)
	if changed != nil {
		was := text
		if text = changed(text); text == was {
			t.Fatal("nothing has changed")
		}
	}
	return reconcile.Credential{Kubeconfig: reconcile.NewSecret([]byte(text)), Certificate: chain, Key: reconcile.NewSecret(key)}, text
}

// replacing returns a function that replaces a part of a text everywhere, which must be there.
func replacing(old, with string) func(string) string {
	return func(text string) string { return strings.ReplaceAll(text, old, with) }
}

var keyLine = regexp.MustCompile("    client-key-data: .*\n")

// TestStored: a user gets the kubeconfig that certsync wrote, byte for byte.
func TestStored(t *testing.T) {
	const ways = "    certificate-authority-data: Q0E=\n    proxy-url: http://proxy.example.com:3128\n"
	for sentence, changed := range map[string]func(string) string{
		"as it was written":                  nil,
		"without a key":                      func(text string) string { return keyLine.ReplaceAllString(text, "") },
		"without CA and proxy":               replacing(ways, ""),
		"a server behind a path":             replacing("https://k8s.example.com:6443", "https://rancher.example.com/k8s/clusters/c-1"),
		"a server with an address of IPv6":   replacing("https://k8s.example.com:6443", "https://[fd00::1]:6443"),
		"a cluster named as clouds name one": replacing("prod-eu", "arn:aws:eks:eu-west-1:1234:cluster/prod"),
	} {
		t.Run(sentence, func(t *testing.T) {
			c, text := aliceStored(t, changed)
			if !keyLine.MatchString(text) {
				c.Key = reconcile.Secret{}
			}
			got, err := Stored("alice@example.com", c)
			if diff := cmp.Diff(text, string(got.Reveal())); diff != "" || err != nil {
				t.Errorf("error %v\n%s", err, diff)
			}
			c.Kubeconfig = reconcile.NewSecret([]byte("# s3cret\n" + text))
			if got, err := Stored("alice@example.com", c); err != nil || string(got.Reveal()) != text {
				t.Errorf("with a comment: error %v\n%s", err, got.Reveal())
			}
		})
	}
}

// TestForeignKubeconfig: nothing is taken that would have kubectl run a program, send a file, act as somebody else or trust
// anybody.
func TestForeignKubeconfig(t *testing.T) {
	const ca, user = "    certificate-authority-data: Q0E=\n", "  user:\n    client"
	more := func(line string) func(string) string { return replacing(user, "  user:\n    "+line+"\n    client") }
	for sentence, changed := range map[string]func(string) string{
		"a program to run":                   more("exec: {apiVersion: client.authentication.k8s.io/v1, command: s3cret, interactiveMode: Never}"),
		"a plugin for logging in":            more("auth-provider: {name: s3cret}"),
		"a file to send as a token":          more("tokenFile: /home/alice/s3cret"),
		"a token":                            more("token: s3cret"),
		"a name and a password":              more("{username: s3cret, password: s3cret}"),
		"a file to send as the key":          more("client-key: /home/alice/s3cret"),
		"somebody to act as":                 more("as: s3cret"),
		"groups to act as":                   more("as-groups: [s3cret]"),
		"no check of the server":             replacing(ca, "    insecure-skip-tls-verify: true\n"),
		"a CA in a file":                     replacing(ca, "    certificate-authority: /tmp/s3cret\n"),
		"a namespace":                        replacing("    cluster: prod-eu\n", "    cluster: prod-eu\n    namespace: s3cret\n"),
		"an extension":                       func(text string) string { return text + "extensions: [{name: s3cret, extension: {}}]\n" },
		"a second user":                      func(text string) string { return text + "- name: s3cret\n  user: {}\n" },
		"a second context":                   replacing("contexts:\n", "contexts:\n- {name: s3cret, context: {cluster: prod-eu, user: x}}\n"),
		"an alias that is more than it":      replacing(ca, ca+"    extensions: &x [{name: s3cret, extension: {}}]\n"),
		"another user's name":                replacing("alice@example.com", "s3cret"),
		"another key than beside it":         replacing("client-key-data: ", "client-key-data: czNjcmV0"),
		"another certificate than beside it": replacing("client-certificate-data: ", "client-certificate-data: czNjcmV0"),
		"no key, although Vault has it":      func(text string) string { return keyLine.ReplaceAllString(text, "") },
		"text in another encoding":           replacing("prod-eu", "prod\xff"),
		"nothing":                            func(string) string { return "" },
		"more than anybody has":              func(text string) string { return text + strings.Repeat("# s3cret\n", 120_000) },
	} {
		t.Run(sentence, func(t *testing.T) {
			c, _ := aliceStored(t, changed)
			checkNotOurs(t, c)
		})
	}
}

// checkNotOurs checks that a stored kubeconfig is refused, by words that repeat no secret of it and do nothing to a terminal.
func checkNotOurs(t *testing.T, c reconcile.Credential) {
	t.Helper()
	got, err := Stored("alice@example.com", c)
	if err == nil || !strings.Contains(err.Error(), "certsync did not write it") || reconcile.Hint(err) == "" || got.Reveal() != nil {
		t.Fatalf("error %v, hint %q", err, reconcile.Hint(err))
	}
	said := err.Error() + reconcile.Hint(err)
	if i := strings.IndexFunc(said, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 || len(said) > 500 || strings.Contains(said, "s3cret") {
		t.Errorf("%d bytes, unprintable at %d: %q", len(said), i, said)
	}
}

// TestEndpointOfSomebodyElse: a kubeconfig in certsync's form is refused if no inventory could have its address. It is also
// refused if its name has an effect on a terminal, a shell or a prompt.
func TestEndpointOfSomebodyElse(t *testing.T) {
	server := func(s string) reconcile.Endpoint { return reconcile.Endpoint{Name: "prod-eu", Server: s} }
	proxy := func(s string) reconcile.Endpoint { e := server("https://k8s.example.com"); e.ProxyURL = s; return e }
	tls := func(s string) reconcile.Endpoint {
		e := server("https://k8s.example.com")
		e.TLSServerName = s
		return e
	}
	context := func(s string) reconcile.Endpoint { e := server("https://k8s.example.com"); e.Name = s; return e }
	for sentence, e := range map[string]reconcile.Endpoint{
		"a server without TLS":                 server("http://s3cret"),
		"a server with a password":             server("https://joe:s3cret@k8s.example.com"),
		"a server with a name":                 server("https://s3cret@k8s.example.com"),
		"a server with a query":                server("https://k8s.example.com/?s3cret"),
		"a server with a fragment":             server("https://k8s.example.com/#s3cret"),
		"a server with an escape sequence":     server("https://k8s.example.com/\x1b[2Js3cret"),
		"a server without a host":              server("https:///s3cret"),
		"a server at a port that is none":      server("https://s3cret:99999"),
		"a proxy with a password":              proxy("http://joe:s3cret@proxy.example.com"),
		"a proxy with a path":                  proxy("http://proxy.example.com/s3cret"),
		"a TLS name with an escape sequence":   tls("kubernetes\x1b]0;hey\a"),
		"a TLS name that is none":              tls("kubernetes/x"),
		"a TLS name of too many letters":       tls(strings.Repeat("x", 254)),
		"a context with an escape sequence":    context("prod\x1b[2J"),
		"a context with a line of its own":     context("prod\ncertsync: done"),
		"a context that turns the text around": context("prod\u202e"),
		"a context that a shell would run":     context("x;reboot"),
		"a context that a prompt would run":    context("$(reboot)"),
		"a context that is a flag":             context("--kubeconfig=x"),
		"a context with a blank":               context("prod eu"),
		"a context of too many letters":        context(strings.Repeat("x", 254)),
		"a context of letters that look alike": context("prоd-eu"),
	} {
		t.Run(sentence, func(t *testing.T) {
			chain, key := apitest.NewUser("alice@example.com")
			c := reconcile.Credential{Certificate: chain, Key: reconcile.NewSecret(key)}
			var err error
			if c.Kubeconfig, err = (Writer{}).Kubeconfig(e, "alice@example.com", chain, c.Key); err != nil {
				t.Fatal(err)
			}
			checkNotOurs(t, c)
		})
	}
}

// TestKubeconfigOfAnotherCredential: a kubeconfig as certsync writes it is refused if the certificate and the key in it are not
// what certsync stores for this user.
func TestKubeconfigOfAnotherCredential(t *testing.T) {
	chain, key := apitest.NewUser("alice@example.com")
	bobs, bobsKey := apitest.NewUser("bob\x1b[2J")
	for sentence, tt := range map[string]struct {
		chain, key []byte
		want       string
	}{
		"another user's certificate": {bobs, bobsKey, `its certificate is for "bob\x1b[2J"`},
		"another key":                {chain, bobsKey, "its key is not that of its certificate"},
		"no certificate":             {[]byte("chain"), key, "it holds no PEM certificate"},
	} {
		c := reconcile.Credential{Certificate: tt.chain, Key: reconcile.NewSecret(tt.key)}
		var err error
		c.Kubeconfig, err = Writer{}.Kubeconfig(reconcile.Endpoint{Name: "prod-eu", Server: "https://k8s.example.com"}, "alice@example.com", c.Certificate, c.Key)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Stored("alice@example.com", c)
		if err == nil || !strings.Contains(err.Error(), `reading the credential of "alice@example.com": `+tt.want) || reconcile.Hint(err) == "" || got.Reveal() != nil {
			t.Errorf("%s: error %v, hint %q", sentence, err, reconcile.Hint(err))
		}
	}
}
