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
