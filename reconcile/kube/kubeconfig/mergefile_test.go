//go:build unix

package kubeconfig

import (
	"context"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/apitest"
)

// realKubeconfig is the golden one with a certificate that is one.
var realKubeconfig = func() string {
	chain, _ := apitest.NewUser("alice@example.com")
	return strings.Replace(goldenKubeconfig, "Y2hhaW4=", base64.StdEncoding.EncodeToString(chain), 1)
}()

// mergeHere merges the golden kubeconfig in a folder of its own, with KUBECONFIG as given, after these files were written.
func mergeHere(t *testing.T, kubeconfigs []string, files map[string]string) (Merged, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("KUBECONFIG", strings.Join(kubeconfigs, string(os.PathListSeparator)))
	return Merge(t.Context(), "", "", reconcile.NewSecret([]byte(realKubeconfig)))
}

// here lists the files of the working folder with their modes.
func here(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	found := []string{}
	for _, e := range entries {
		info, err := os.Lstat(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, info.Mode().String()+" "+e.Name())
	}
	return found
}

func textOf(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestMerge: the entries go into the right files of KUBECONFIG, with the right mode and a copy of the old text.
func TestMerge(t *testing.T) {
	const onlyUser = "apiVersion: v1\nkind: Config\nusers:\n- name: alice@example.com@prod-eu\n  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: certsync, args: [credential]}}\n"
	for sentence, tt := range map[string]struct {
		list  []string
		files map[string]string
		want  Merged
		here  []string
	}{
		"nothing is there": {[]string{"config"}, nil,
			Merged{Context: "prod-eu", Current: true, Files: []string{"config"}, Changed: true}, []string{"-rw------- config"}},
		"one that others could read": {[]string{"config"}, map[string]string{"config": others},
			Merged{Context: "prod-eu", Files: []string{"config"}, Backups: []string{"config.certsync.bak"}, Changed: true},
			[]string{"-rw------- config", "-rw------- config.certsync.bak"}},
		"one with a byte order mark": {[]string{"config"}, map[string]string{"config": "\ufeff" + others},
			Merged{Context: "prod-eu", Files: []string{"config"}, Backups: []string{"config.certsync.bak"}, Changed: true},
			[]string{"-rw------- config", "-rw------- config.certsync.bak"}},
		"it is there already": {[]string{"config"}, map[string]string{"config": realKubeconfig},
			Merged{Context: "prod-eu", Current: true, Files: []string{"config"}}, []string{"-rw-r--r-- config"}},
		"the first that is there gets what is new": {[]string{"none", "a", "b"}, map[string]string{"a": "", "b": others},
			Merged{Context: "prod-eu", Files: []string{"a"}, Backups: []string{"a.certsync.bak"}, Changed: true},
			[]string{"-rw------- a", "-rw------- a.certsync.bak", "-rw-r--r-- b"}},
		"none is there: the last": {[]string{"a", "b"}, nil,
			Merged{Context: "prod-eu", Current: true, Files: []string{"b"}, Changed: true}, []string{"-rw------- b"}},
		"an entry changes where it is": {[]string{"a", "b"}, map[string]string{"a": others, "b": onlyUser},
			Merged{Context: "prod-eu", Files: []string{"a", "b"}, Backups: []string{"a.certsync.bak", "b.certsync.bak"}, Changed: true},
			[]string{"-rw------- a", "-rw------- a.certsync.bak", "-rw------- b", "-rw------- b.certsync.bak"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, err := mergeHere(t, tt.list, tt.files)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.here, here(t)); diff != "" {
				t.Error(diff)
			}
			for _, backup := range got.Backups {
				if diff := cmp.Diff(strings.TrimPrefix(tt.files[strings.TrimSuffix(backup, backupSuffix)], "\ufeff"), textOf(t, backup)); diff != "" {
					t.Errorf("%s: %s", backup, diff)
				}
			}
			rules := clientcmd.NewDefaultClientConfigLoadingRules()
			config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: "prod-eu"}).ClientConfig()
			if err != nil || config.Host != "https://k8s.example.com:6443" || string(config.KeyData) != "key" || config.ExecProvider != nil {
				t.Errorf("kubectl reads %v, %v", config, err)
			}
			second, err := Merge(t.Context(), "", "", reconcile.NewSecret([]byte(realKubeconfig)))
			if err != nil || second.Changed || len(second.Backups) > 0 {
				t.Errorf("a second merge: %+v, %v", second, err)
			}
		})
	}
}

// TestMergeWithoutAHome: no key goes into the working folder only because HOME is not set.
func TestMergeWithoutAHome(t *testing.T) {
	home := clientcmd.RecommendedHomeFile
	t.Cleanup(func() { clientcmd.RecommendedHomeFile = home })
	clientcmd.RecommendedHomeFile = ".kube/config" // as it is then
	_, err := mergeHere(t, nil, nil)
	if err == nil || !strings.Contains(err.Error(), "there is no home folder") || !strings.Contains(reconcile.Hint(err), "--kubeconfig FILE") {
		t.Errorf("error %v, hint %q", err, reconcile.Hint(err))
	}
	if diff := cmp.Diff([]string{}, here(t)); diff != "" {
		t.Error(diff)
	}
	_, err = mergeHere(t, []string{"~/.kube/config"}, nil)
	if err == nil || !strings.Contains(err.Error(), `KUBECONFIG names "~/.kube/config"`) || !strings.Contains(reconcile.Hint(err), "$HOME instead of ~") {
		t.Errorf("error %v, hint %q", err, reconcile.Hint(err))
	}
	if diff := cmp.Diff([]string{}, here(t)); diff != "" {
		t.Error(diff)
	}
	if got, err := mergeHere(t, []string{"~/.kube/config", "config"}, map[string]string{"config": ""}); err != nil || len(got.Files) != 1 || got.Files[0] != "config" {
		t.Errorf("with another file: %+v, error %v", got, err)
	}
	if got, err := mergeHere(t, []string{"config"}, nil); err != nil || len(got.Files) != 1 || got.Files[0] != "config" {
		t.Errorf("with KUBECONFIG: %+v, error %v", got, err)
	}
}

// TestMergeByName: a file that is named is the only one that counts. A folder that Merge creates is for nobody else.
func TestMergeByName(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("KUBECONFIG", "config")
	got, err := Merge(t.Context(), "a/b/mine", "", reconcile.NewSecret([]byte(realKubeconfig)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Merged{Context: "prod-eu", Current: true, Files: []string{"a/b/mine"}, Changed: true}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"drwx------ a"}, here(t)); diff != "" {
		t.Error(diff)
	}
}

// TestMergeThroughALink: ~/.kube/config of many is a link into a folder of dotfiles, and stays one.
func TestMergeThroughALink(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := errors.Join(os.Mkdir("dotfiles", 0o755), os.WriteFile("dotfiles/kube", []byte(others), 0o644), os.Symlink("dotfiles/kube", "config")); err != nil {
		t.Fatal(err)
	}
	if _, err := Merge(t.Context(), "config", "", reconcile.NewSecret([]byte(realKubeconfig))); err != nil {
		t.Fatal(err)
	}
	if target, err := os.Readlink("config"); err != nil || target != "dotfiles/kube" {
		t.Errorf("it leads to %q, %v", target, err)
	}
	if text := textOf(t, "dotfiles/kube"); !strings.Contains(text, "prod-eu") || textOf(t, "config.certsync.bak") != others {
		t.Errorf("what it leads to is %s", text)
	}
	if err := os.Remove("dotfiles/kube"); err != nil {
		t.Fatal(err)
	}
	_, err := Merge(t.Context(), "config", "", reconcile.NewSecret([]byte(realKubeconfig)))
	if err == nil || !strings.Contains(err.Error(), "it is a link to a file that does not exist") {
		t.Error(err)
	}
}

// TestMergeFails: if a merge cannot be written, the file is as it was and nothing is left beside it. The message has a hint.
func TestMergeFails(t *testing.T) {
	for sentence, tt := range map[string]struct {
		interrupted bool
		change      func() error
		want, hint  string
		here        []string
	}{
		"an interruption": {true, nil, "context canceled", "", []string{"-rw-r--r-- config"}},
		"another kubectl has the lock, or had it when it was killed": {false, func() error { return os.WriteFile("config.lock", nil, 0) },
			`another kubectl has had the lock "config.lock" for 5s`, "rm config.lock", []string{"-rw-r--r-- config", "---------- config.lock"}},
		"no room for the backup's name": {false, func() error { return os.Mkdir("config.certsync.bak", 0o700) },
			`writing the kubeconfig "config": keeping its old text`, "the file is unchanged", []string{"-rw-r--r-- config", "drwx------ config.certsync.bak"}},
		"kubectl cannot read it": {false, func() error { return os.WriteFile("config", []byte("{s3cret"), 0o644) },
			`reading the kubeconfig "config": kubectl cannot read it as a kubeconfig`, "kubectl --kubeconfig=config config view", []string{"-rw-r--r-- config"}},
		"it is a folder": {false, func() error { return errors.Join(os.Remove("config"), os.Mkdir("config", 0o700)) },
			"open config: not a regular file", "", []string{"drwx------ config"}},
		"it is a pipe": {false, func() error { return errors.Join(os.Remove("config"), syscall.Mkfifo("config", 0o600)) },
			"open config: not a regular file", "", []string{"prw------- config"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if err := os.WriteFile("config", []byte(others), 0o644); err != nil {
				t.Fatal(err)
			}
			if tt.change != nil {
				if err := tt.change(); err != nil {
					t.Fatal(err)
				}
			}
			var err error
			synctest.Test(t, func(t *testing.T) { // the wait for a lock is long
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.interrupted {
					cancel()
				}
				_, err = Merge(ctx, "config", "", reconcile.NewSecret([]byte(realKubeconfig)))
			})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(reconcile.Hint(err), tt.hint) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("error %v, hint %q", err, reconcile.Hint(err))
			}
			if diff := cmp.Diff(tt.here, here(t)); diff != "" {
				t.Error(diff)
			}
			if info, err := os.Stat("config"); err == nil && info.Mode().IsRegular() && info.Size() == int64(len(others)) && textOf(t, "config") != others {
				t.Error("the file has changed")
			}
		})
	}
}

// TestMergeInterrupted: an interruption while the new text is being written leaves the old one.
func TestMergeInterrupted(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("config", []byte(others), 0o644); err != nil {
		t.Fatal(err)
	}
	// The backup is written by then, and is the first that asks whether to go on.
	ctx := &endsAt{Context: t.Context(), n: 2}
	_, err := Merge(ctx, "config", "", reconcile.NewSecret([]byte(realKubeconfig)))
	if !errors.Is(err, context.Canceled) || textOf(t, "config") != others {
		t.Errorf("%v, and %s", err, textOf(t, "config"))
	}
	if diff := cmp.Diff([]string{"-rw-r--r-- config", "-rw------- config.certsync.bak"}, here(t)); diff != "" {
		t.Error(diff)
	}
}

// endsAt is a context that has ended when it is asked for the nth time.
type endsAt struct {
	context.Context
	n int
}

func (e *endsAt) Err() error {
	if e.n--; e.n > 0 {
		return nil
	}
	return context.Canceled
}

// TestMergeWaitsForTheLock: kubectl holds it for milliseconds.
func TestMergeWaitsForTheLock(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("config.lock", nil, 0); err != nil {
		t.Fatal(err)
	}
	released := time.AfterFunc(100*time.Millisecond, func() { _ = os.Remove("config.lock") })
	defer released.Stop()
	if _, err := Merge(t.Context(), "config", "", reconcile.NewSecret([]byte(realKubeconfig))); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat("config.lock"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the lock is left: %v", err)
	}
}

// TestMergeKeepsKubectlOut: the lock is the one that kubectl takes.
func TestMergeKeepsKubectlOut(t *testing.T) {
	t.Chdir(t.TempDir())
	unlock, err := lockFiles(t.Context(), []string{"config"})
	if err != nil {
		t.Fatal(err)
	}
	kubectl := clientcmd.NewDefaultPathOptions()
	kubectl.LoadingRules.ExplicitPath = "config"
	change := clientcmdapi.NewConfig()
	change.CurrentContext = "other"
	if err := clientcmd.ModifyConfig(kubectl, *change, false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("kubectl config under certsync's lock: %v", err)
	}
	unlock()
	if err := clientcmd.ModifyConfig(kubectl, *change, false); err != nil || !strings.Contains(textOf(t, "config"), "other") {
		t.Errorf("kubectl config after it: %v", err)
	}
}
