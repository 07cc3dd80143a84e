//go:build unix

package kubeconfig

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/certsync/certsync/reconcile"
)

// ofClusters are kubeconfigs of one user for several clusters.
func ofClusters(names ...string) []reconcile.Secret {
	var all []reconcile.Secret
	for _, name := range names {
		text := strings.ReplaceAll(realKubeconfig, "prod-eu", name)
		all = append(all, reconcile.NewSecret([]byte(strings.ReplaceAll(text, "https://k8s.example.com", "https://"+name+".example.com"))))
	}
	return all
}

// TestMergeAll: all kubeconfigs are in the file after one write, whose backup is the text from before. The first context is the
// current one.
func TestMergeAll(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("KUBECONFIG", "config")
	const old = "apiVersion: v1\nkind: Config\n# mine\n"
	if err := os.WriteFile("config", []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	done, err := MergeAll(t.Context(), "", ofClusters("dev", "stage", "prod"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Merged{
		{Context: "dev", Current: true, Files: []string{"config"}, Backups: []string{"config.certsync.bak"}, Changed: true},
		{Context: "stage", Files: []string{"config"}, Backups: []string{"config.certsync.bak"}, Changed: true},
		{Context: "prod", Files: []string{"config"}, Backups: []string{"config.certsync.bak"}, Changed: true},
	}
	if diff := cmp.Diff(want, done); diff != "" {
		t.Error(diff)
	}
	if textOf(t, "config.certsync.bak") != old {
		t.Error("the backup is not the file from before")
	}
	config, err := clientcmd.Load([]byte(textOf(t, "config")))
	if err != nil || len(config.Contexts) != 3 || len(config.Clusters) != 3 || len(config.AuthInfos) != 3 || config.CurrentContext != "dev" {
		t.Errorf("%v, %+v", err, config)
	}
	before := textOf(t, "config")
	if done, err = MergeAll(t.Context(), "", ofClusters("prod", "dev")); err != nil || done[0].Changed || done[1].Changed || textOf(t, "config") != before {
		t.Errorf("again: %+v, %v", done, err)
	}
}

// TestMergeAllButOne: one that is refused, or that certsync did not write, keeps no other from being merged.
func TestMergeAllButOne(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("KUBECONFIG", "config")
	const old = "apiVersion: v1\nkind: Config\ncontexts:\n- name: stage\n  context: {cluster: other, user: me}\n"
	if err := os.WriteFile("config", []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	all := append(ofClusters("dev", "stage", "prod"), reconcile.NewSecret([]byte("kind: Config\n")))
	done, err := MergeAll(t.Context(), "", all)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "refused: context \"stage\" in config is of user \"me\"", "", "certsync did not write it"} {
		if got := done[i].Err; (got == nil) != (want == "") || got != nil && !strings.Contains(got.Error(), want) {
			t.Errorf("%d: %v", i, got)
		}
	}
	config, err := clientcmd.Load([]byte(textOf(t, "config")))
	if err != nil || len(config.Contexts) != 3 || config.Contexts["stage"].AuthInfo != "me" || config.CurrentContext != "dev" {
		t.Errorf("%v, %+v", err, config)
	}
}

// TestJoin: one text has all contexts, and the first one is the current one.
func TestJoin(t *testing.T) {
	text, err := Join(ofClusters("stage", "dev"))
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.Load(text.Reveal())
	if err != nil || len(config.Contexts) != 2 || config.CurrentContext != "stage" || config.Contexts["dev"].AuthInfo != "alice@example.com@dev" {
		t.Errorf("%v, %s", err, text.Reveal())
	}
	if name, err := ContextName(ofClusters("dev")[0]); err != nil || name != "dev" {
		t.Errorf("%q, %v", name, err)
	}
}
