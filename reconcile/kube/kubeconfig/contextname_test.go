//go:build unix

package kubeconfig

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/apitest"
)

// of returns the kubeconfig of a user on cluster prod, with a new certificate.
func of(t *testing.T, user string) reconcile.Secret {
	t.Helper()
	chain, key := apitest.NewUser(user)
	c, err := Writer{}.Kubeconfig(reconcile.Endpoint{Name: "prod", Server: "https://k8s.example.com", CA: apitest.CA}, user, chain, reconcile.NewSecret(key))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestTwoAccounts: two users of one cluster fit into one file. The second one's context has a name of its own, which later
// merges keep.
func TestTwoAccounts(t *testing.T) {
	t.Chdir(t.TempDir())
	merge := func(name, user string) (Merged, error) {
		t.Helper()
		return Merge(t.Context(), "config", name, of(t, user))
	}
	if _, err := merge("", "alice"); err != nil {
		t.Fatal(err)
	}
	var refused reconcile.Refused
	if _, err := merge("", "alice-admin"); !errors.As(err, &refused) || len(refused.Violations) != 1 || !strings.Contains(refused.Violations[0], "give yours another name with --context-name NAME") {
		t.Errorf("under the same name: %v", err)
	}
	for _, name := range []string{"admin", "", ""} {
		done, err := merge(name, "alice-admin")
		if err != nil || done.Context != "admin" || done.Current || !done.Changed {
			t.Errorf("under the name %q: %+v, %v", name, done, err)
		}
	}
	if done, err := merge("", "alice"); err != nil || done.Context != "prod" {
		t.Errorf("the first account is merged into %+v, %v", done, err)
	}
	config := apitest.Must(clientcmd.LoadFromFile("config"))
	got := map[string]string{}
	for name, c := range config.Contexts {
		got[name] = c.AuthInfo + " on " + c.Cluster
	}
	if diff := cmp.Diff(map[string]string{"prod": "alice@prod on prod", "admin": "alice-admin@prod on prod"}, got); diff != "" || len(config.Clusters) != 1 || len(config.AuthInfos) != 2 {
		t.Errorf("%d clusters, %d users, contexts %s", len(config.Clusters), len(config.AuthInfos), diff)
	}
}

// TestContextNames: which of a user's contexts a merge without a name means.
func TestContextNames(t *testing.T) {
	for sentence, tt := range map[string]struct {
		contexts, current, name, want string
	}{
		"none is there":                   {"", "", "", "prod"},
		"none is there, and it is named":  {"", "", "mine", "mine"},
		"it was renamed":                  {"mine", "", "", "mine"},
		"it is to be named anew":          {"mine", "", "other", "other"},
		"it is to have the usual name":    {"mine", "", "prod", "prod"},
		"the usual one is there":          {"a prod z", "a", "", "prod"},
		"several, and one is the current": {"a b c", "b", "", "b"},
		"several":                         {"c b", "x", "", "b"},
	} {
		ours := parsed(t, string(of(t, "alice").Reveal()))
		f := userFiles{whole: clientcmdapi.NewConfig()}
		f.whole.CurrentContext = tt.current
		f.whole.Contexts["x"] = &clientcmdapi.Context{Cluster: "prod", AuthInfo: "bob@prod"}
		f.whole.Contexts["y"] = &clientcmdapi.Context{Cluster: "other", AuthInfo: "alice@prod"}
		for _, name := range strings.Fields(tt.contexts) {
			f.whole.Contexts[name] = &clientcmdapi.Context{Cluster: "prod", AuthInfo: "alice@prod", Namespace: name}
		}
		got := f.named(ours, tt.name)
		if got.CurrentContext != tt.want || len(got.Contexts) != 1 || got.Contexts[tt.want] == nil || ours.CurrentContext != "prod" || ours.Contexts["prod"] == nil {
			t.Errorf("%s: %q, want %q", sentence, got.CurrentContext, tt.want)
		}
	}
}

// TestWithContext: only the context's name changes.
func TestWithContext(t *testing.T) {
	got, err := WithContext(reconcile.NewSecret([]byte(goldenKubeconfig)), "mine")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer("  name: prod-eu\ncurrent-context: prod-eu", "  name: mine\ncurrent-context: mine").Replace(goldenKubeconfig)
	if diff := cmp.Diff(want, string(got.Reveal())); diff != "" || want == goldenKubeconfig {
		t.Error(diff)
	}
	if _, err := WithContext(reconcile.NewSecret([]byte("s3cret")), "mine"); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Error(err)
	}
}
