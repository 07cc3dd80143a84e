package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// Merged is what MergeKubeconfig did.
type Merged struct {
	Context string   // its name
	Current bool     // it is the current context
	Files   []string // into which it was merged
	Backups []string // of those of Files that changed and were there before: their old text
	Changed bool     // false: everything stood there already
	// Elsewhere says in what the cluster's entry leads elsewhere than before.
	Elsewhere []string
}

// BackupSuffix follows a kubeconfig's name in that of the file which keeps its old text.
const BackupSuffix = ".certsync.bak"

// lockPatience is how long kubectl may hold a kubeconfig's lock, which it needs for milliseconds.
var lockPatience = 5 * time.Second

// MergeKubeconfig merges a user's kubeconfig into the one that kubectl uses, by kubectl's own rules: file, else the files of
// $KUBECONFIG, else ~/.kube/config; an entry that is there is changed where it is, and a new one goes into the first file
// that there is. Everything else stays as it is, comments too. The context becomes the current one only where none is.
//
// A file is replaced as a whole or not at all, by one that nobody else can read, under the lock that kubectl takes; its old
// text is kept beside it. A link stays a link. Entries of the same names that are not certsync's, or are for other contexts as
// well and would lead elsewhere, are a reconcile.Refused.
func MergeKubeconfig(ctx context.Context, file string, kubeconfig reconcile.Secret) (Merged, error) {
	ours, err := parseUserConfig(kubeconfig)
	if err != nil {
		return Merged{}, err
	}
	before, err := readFiles(file)
	if err != nil {
		return Merged{}, err
	}
	unlock, err := lockFiles(ctx, before.targets(ours))
	defer unlock()
	if err != nil {
		return Merged{}, err
	}
	now, err := readFiles(file) // another kubectl may have had the lock
	if err != nil {
		return Merged{}, err
	}
	if !slices.Equal(before.targets(ours), now.targets(ours)) {
		return Merged{}, reconcile.WithHint(errors.New("merging the kubeconfig: somebody else changed it meanwhile"), "run it again")
	}
	found := now.conflicts(ours, file)
	if len(found) == 0 && file != "" && amongTheUsual(file) {
		// Entries in this file hide, or are hidden by, those in the others.
		together, err := readFiles("")
		if err != nil {
			return Merged{}, err
		}
		found = together.conflicts(ours, "")
	}
	if len(found) > 0 {
		return Merged{}, reconcile.Refused{Violations: found}
	}
	return now.merge(ctx, ours)
}

// userFiles are the files that make up somebody's kubeconfig.
type userFiles struct {
	texts       map[string][]byte // of those that are there
	whole       *clientcmdapi.Config
	defaultFile string       // for what is in none yet
	contexts    []definition // of all the files, also those that another file hides
}

func readFiles(explicit string) (userFiles, error) {
	rules := clientcmd.NewDefaultPathOptions()
	rules.LoadingRules.ExplicitPath = explicit
	f := userFiles{texts: map[string][]byte{}, whole: clientcmdapi.NewConfig(), defaultFile: rules.GetDefaultFilename()}
	if f.defaultFile == "" {
		return f, reconcile.WithHint(errors.New("merging the kubeconfig: there is no file to merge into"), "name one with --kubeconfig FILE, or set KUBECONFIG")
	}
	if explicit == "" && f.defaultFile == clientcmd.RecommendedHomeFile && !filepath.IsAbs(f.defaultFile) {
		// kubectl takes the working folder then. That may be a git repository, where no key belongs.
		return f, reconcile.WithHint(errors.New("merging the kubeconfig: there is no home folder to look for .kube/config in"),
			"name the file with --kubeconfig FILE, or set HOME or KUBECONFIG")
	}
	for _, name := range rules.GetLoadingPrecedence() {
		if name == "" {
			continue
		}
		text, err := inventory.ReadRegular(name, maxKubeconfig)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return f, fmt.Errorf("reading the kubeconfig %q: %w", name, err)
		}
		f.texts[name] = text
		config, err := clientcmd.Load(text)
		if err != nil {
			return f, reconcile.WithHint(fmt.Errorf("reading the kubeconfig %q: %w", name, errNoKubeconfig),
				"kubectl "+inventory.ShellQuote("--kubeconfig="+name)+" config view says what is wrong")
		}
		f.add(name, config)
	}
	return f, nil
}

// add merges as clientcmd does: of an entry, the first counts.
func (f *userFiles) add(name string, config *clientcmdapi.Config) {
	for key, c := range config.Clusters {
		if c.LocationOfOrigin = name; f.whole.Clusters[key] == nil {
			f.whole.Clusters[key] = c
		}
	}
	for key, u := range config.AuthInfos {
		if u.LocationOfOrigin = name; f.whole.AuthInfos[key] == nil {
			f.whole.AuthInfos[key] = u
		}
	}
	for key, c := range config.Contexts {
		if c.LocationOfOrigin = name; f.whole.Contexts[key] == nil {
			f.whole.Contexts[key] = c
		}
		f.contexts = append(f.contexts, definition{key, c})
	}
	if f.whole.CurrentContext == "" {
		f.whole.CurrentContext = config.CurrentContext
	}
}

// maxKubeconfig is far more than anybody has.
const maxKubeconfig = 16 << 20

// shares says which file gets what.
func (f userFiles) shares(ours *clientcmdapi.Config) map[string]*share {
	all := map[string]*share{}
	of := func(origin string) *share {
		if origin == "" {
			origin = f.defaultFile
		}
		if all[origin] == nil {
			all[origin] = &share{}
		}
		return all[origin]
	}
	context := ours.Contexts[ours.CurrentContext]
	var cluster, user, origin string
	if c := f.whole.Clusters[context.Cluster]; c != nil {
		cluster = c.LocationOfOrigin
	}
	if u := f.whole.AuthInfos[context.AuthInfo]; u != nil {
		user = u.LocationOfOrigin
	}
	if c := f.whole.Contexts[ours.CurrentContext]; c != nil {
		origin = c.LocationOfOrigin
	}
	if cluster == "" || len(f.sharedCluster(ours)) == 0 {
		of(cluster).cluster = true // a shared one is the same, if not in the same words
	}
	of(user).user, of(origin).context = true, true
	if f.whole.CurrentContext == "" {
		of("").current = true
	}
	return all
}

// targets are the files that a merge may write, sorted.
func (f userFiles) targets(ours *clientcmdapi.Config) []string {
	var names []string
	for name := range f.shares(ours) {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (f userFiles) merge(ctx context.Context, ours *clientcmdapi.Config) (Merged, error) {
	shares := f.shares(ours)
	done := Merged{
		Context: ours.CurrentContext, Files: f.targets(ours),
		Current: f.whole.CurrentContext == "" || f.whole.CurrentContext == ours.CurrentContext,
	}
	cluster := ours.Contexts[ours.CurrentContext].Cluster
	if has := f.whole.Clusters[cluster]; has != nil {
		done.Elsewhere = clusterChanges(has, ours.Clusters[cluster])
	}
	texts := map[string][]byte{} // all of them, before the first is written
	for _, name := range done.Files {
		text, err := mergeText(f.texts[name], ours, *shares[name])
		if err != nil {
			return Merged{}, reconcile.WithHint(fmt.Errorf("merging into %q: %w", name, err), "merge into a file of its own with --kubeconfig FILE")
		}
		if !bytes.Equal(text, f.texts[name]) {
			texts[name] = text
		}
	}
	for _, name := range done.Files {
		if texts[name] == nil {
			continue
		}
		done.Changed = true
		backup, err := f.replace(ctx, name, texts[name])
		if err != nil {
			return Merged{}, reconcile.WithHint(fmt.Errorf("writing the kubeconfig %q: %w", name, err), "it is as it was; is there room, and may you write to its folder?")
		}
		if backup != "" {
			done.Backups = append(done.Backups, backup)
		}
	}
	return done, nil
}
