package vaultstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/certsync/certsync/reconcile"
)

// ErrNoCredential is wrapped by ReadCredential when nothing stands there: it was never written, or was taken away.
var ErrNoCredential = errors.New("there is no credential")

// Stored is a credential as it stands at users/<user>. Without Key, the key is in the user's own hands.
type Stored struct {
	reconcile.Credential
	Version int // of the KV secret
}

// OpenUser is Open for somebody who may read their own credential and nothing else: it checks neither token nor mount.
// Reading the credential shows what is wrong with them.
func OpenUser(ctx context.Context, o Options) (*Store, error) {
	return openUser(ctx, o, usualLimits)
}

func openUser(ctx context.Context, o Options, l limits) (*Store, error) {
	s, err := newStore(ctx, o, l)
	if err != nil || s.session == nil {
		return s, err
	}
	if err := s.exchange(ctx, ""); err != nil {
		return nil, errors.Join(err, s.Close(ctx))
	}
	return s, nil
}

// Place says where the credential of a user stands: the same text means the same secret in the same Vault. It asks nobody.
func (o Options) Place(user string) (string, error) {
	t, err := newTree(o)
	if err != nil {
		return "", err
	}
	entry, err := of(usersFolder, user)
	if err != nil {
		return "", err
	}
	client, _, err := newClient(o, usualLimits)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%q %q %q %q", addressOf(client), client.Namespace(), t.mount, t.folder+"/"+entry), nil
}

// ReadCredential reads what stands at users/<user>, key and all: it is for users themselves. Observing never does.
func (s *Store) ReadCredential(ctx context.Context, user string) (Stored, error) {
	entry, err := of(usersFolder, user)
	if err != nil {
		return Stored{}, err
	}
	d, err := s.readData(ctx, entry)
	if err != nil {
		return Stored{}, s.advise(ctx, err, user, s.tree.data(entry))
	}
	switch {
	case d != nil && d.deleted():
		err = deletedCredential(d)
	case d == nil || string(d.Data) == string(emptyVersion):
		err = reconcile.WithHint(ErrNoCredential, "it was not issued yet, or was removed. Check --owner and --user against the inventory, letter for letter. "+
			"If they are right, ask your certsync administrator")
	}
	if err == nil {
		var c reconcile.Credential
		if c, err = decodeCredential(d.Data); err == nil {
			return Stored{c, d.Metadata.Version}, nil
		}
	}
	return Stored{}, fmt.Errorf("reading the credential at %s: %w", s.tree.name(entry), err)
}

// deletedCredential is ErrNoCredential for one that was there, and that certsync did not take away: it leaves no such version.
func deletedCredential(d *kvData) error {
	what := fmt.Sprintf("version %d was destroyed", d.Metadata.Version)
	if d.Metadata.DeletionTime != "" {
		what = fmt.Sprintf("version %d was deleted at %s", d.Metadata.Version, short(d.Metadata.DeletionTime))
	}
	return reconcile.WithHint(fmt.Errorf("%w: %s", ErrNoCredential, what), "somebody deleted it, or Vault did because of delete_version_after; "+
		"tell your certsync administrator: the next apply stores a new one")
}

// decodeCredential repeats nothing of data in its errors: there is a key in it.
func decodeCredential(data json.RawMessage) (reconcile.Credential, error) {
	var fields struct {
		Kubeconfig  string `json:"kubeconfig"`
		Certificate string `json:"tls.crt"`
		Key         string `json:"tls.key"`
		CA          string `json:"ca.crt"`
	}
	if json.Unmarshal(data, &fields) != nil || fields.Kubeconfig == "" || fields.Certificate == "" {
		return reconcile.Credential{}, reconcile.WithHint(errors.New("it is not a credential that certsync wrote"), reconcile.ForeignHint)
	}
	c := reconcile.Credential{
		Kubeconfig: reconcile.NewSecret([]byte(fields.Kubeconfig)), Certificate: []byte(fields.Certificate), CA: []byte(fields.CA),
	}
	if fields.Key != "" {
		c.Key = reconcile.NewSecret([]byte(fields.Key))
	}
	return c, nil
}
