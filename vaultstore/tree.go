package vaultstore

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/certsync/certsync/inventory"
)

// The entries in an owner's folder.
const (
	ledgerFolder = "ledger"
	usersFolder  = "users"
	stateEntry   = "state"
)

// tree builds the paths of one owner's folder. KV version 2 has one tree for each kind of access.
type tree struct {
	mount  string // "secret"
	folder string // "certsync/prod-eu"
}

var segment = regexp.MustCompile(`^[A-Za-z0-9._@~+-]+$`)

func newTree(o Options) (tree, error) {
	if !inventory.ValidOwner(o.Owner) {
		return tree{}, fmt.Errorf("%q is not a valid owner", o.Owner)
	}
	mount, err := cleanPath(o.Mount, defaultMount)
	if err != nil {
		return tree{}, fmt.Errorf("reading the mount %q: %w (--vault-mount)", o.Mount, err)
	}
	prefix, err := cleanPath(o.Prefix, defaultPrefix)
	if err != nil {
		return tree{}, fmt.Errorf("reading the prefix %q: %w (--vault-prefix)", o.Prefix, err)
	}
	return tree{mount: mount, folder: prefix + "/" + o.Owner}, nil
}

// cleanPath takes a path as people write them, "team/kv" or "team/kv/".
func cleanPath(path, otherwise string) (string, error) {
	if path == "" {
		return otherwise, nil
	}
	path = strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/")
	for name := range strings.SplitSeq(path, "/") {
		// vault/api joins paths, so that ".." walks up and out of the folder.
		if name == "." || name == ".." || !segment.MatchString(name) {
			return "", fmt.Errorf("%q cannot be a part of a path", name)
		}
	}
	return path, nil
}

// of is the entry of a user in ledger/ or users/. Names go into a path nowhere else.
func of(folder, user string) (string, error) {
	if !inventory.ValidName(user) {
		return "", fmt.Errorf("building the path %s/%s: %q is not a valid name of a user", folder, user, user)
	}
	return folder + "/" + user, nil
}

// name is what people call an entry, and what `vault kv get` takes.
func (t tree) name(entry string) string     { return t.mount + "/" + t.folder + "/" + entry }
func (t tree) data(entry string) string     { return t.mount + "/data/" + t.folder + "/" + entry }
func (t tree) metadata(entry string) string { return t.mount + "/metadata/" + t.folder + "/" + entry }
func (t tree) destroy(entry string) string  { return t.mount + "/destroy/" + t.folder + "/" + entry }
func (t tree) config() string               { return t.mount + "/config" }

// allow is a hint for somebody whose token lacks a capability. With several capabilities, Vault doesn't say which.
func allow(path string, capabilities ...string) string {
	return "the token's policies must allow " + onPath(path, capabilities)
}

// onPath reads `"create" and "update" on secret/data/certsync/prod-eu/state`.
func onPath(path string, capabilities []string) string {
	return `"` + strings.Join(capabilities, `" and "`) + `" on ` + path
}
