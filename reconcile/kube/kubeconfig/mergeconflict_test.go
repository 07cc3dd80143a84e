//go:build unix

package kubeconfig

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/apitest"
)

// TestMergeConflicts: entries that have the names of certsync's, but are not certsync's, are refused all at once with a hint.
// Nothing is written.
func TestMergeConflicts(t *testing.T) {
	chain, key := apitest.NewUser("alice")
	other, _ := apitest.NewUser("bob")
	later, laterKey := apitest.NewUser("alice#2")
	ca := string(apitest.CA)
	ours := func(server, ca string, chain []byte) string {
		c, err := Writer{}.Kubeconfig(reconcile.Endpoint{Name: "prod", Server: server, CA: []byte(ca)}, "alice", chain, reconcile.NewSecret(key))
		if err != nil {
			t.Fatal(err)
		}
		return string(c.Reveal())
	}
	const server = "https://k8s.example.com"
	good := ours(server, ca, chain)
	for sentence, tt := range map[string]struct {
		old  string
		want []string // parts of the refusals
	}{
		"its own of last week":            {good, nil},
		"the cluster has moved":           {ours("https://other.example.com:6443", ca, chain), nil},
		"the cluster has another CA":      {ours("https://K8S.example.com:443/", "", chain), nil},
		"another cluster":                 {ours("https://other.example.com", string(other), chain), []string{`cluster "prod" in config is another one, at https://other.example.com and with another CA`}},
		"another one without a CA either": {ours("https://other.example.com", "", chain), []string{"kubectl config --kubeconfig=config delete-cluster prod"}},
		"another certificate":             {ours(server, ca, other), []string{"kubectl config --kubeconfig=config delete-user alice@prod"}},
		"a certificate of a later epoch":  {strings.NewReplacer(base64.StdEncoding.EncodeToString(chain), base64.StdEncoding.EncodeToString(later), base64.StdEncoding.EncodeToString(key), base64.StdEncoding.EncodeToString(laterKey)).Replace(good), nil},
		"a token": {"apiVersion: v1\nkind: Config\nusers: [{name: alice@prod, user: {token: s3cret}}]\n",
			[]string{`user "alice@prod" in config logs in with something other than certsync's certificate`}},
		"another plugin": {"apiVersion: v1\nkind: Config\nusers: [{name: alice@prod, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: aws}}}]\n",
			[]string{`user "alice@prod"`}},
		"the plugin": {"apiVersion: v1\nkind: Config\nusers: [{name: alice@prod, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: /opt/certsync, args: [credential]}}}]\n", nil},
		"a plugin with such an argument": {"apiVersion: v1\nkind: Config\nusers: [{name: alice@prod, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: aws, args: [get, credential]}}}]\n",
			[]string{`user "alice@prod"`}},
		"the plugin for somebody else": {"apiVersion: v1\nkind: Config\nusers: [{name: alice@prod, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: certsync, args: [credential, --owner=x, --user=bob]}}}]\n",
			[]string{`user "alice@prod"`}},
		"the plugin for alice": {"apiVersion: v1\nkind: Config\nusers: [{name: alice@prod, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: certsync, args: [credential, --owner=x, --user=alice]}}}]\n", nil},
		"an administrator's context": {strings.ReplaceAll(good, "alice@prod", "admin"),
			[]string{`context "prod" in config is of user "admin" on cluster "prod" (give yours another name with --context-name NAME; or kubectl config --kubeconfig=config rename-context prod prod-old)`}},
		"all at once": {"apiVersion: v1\nkind: Config\nclusters: [{name: prod, cluster: {server: 'https://u:s3cret@x'}}]\nusers: [{name: alice@prod, user: {}}]\ncontexts: [{name: prod, context: {cluster: z, user: z}}]\n",
			[]string{"at https://u:xxxxx@x and", "delete-user", "rename-context"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if err := os.WriteFile("config", []byte(tt.old), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Merge(t.Context(), "config", "", reconcile.NewSecret([]byte(good)))
			var refused reconcile.Refused
			if errors.As(err, &refused); len(refused.Violations) != len(tt.want) || (err != nil) != (len(tt.want) > 0) {
				t.Fatalf("%v", err)
			}
			for i, part := range tt.want {
				if !strings.Contains(refused.Violations[i], part) || strings.Contains(refused.Violations[i], "s3cret") {
					t.Errorf("%s", refused.Violations[i])
				}
			}
			if want := []string{"-rw------- config"}; err != nil && (textOf(t, "config") != tt.old || !slices.Equal(here(t), want)) {
				t.Errorf("something was written: %q", here(t))
			}
		})
	}
}

// TestSameClusterByFile: the CA of an entry may be a file, beside the kubeconfig.
func TestSameClusterByFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), apitest.CA, 0o600); err != nil {
		t.Fatal(err)
	}
	entry := func(text string) string {
		return "apiVersion: v1\nkind: Config\nclusters: [{name: prod, cluster: {server: 'https://other', certificate-authority: " + text + "}}]\n"
	}
	ours := apitest.Must(clientcmd.Load([]byte(realKubeconfig))).Clusters["prod-eu"]
	ours.CertificateAuthorityData = apitest.CA
	for path, want := range map[string]bool{"ca.crt": true, filepath.Join(dir, "ca.crt"): true, "none.crt": false} {
		c := apitest.Must(clientcmd.Load([]byte(entry(path)))).Clusters["prod"]
		c.LocationOfOrigin = filepath.Join(dir, "config")
		if sameCluster(c, ours) != want {
			t.Errorf("with the CA in %s it is the same: %t", path, !want)
		}
	}
}
