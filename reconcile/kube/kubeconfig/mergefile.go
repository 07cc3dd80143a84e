package kubeconfig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/certsync/certsync/inventory/files"
	"github.com/certsync/certsync/inventory/shell"
	"github.com/certsync/certsync/reconcile"
)

// Merged is the result of a Merge.
type Merged struct {
	Context string   // the context's name
	Current bool     // it is the current context
	Files   []string // the files that hold its entries
	Backups []string // the files with the old text of those Files that existed and changed
	Changed bool     // false: the entries were in the files already
	// Elsewhere lists the changes of the cluster's entry, such as another server.
	Elsewhere []string
	Err       error // MergeAll: why it was not merged
}

// backupSuffix is the end of the name of the file that keeps a kubeconfig's old text.
const backupSuffix = ".certsync.bak"

// lockPatience is the time to wait for a kubeconfig's lock. kubectl holds it for milliseconds.
const lockPatience = 5 * time.Second

// Merge merges a user's kubeconfig into the one that kubectl uses. That is file or, if file is empty, the files of $KUBECONFIG
// or ~/.kube/config. As with kubectl, an entry that exists is changed in its file, and a new one goes into the first file that
// exists. Everything else stays as it is, also comments. The context becomes the current one if there is none. contextName is
// its name; if that is empty, the name that it has in these files, or the cluster's name.
//
// Merge replaces a file as a whole or not at all, by one that nobody else can read, with the owner and group of the old one. A
// file that cannot be replaced, since it is mounted alone, is written in its place. Merge holds the lock that kubectl uses, and
// keeps the old text beside the file. A link stays a link. The error is a reconcile.Refused if an entry of the same name is
// not certsync's, or if other contexts use it and it would change.
func Merge(ctx context.Context, file, contextName string, kubeconfig reconcile.Secret) (Merged, error) {
	all, err := mergeAll(ctx, file, contextName, []reconcile.Secret{kubeconfig}, files.CheckPrivate)
	if err != nil {
		return Merged{}, err
	}
	return all[0], all[0].Err
}

// userFiles are the files of a user's kubeconfig.
type userFiles struct {
	names       []string          // of the files, in the order in which kubectl reads them
	texts       map[string][]byte // of the files that exist
	whole       *clientcmdapi.Config
	defaultFile string       // for new entries
	contexts    []definition // of all files, also those that kubectl does not use because of an earlier file
}

// readFiles reads the files that kubectl would read with this value of --kubeconfig.
func readFiles(explicit string) (userFiles, error) {
	rules := clientcmd.NewDefaultPathOptions()
	rules.LoadingRules.ExplicitPath = explicit
	f := userFiles{texts: map[string][]byte{}, whole: clientcmdapi.NewConfig(), defaultFile: rules.GetDefaultFilename()}
	if f.defaultFile == "" {
		return f, reconcile.WithHint(errors.New("merging the kubeconfig: there is no file to merge into"), "name one with --kubeconfig FILE, or set KUBECONFIG")
	}
	if explicit == "" && f.defaultFile == clientcmd.RecommendedHomeFile && !filepath.IsAbs(f.defaultFile) {
		// kubectl would use the working folder. That may be a git repository, and a key must not go there.
		return f, reconcile.WithHint(errors.New("merging the kubeconfig: there is no home folder for .kube/config"),
			"name the file with --kubeconfig FILE, or set HOME or KUBECONFIG")
	}
	if explicit == "" && strings.HasPrefix(f.defaultFile, "~/") {
		return f, reconcile.WithHint(fmt.Errorf("merging the kubeconfig: KUBECONFIG names %q, and the shell did not expand the ~", f.defaultFile),
			"write the full path into KUBECONFIG, or $HOME instead of ~")
	}
	for _, name := range rules.GetLoadingPrecedence() {
		if name == "" {
			continue
		}
		f.names = append(f.names, name)
		text, err := files.Read(name, maxKubeconfig)
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
				"kubectl "+shell.Quote("--kubeconfig="+name)+" config view says what is wrong")
		}
		f.add(name, config)
	}
	return f, nil
}

// add adds the entries of a file. As in clientcmd, the first entry of a name counts.
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

// maxKubeconfig is far more bytes than any user's kubeconfig has.
const maxKubeconfig = 16 << 20

// shares returns the entries that a merge writes into each file.
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
		of(cluster).cluster = true // a shared entry means the same already, perhaps in another spelling
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

// holdsKey reports whether a user's kubeconfig has the key in it.
func holdsKey(ours *clientcmdapi.Config) bool {
	return len(ours.AuthInfos[ours.Contexts[ours.CurrentContext].AuthInfo].ClientKeyData) > 0
}

// merge returns the files with the entries of ours, and adds those that get a key to keys. With an error nothing changes.
func (f userFiles) merge(ours *clientcmdapi.Config, keys map[string]bool) (userFiles, Merged) {
	shares := f.shares(ours)
	done := Merged{
		Context: ours.CurrentContext, Files: f.targets(ours),
		Current: f.whole.CurrentContext == "" || f.whole.CurrentContext == ours.CurrentContext,
	}
	cluster := ours.Contexts[ours.CurrentContext].Cluster
	if has := f.whole.Clusters[cluster]; has != nil {
		done.Elsewhere = clusterChanges(has, ours.Clusters[cluster])
	}
	texts := maps.Clone(f.texts)
	for _, name := range done.Files {
		text, err := mergeText(f.texts[name], ours, *shares[name])
		if err != nil {
			return f, Merged{Err: notMergeable(name, err)}
		}
		if !bytes.Equal(text, f.texts[name]) {
			texts[name], done.Changed = text, true
		}
	}
	after, err := f.with(texts)
	if err != nil {
		return f, Merged{Err: err}
	}
	for _, name := range done.Files {
		keys[name] = keys[name] || shares[name].user && holdsKey(ours)
	}
	return after, done
}

func notMergeable(name string, err error) error {
	return reconcile.WithHint(fmt.Errorf("merging into %q: %w", name, err), "merge into a file of its own with --kubeconfig FILE")
}

// with returns the files with other texts.
func (f userFiles) with(texts map[string][]byte) (userFiles, error) {
	after := userFiles{names: f.names, texts: texts, whole: clientcmdapi.NewConfig(), defaultFile: f.defaultFile}
	for _, name := range f.names {
		config, err := clientcmd.Load(texts[name])
		if err != nil {
			return f, notMergeable(name, errNotMergeable) // err may quote from it
		}
		after.add(name, config)
	}
	return after, nil
}

// write writes the files whose texts are others in after. It returns the files with the old texts, by the name of the file.
func (f userFiles) write(ctx context.Context, after userFiles, keys map[string]bool, checkPrivate func(string) error) (backups map[string]string, err error) {
	backups = map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(after.texts)) {
		if bytes.Equal(after.texts[name], f.texts[name]) {
			continue
		}
		backup, err := f.replace(ctx, name, after.texts[name], keys[name], checkPrivate)
		if err != nil {
			err = fmt.Errorf("writing the kubeconfig %q: %w", name, err)
			if reconcile.Hint(err) == "" {
				err = reconcile.WithHint(err, "check that the disk has room and that you may write to its folder; the file is unchanged")
			}
			return nil, err
		}
		if backup != "" {
			backups[name] = backup
		}
	}
	return backups, nil
}
