package kubeconfig

import (
	"context"
	"errors"
	"slices"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/certsync/certsync/inventory/files"
	"github.com/certsync/certsync/reconcile"
)

// MergeAll is Merge for kubeconfigs of several clusters, one after the other, but it writes each file only once. The results are in the
// order of the kubeconfigs. One that cannot be merged has its own error, and the others are merged.
func MergeAll(ctx context.Context, file string, kubeconfigs []reconcile.Secret) ([]Merged, error) {
	return mergeAll(ctx, file, "", kubeconfigs, files.CheckPrivate)
}

func mergeAll(ctx context.Context, file, contextName string, kubeconfigs []reconcile.Secret, checkPrivate func(string) error) ([]Merged, error) {
	done, stored := make([]Merged, len(kubeconfigs)), make([]*clientcmdapi.Config, len(kubeconfigs))
	for i, k := range kubeconfigs {
		stored[i], done[i].Err = parseUserConfig(k)
	}
	if !slices.ContainsFunc(stored, func(c *clientcmdapi.Config) bool { return c != nil }) {
		return done, nil
	}
	before, err := readFiles(file)
	if err != nil {
		return nil, err
	}
	unlock, err := lockFiles(ctx, before.allTargets(stored, contextName))
	defer unlock()
	if err != nil {
		return nil, err
	}
	now, err := readFiles(file) // another kubectl may have changed them before
	if err != nil {
		return nil, err
	}
	var together *userFiles
	if file != "" && amongTheUsual(file) {
		// kubectl also reads the other files, and uses the first entry of a name.
		usual, err := readFiles("")
		if err != nil {
			return nil, err
		}
		together = &usual
	}
	after, keys := now, map[string]bool{} // keys has the files that get a key
	for i := range stored {
		if stored[i] == nil {
			continue
		}
		ours := before.named(stored[i], contextName)
		if now.named(stored[i], contextName).CurrentContext != ours.CurrentContext || !slices.Equal(before.targets(ours), now.targets(ours)) {
			return nil, reconcile.WithHint(errors.New("merging the kubeconfig: another program changed it at the same time"), "run the command again")
		}
		found := after.conflicts(ours, file)
		if len(found) == 0 && together != nil {
			found = together.conflicts(ours, "")
		}
		if len(found) > 0 {
			done[i].Err = reconcile.Refused{Violations: found}
			continue
		}
		after, done[i] = after.merge(ours, keys)
	}
	backups, err := now.write(ctx, after, keys, checkPrivate)
	for i := range done {
		for _, name := range done[i].Files {
			if done[i].Changed && backups[name] != "" {
				done[i].Backups = append(done[i].Backups, backups[name])
			}
		}
	}
	return done, err
}

// allTargets are the targets of all kubeconfigs that are not nil, sorted.
func (f userFiles) allTargets(stored []*clientcmdapi.Config, contextName string) []string {
	var names []string
	for _, c := range stored {
		if c != nil {
			names = append(names, f.targets(f.named(c, contextName))...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
