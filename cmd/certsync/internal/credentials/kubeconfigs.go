package credentials

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/kubeconfig"
	"github.com/certsync/certsync/reconcile/pki"
	"github.com/certsync/certsync/vaultstore"
)

// ownersAtOnce is how many owners' kubeconfigs are fetched at once.
const ownersAtOnce = 4

// Kubeconfigs returns a user's kubeconfigs, one of each owner.
type Kubeconfigs struct {
	Owners []string
	User   string
	// ClientKey is the file with the user's own key, see AddKey.
	ClientKey string
	// Plugin is what kubectl runs, with the arguments that are the same for every owner. Nil: the kubeconfigs hold the credential.
	Plugin *kubeconfig.Plugin
	// Fetch reads the credential of the owner from Vault.
	Fetch func(ctx context.Context, owner string) (vaultstore.Stored, error)
}

// Kubeconfig is a user's kubeconfig from one owner.
type Kubeconfig struct {
	Owner   string
	Context string           // its name
	Text    reconcile.Secret // with the user's key, or with the plugin
	Until   time.Time        // the end of the certificate; zero: none was read
	Merged  kubeconfig.Merged
	Err     error // why there is none, or why it was not merged
}

// named returns an error about a kubeconfig, with the owner if there are several.
func (k Kubeconfig) named(err error, owners int) error {
	if owners == 1 {
		return err
	}
	return fmt.Errorf("owner %q: %w", k.Owner, err)
}

// Get fetches the kubeconfigs. They are in the order of the owners. One that fails harms no other.
func (k Kubeconfigs) Get(ctx context.Context) []Kubeconfig {
	all := make([]Kubeconfig, len(k.Owners))
	var group errgroup.Group
	group.SetLimit(ownersAtOnce)
	for i, owner := range k.Owners {
		group.Go(func() error {
			one, err := k.of(ctx, owner)
			one.Err = err
			all[i] = one
			return nil
		})
	}
	_ = group.Wait()
	refuseTwins(all)
	return all
}

// refuseTwins refuses all kubeconfigs of clusters of one name. Whoever writes to one path in Vault can put the name of another cluster
// there, and the order of the owners does not tell whose name it is.
func refuseTwins(all []Kubeconfig) {
	first := map[string]int{} // by the name of the context
	for i, one := range all {
		if one.Err != nil {
			continue
		}
		other, taken := first[one.Context]
		if !taken {
			first[one.Context] = i
			continue
		}
		err := reconcile.WithHint(fmt.Errorf("the clusters of owners %q and %q have the same name %q: one kubeconfig cannot hold both", all[other].Owner, one.Owner, one.Context),
			"if you did not expect this, ask the administrator of certsync; otherwise fetch each of the two alone, into a file of its own")
		all[other].Err, all[i].Err = err, err
	}
}

// of fetches the kubeconfig of one owner.
func (k Kubeconfigs) of(ctx context.Context, owner string) (Kubeconfig, error) {
	one := Kubeconfig{Owner: owner}
	stored, err := k.Fetch(ctx, owner)
	if err != nil {
		return one, err
	}
	if stored.Kubeconfig, err = kubeconfig.Stored(k.User, stored.Credential); err != nil {
		return one, err
	}
	credential, err := AddKey(k.User, stored.Credential, k.ClientKey)
	if err != nil {
		return one, err
	}
	one.Until, _ = pki.Until(credential)
	one.Text = credential.Kubeconfig
	if k.Plugin != nil {
		plugin := *k.Plugin
		plugin.Args = append([]string{"--owner=" + owner}, plugin.Args...)
		if one.Text, err = kubeconfig.WithPlugin(one.Text, plugin); err != nil {
			return one, err
		}
	}
	one.Context, err = kubeconfig.ContextName(one.Text)
	return one, err
}

// merge merges those that have no error into the user's kubeconfig, see kubeconfig.Merge. It notes in each what came of it. Only
// one can have another name for its context.
func merge(ctx context.Context, file, contextName string, all []Kubeconfig) error {
	if len(all) == 1 && all[0].Err == nil {
		all[0].Merged, all[0].Err = kubeconfig.Merge(ctx, file, contextName, all[0].Text)
		return nil
	}
	texts, at := usable(all)
	if len(texts) == 0 {
		return nil
	}
	merged, err := kubeconfig.MergeAll(ctx, file, texts)
	for i, m := range merged {
		all[at[i]].Merged, all[at[i]].Err = m, m.Err
	}
	return err
}

// join returns those that have no error as the text of one kubeconfig, or nothing if there are none. Only one can have another name
// for its context.
func join(contextName string, all []Kubeconfig) ([]byte, error) {
	texts, _ := usable(all)
	var text reconcile.Secret
	var err error
	switch {
	case len(texts) == 0:
	case len(all) > 1:
		text, err = kubeconfig.Join(texts)
	case contextName != "":
		text, err = kubeconfig.WithContext(texts[0], contextName)
	default:
		text = texts[0]
	}
	return text.Reveal(), err
}

// usable returns the texts of those that have no error, and their places.
func usable(all []Kubeconfig) (texts []reconcile.Secret, at []int) {
	for i, one := range all {
		if one.Err == nil {
			texts, at = append(texts, one.Text), append(at, i)
		}
	}
	return texts, at
}
