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

func parsed(t *testing.T, text string) *clientcmdapi.Config {
	t.Helper()
	config, err := parseUserConfig(reconcile.NewSecret([]byte(text)))
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// others is a kubeconfig with many features that users' kubeconfigs have.
const others = `# mine
apiVersion: v1
kind: Config
current-context: kind # by kind
preferences: {}
x-somebody: {of: theirs}
clusters:
- name: kind
  cluster:
    server: https://127.0.0.1:40123
    certificate-authority: kind.crt # relative
    unknown-field: [1, 2]
contexts:
- name: kind
  context: {cluster: kind, user: kind, namespace: dev}
users:
- name: kind
  user:
    token: "1234"
    exec: # never both, but that is theirs to know
      apiVersion: client.authentication.k8s.io/v1
      command: kind-login
      interactiveMode: Never
`

// TestMergeText: a merge adds entries to a kubeconfig, or replaces the entries of the same names. It leaves every other word.
func TestMergeText(t *testing.T) {
	everything := share{cluster: true, user: true, context: true}
	first := everything
	first.current = true
	const cluster = `- cluster:
    certificate-authority-data: Q0E=
    proxy-url: http://proxy.example.com:3128
    server: https://k8s.example.com:6443
    tls-server-name: kubernetes
  name: prod-eu
`
	const context = `- context:
    cluster: prod-eu
    user: alice@example.com@prod-eu
  name: prod-eu
`
	const user = `- name: alice@example.com@prod-eu
  user:
    client-certificate-data: Y2hhaW4=
    client-key-data: a2V5
`
	cut := func(text, from string) (string, string) {
		i := strings.Index(text, from)
		return text[:i], text[i:]
	}
	upToContexts, fromContexts := cut(others, "contexts:\n")
	contexts, users := cut(fromContexts, "users:\n")
	for sentence, tt := range map[string]struct {
		old, want string
		share     share
	}{
		"nothing is there": {"", "apiVersion: v1\nkind: Config\nclusters:\n" + cluster + "users:\n" + user +
			"contexts:\n" + context + "current-context: prod-eu\n", first},
		"other entries": {others, upToContexts + cluster + contexts + context + users + user, everything},
		"empty lists as kubectl writes them": {
			"apiVersion: v1\nclusters: null\ncontexts: null\ncurrent-context: \"\"\nkind: Config\nusers: []\n",
			"apiVersion: v1\nclusters:\n" + cluster + "contexts:\n" + context +
				"current-context: prod-eu\nkind: Config\nusers:\n" + user, first},
		"an older certificate, and the user's own namespace and extensions": {
			"kind: Config\napiVersion: v1\nclusters:\n- name: prod-eu\n  cluster:\n    server: https://old.example.com # once\n    certificate-authority: old.crt\n    insecure-skip-tls-verify: true\n    disable-compression: true\n" +
				"contexts:\n- name: prod-eu # mine\n  context:\n    user: alice@example.com@prod-eu\n    namespace: payments\n    cluster: prod-eu\n" +
				"users:\n- name: alice@example.com@prod-eu\n  user:\n    exec: {apiVersion: client.authentication.k8s.io/v1, command: certsync, args: [credential]}\n    token: x\n    extensions: [{name: tool, extension: {a: 1}}]\n",
			"kind: Config\napiVersion: v1\nclusters:\n- name: prod-eu\n  cluster:\n    server: https://k8s.example.com:6443 # once\n    disable-compression: true\n    certificate-authority-data: Q0E=\n    proxy-url: http://proxy.example.com:3128\n    tls-server-name: kubernetes\n" +
				"contexts:\n- name: prod-eu # mine\n  context:\n    user: alice@example.com@prod-eu\n    namespace: payments\n    cluster: prod-eu\n" +
				"users:\n- name: alice@example.com@prod-eu\n  user:\n    extensions: [{name: tool, extension: {a: 1}}]\n    client-certificate-data: Y2hhaW4=\n    client-key-data: a2V5\n", everything},
		"everything is there already": {goldenKubeconfig + "# and a comment\n", goldenKubeconfig + "# and a comment\n", first},
		"nothing but comments":        {"# mine\n\n  # and yours", "# mine\n\n# and yours\napiVersion: v1\nkind: Config\nusers:\n" + user, share{user: true}},
		"nothing but a document mark": {"---\n", "apiVersion: v1\nkind: Config\nusers:\n" + user, share{user: true}},
		"comments around such a mark": {"# mine\n--- # and yours\n# and theirs\n", "# mine\n# and yours\n# and theirs\napiVersion: v1\nkind: Config\nusers:\n" + user, share{user: true}},
		"null":                        {"null\n", "apiVersion: v1\nkind: Config\nusers:\n" + user, share{user: true}},
		"only the user belongs here":  {"users: []\n", "users:\n" + user, share{user: true}},
		"JSON": {`{"kind": "Config", "apiVersion": "v1", "users": [{"name": "bob", "user": {"token": "1"}}]}`,
			`"kind": "Config"` + "\n" + `"apiVersion": "v1"` + "\n" + `"users": [{"name": "bob", "user": {"token": "1"}}, {name: alice@example.com@prod-eu, user: {client-certificate-data: Y2hhaW4=, client-key-data: a2V5}}]` + "\n",
			share{user: true}},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, err := mergeText([]byte(tt.old), parsed(t, goldenKubeconfig), tt.share)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Error(diff)
			}
			again, err := mergeText(got, parsed(t, goldenKubeconfig), tt.share)
			if err != nil || string(again) != string(got) {
				t.Errorf("a second merge makes something else of it (%v): %s", err, again)
			}
		})
	}
}

// TestMergeKeepsMeaning: kubectl finds every other entry as it was.
func TestMergeKeepsMeaning(t *testing.T) {
	got, err := mergeText([]byte(others), parsed(t, goldenKubeconfig), share{cluster: true, user: true, context: true, current: true})
	if err != nil {
		t.Fatal(err)
	}
	before, after := apitest.Must(clientcmd.Load([]byte(others))), apitest.Must(clientcmd.Load(got))
	delete(after.Clusters, "prod-eu")
	delete(after.Contexts, "prod-eu")
	delete(after.AuthInfos, "alice@example.com@prod-eu")
	after.CurrentContext = before.CurrentContext
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
	// kubectl config, which uses clientcmd, would lose some of it. That is the reason for mergeText.
	if text := string(apitest.Must(clientcmd.Write(*before))); strings.Contains(text, "# mine") || strings.Contains(text, "unknown-field") {
		t.Errorf("kubectl keeps it too: %s", text)
	}
}

// TestNotMergeable: a merge is refused if it would change another entry too, or if the text is not a kubeconfig.
func TestNotMergeable(t *testing.T) {
	for sentence, tt := range map[string]struct {
		old  string
		want error
	}{
		"a context shared by an anchor": {"kind: Config\napiVersion: v1\ncontexts:\n- name: prod-eu\n  context: &c {cluster: x, user: z}\n- name: other\n  context: *c\n", errNotMergeable},
		"two documents":                 {others + "---\n" + goldenKubeconfig, errNotMergeable},
		"no YAML":                       {"{s3cret", errNoKubeconfig},
		"a list":                        {"- s3cret\n", errNoKubeconfig},
		"two entries of one name":       {"kind: Config\napiVersion: v1\nusers:\n- {name: a, user: {token: s3cret}}\n- {name: a, user: {}}\n", errNoKubeconfig},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, err := mergeText([]byte(tt.old), parsed(t, goldenKubeconfig), share{cluster: true, user: true, context: true})
			if !errors.Is(err, tt.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("error %v, and %s", err, got)
			}
		})
	}
}
