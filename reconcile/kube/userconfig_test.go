package kube

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
)

// TestKubeconfigWithKey: a kubeconfig without a key and the key together are the one that Vault would hold.
func TestKubeconfigWithKey(t *testing.T) {
	without := strings.Replace(goldenKubeconfig, "    client-key-data: a2V5\n", "", 1)
	got, err := KubeconfigWithKey(reconcile.NewSecret([]byte(without)), reconcile.NewSecret([]byte("key")))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(goldenKubeconfig, string(got.Reveal())); diff != "" {
		t.Error(diff)
	}
}

// TestKubeconfigOfSomebodyElse: what certsync did not write is not changed, and not repeated.
func TestKubeconfigOfSomebodyElse(t *testing.T) {
	for name, text := range map[string]string{
		"no YAML":                 "{s3cret",
		"another kind":            "apiVersion: v1\nkind: Secret\nstringData: {key: s3cret}\n",
		"empty":                   "",
		"two users":               goldenKubeconfig + "- name: bob\n  user: {token: s3cret}\n",
		"no current context":      strings.Replace(goldenKubeconfig, "current-context: prod-eu", "", 1),
		"a context of other user": strings.Replace(goldenKubeconfig, "    user: alice@example.com@prod-eu", "    user: s3cret", 1),
	} {
		_, err := KubeconfigWithKey(reconcile.NewSecret([]byte(text)), reconcile.NewSecret([]byte("key")))
		if err == nil || !strings.Contains(err.Error(), "it is not one of certsync's") || reconcile.Hint(err) == "" {
			t.Errorf("%s: error %v, hint %q", name, err, reconcile.Hint(err))
		}
		if strings.Contains(fmt.Sprint(err, reconcile.Hint(err)), "s3cret") {
			t.Errorf("%s: %v repeats it", name, err)
		}
	}
}

// TestStoredKubeconfig: of what stands in Vault, a user gets what certsync has written, byte for byte, and nothing that would
// have kubectl run a program, send a file or trust somebody else.
func TestStoredKubeconfig(t *testing.T) {
	const key = "    client-key-data: a2V5\n"
	replaced := func(old, with string) string {
		if !strings.Contains(goldenKubeconfig, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(goldenKubeconfig, old, with, 1)
	}
	take := func(text, key string) (reconcile.Secret, error) {
		c := reconcile.Credential{Kubeconfig: reconcile.NewSecret([]byte(text)), Certificate: []byte("chain")}
		if key != "" {
			c.Key = reconcile.NewSecret([]byte(key))
		}
		return StoredKubeconfig("alice@example.com", c)
	}
	for sentence, tt := range map[string]struct{ text, key, want string }{
		"as it was written":           {goldenKubeconfig, "key", goldenKubeconfig},
		"without a key":               {replaced(key, ""), "", replaced(key, "")},
		"without CA, proxy, TLS name": {replaced("    certificate-authority-data: Q0E=\n    proxy-url: http://proxy.example.com:3128\n", ""), "key", replaced("    certificate-authority-data: Q0E=\n    proxy-url: http://proxy.example.com:3128\n", "")},
		"with what is only a comment": {"# s3cret\n" + goldenKubeconfig, "key", goldenKubeconfig},
	} {
		got, err := take(tt.text, tt.key)
		if diff := cmp.Diff(tt.want, string(got.Reveal())); diff != "" || err != nil {
			t.Errorf("%s: error %v\n%s", sentence, err, diff)
		}
	}
	for sentence, text := range map[string]string{
		"a program to run":                  replaced(key, key+"    exec: {apiVersion: client.authentication.k8s.io/v1, command: s3cret, interactiveMode: Never}\n"),
		"a program in place of the key":     replaced(key, "    exec: {apiVersion: client.authentication.k8s.io/v1, command: s3cret, interactiveMode: Never}\n"),
		"a plugin for logging in":           replaced(key, key+"    auth-provider: {name: s3cret}\n"),
		"a file to send as a token":         replaced(key, key+"    tokenFile: /home/alice/s3cret\n"),
		"a file to send as the certificate": replaced("    client-certificate-data: Y2hhaW4=\n", "    client-certificate: /home/alice/s3cret\n"),
		"somebody to act as":                replaced(key, key+"    as: s3cret\n"),
		"no check of the server":            replaced("    certificate-authority-data: Q0E=\n", "    insecure-skip-tls-verify: true\n"),
		"a CA in a file":                    replaced("    certificate-authority-data: Q0E=\n", "    certificate-authority: /tmp/s3cret\n"),
		"a server without TLS":              replaced("https://k8s", "http://s3cret"),
		"a namespace":                       replaced("    cluster: prod-eu\n", "    cluster: prod-eu\n    namespace: s3cret\n"),
		"an extension":                      goldenKubeconfig + "extensions: [{name: s3cret, extension: {}}]\n",
		"another user":                      strings.ReplaceAll(goldenKubeconfig, "alice@example.com", "s3cret"),
		"another key":                       replaced("a2V5", "czNjcmV0"),
		"another certificate":               replaced("Y2hhaW4=", "czNjcmV0"),
		"no key, though Vault has it":       replaced(key, ""),
		"nothing":                           "",
	} {
		got, err := take(text, "key")
		if err == nil || !strings.Contains(err.Error(), "it is not one of certsync's") || reconcile.Hint(err) == "" || got.Reveal() != nil {
			t.Errorf("%s: error %v, hint %q", sentence, err, reconcile.Hint(err))
		}
		if strings.Contains(fmt.Sprint(err, reconcile.Hint(err)), "s3cret") {
			t.Errorf("%s: %v repeats it", sentence, err)
		}
	}
}
