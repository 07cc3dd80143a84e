package kubeconfig

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
}

// backupSuffix is the end of the name of the file that keeps a kubeconfig's old text.
const backupSuffix = ".certsync.bak"

// lockPatience is the time to wait for a kubeconfig's lock. kubectl holds it for milliseconds.
var lockPatience = 5 * time.Second

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
	stored, err := parseUserConfig(kubeconfig)
	if err != nil {
		return Merged{}, err
	}
	before, err := readFiles(file)
	if err != nil {
		return Merged{}, err
	}
	ours := before.named(stored, contextName)
	unlock, err := lockFiles(ctx, before.targets(ours))
	defer unlock()
	if err != nil {
		return Merged{}, err
	}
	now, err := readFiles(file) // another kubectl may have changed them before
	if err != nil {
		return Merged{}, err
	}
	if now.named(stored, contextName).CurrentContext != ours.CurrentContext || !slices.Equal(before.targets(ours), now.targets(ours)) {
		return Merged{}, reconcile.WithHint(errors.New("merging the kubeconfig: another program changed it at the same time"), "run the command again")
	}
	found := now.conflicts(ours, file)
	if len(found) == 0 && file != "" && amongTheUsual(file) {
		// kubectl also reads the other files, and uses the first entry of a name.
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

// userFiles are the files of a user's kubeconfig.
type userFiles struct {
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
	for _, name := range rules.GetLoadingPrecedence() {
		if name == "" {
			continue
		}
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

// merge writes the entries of ours into the files.
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
	texts := map[string][]byte{} // all new texts, before the first file is written
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
		backup, err := f.replace(ctx, name, texts[name], shares[name].user && holdsKey(ours))
		if err != nil {
			err = fmt.Errorf("writing the kubeconfig %q: %w", name, err)
			if reconcile.Hint(err) == "" {
				err = reconcile.WithHint(err, "check that the disk has room and that you may write to its folder; the file is unchanged")
			}
			return Merged{}, err
		}
		if backup != "" {
			done.Backups = append(done.Backups, backup)
		}
	}
	return done, nil
}
