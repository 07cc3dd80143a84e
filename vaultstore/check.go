package vaultstore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/certsync/certsync/inventory/shell"
	"github.com/certsync/certsync/reconcile"
)

// check finds out what would make every request fail, before anything is written and with a hint each.
func (s *Store) check(ctx context.Context) error {
	tokenErr := s.checkToken(ctx)
	if _, denied := refused(tokenErr, http.StatusForbidden); tokenErr != nil && !denied {
		return tokenErr
	}
	mountErr := s.checkMount(ctx)
	if _, denied := refused(mountErr, http.StatusForbidden); denied && tokenErr != nil && s.session == nil {
		return tokenErr
	}
	// A token without the default policy may not look itself up. If Vault answers it about the mount, it is good.
	return mountErr
}

// tokenInfo is what is decoded of Vault's answer, which also holds the token itself.
type tokenInfo struct {
	NumUses int   `json:"num_uses"`
	TTL     int64 `json:"ttl"` // in seconds; 0: it does not end
}

// limitedToken is for a token that ends after a number of requests. Nobody knows how many a run will make.
func limitedToken(uses int) error {
	return reconcile.WithHint(fmt.Errorf("the token allows only %d more requests, and would end in the middle of a run", uses),
		"use a token without a limit: num_uses=0, or `vault token create` without -use-limit")
}

// TokenLife is how long the token lived on when the Store was opened. It is 0 for one that does not end, for one of which nobody
// may know, and where the Store logs in: it logs in again.
func (s *Store) TokenLife() time.Duration { return s.tokenLife }

func (s *Store) checkToken(ctx context.Context) error {
	info, _, err := fetch[tokenInfo](ctx, s, "auth/token/lookup-self", nil, "the token may be expired or revoked: "+loginHint)
	switch {
	case s.session != nil && info != nil && info.NumUses != 0:
		return s.session.login.limited(s.address)
	case info != nil && info.NumUses != 0:
		err = limitedToken(info.NumUses)
	case err == nil:
		if s.session == nil && info != nil {
			s.tokenLife = time.Duration(info.TTL) * time.Second
		}
		return nil
	case s.client.Token() == "" && errors.As(err, new(*refusal)) && !isSealed(err):
		err = reconcile.WithHint(errors.New("there is no token"), loginHint)
	case isSealed(err) && s.uninitialized(ctx):
		err = errUninitialized
	}
	return fmt.Errorf("logging in to Vault at %s: %w", s.address, err)
}

var errUninitialized = reconcile.WithHint(errors.New("it is not initialized"), "initialize it with `vault operator init`")

func isSealed(err error) bool {
	r, unavailable := refused(err, http.StatusServiceUnavailable)
	return unavailable && r.says("Vault is sealed")
}

// uninitialized tells the two kinds of sealed Vault apart. Any error is taken for "no": sealed is what is known.
func (s *Store) uninitialized(ctx context.Context) bool {
	client := s.client
	if s.session != nil {
		client = s.session.client("")
	}
	// Only the root namespace knows.
	status, err := client.WithNamespace("").Sys().SealStatusWithContext(context.WithValue(ctx, attemptsKey{}, &attempts{}))
	return err == nil && !status.Initialized
}

// mountInfo is Vault's answer to the vault CLI's own first question, which needs no right but one somewhere in the mount.
type mountInfo struct {
	Path    string            `json:"path"`
	Type    string            `json:"type"`
	Options map[string]string `json:"options"`
}

func (s *Store) checkMount(ctx context.Context) error {
	mount := s.tree.mount
	info, _, err := fetch[mountInfo](ctx, s, "sys/internal/ui/mounts/"+mount, nil, fmt.Sprintf(
		"there is no such mount, or the token's policies allow nothing in it. "+
			"Create it with `vault secrets enable -path=%s -version=2 kv`, or name another with --vault-mount", shell.Quote(mount)))
	hint := "name a KV store of version 2 with --vault-mount"
	switch {
	case err != nil:
		return fmt.Errorf("checking Vault's mount %q: %w", mount, err)
	case info == nil:
		err = errors.New("this Vault does not say what it is")
	case info.Path != mount+"/":
		err = fmt.Errorf("the mount at this path is %q", short(info.Path))
		hint = "name the mount with --vault-mount, and folders in it with --vault-prefix"
	case info.Type != "kv" && info.Type != "generic":
		err = fmt.Errorf("it is a secrets engine of type %q, not a KV store", short(info.Type))
	case info.Options["version"] != "2":
		err = errors.New("it is a KV store of version 1, which keeps no versions")
		hint = fmt.Sprintf("upgrade it with `vault kv enable-versioning %s`, or name another with --vault-mount", shell.Quote(mount))
	default:
		return nil
	}
	return reconcile.WithHint(fmt.Errorf("checking Vault's mount %q: %w", mount, err), hint)
}
