package vaultstore

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/certsync/certsync/reconcile"
)

const (
	// capabilityPaths is how many paths go into one question. Vault walks its policies once for each.
	capabilityPaths = 500
	// capabilitiesSelf is where a token asks what it may do.
	capabilitiesSelf = "sys/capabilities-self"
	// missingShown is how many sentences somebody reads.
	missingShown = 10
)

// capability is what a plan needs on one path.
type capability struct {
	path  string
	needs []string
}

// MissingCapabilities implements reconcile.StoreReviewer. It names at most ten paths and counts the others.
//
// A token that may not ask (the default policy lets it, but a token need not have that) is taken for one that may do
// everything: the question only spares a run that would stop half-way, and every write still reports its own denial.
func (s *Store) MissingCapabilities(ctx context.Context, needs reconcile.StoreNeeds) ([]string, error) {
	missing, _, err := s.Lacks(ctx, needs)
	return missing, err
}

// Lacks is MissingCapabilities for who wants to know whether the token may ask.
func (s *Store) Lacks(ctx context.Context, needs reconcile.StoreNeeds) (sentences []string, mayAsk bool, err error) {
	all, err := s.needed(needs)
	if err != nil {
		return nil, false, fmt.Errorf("reading the token's capabilities from Vault: %w", err)
	}
	chunks := slices.Collect(slices.Chunk(all, capabilityPaths))
	missing := make([][]string, len(chunks))
	err = s.each(ctx, len(chunks), func(ctx context.Context, i int) (err error) {
		missing[i], err = s.missing(ctx, chunks[i])
		return err
	})
	if r, denied := refused(err, http.StatusForbidden); denied && !r.says(invalidToken) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading the token's capabilities from Vault: %w", err)
	}
	sentences = slices.Concat(missing...)
	if more := len(sentences) - missingShown; more > 0 {
		sentences = append(sentences[:missingShown], fmt.Sprintf("and %d more", more))
	}
	return sentences, true, nil
}

// needed lists each path once. Vault calls the first write to a path "create" and every other one "update"; what is
// there can change until we write, so both are needed.
func (s *Store) needed(needs reconcile.StoreNeeds) ([]capability, error) {
	all := []capability{{s.tree.data(stateEntry), []string{"create", "update"}}}
	at := map[string]int{all[0].path: 0}
	add := func(path string, needs ...string) {
		i, seen := at[path]
		if !seen {
			i = len(all)
			at[path] = i
			all = append(all, capability{path: path})
		}
		for _, n := range needs {
			if !slices.Contains(all[i].needs, n) {
				all[i].needs = append(all[i].needs, n)
			}
		}
	}
	for _, group := range []struct {
		folder           string
		users            []string
		destroys, erases bool
	}{
		{folder: ledgerFolder, users: needs.Record},
		{folder: usersFolder, users: needs.Credential, destroys: true},
		{folder: usersFolder, users: needs.Delete, erases: true},
		{folder: ledgerFolder, users: needs.Purge, erases: true},
	} {
		for _, user := range group.users {
			entry, err := of(group.folder, user)
			if err != nil {
				return nil, err
			}
			add(s.tree.data(entry), "create", "update")
			if group.destroys {
				add(s.tree.destroy(entry), "update")
			}
			if group.erases {
				add(s.tree.metadata(entry), "delete")
			}
		}
	}
	if len(needs.Read) > 0 {
		add(s.tree.data(stateEntry), "read")
		for _, folder := range []string{ledgerFolder, usersFolder} {
			add(s.tree.metadata(folder)+"/", "list")
		}
	}
	for _, user := range needs.Read {
		record, err := of(ledgerFolder, user)
		if err != nil {
			return nil, err
		}
		credential, err := of(usersFolder, user)
		if err != nil {
			return nil, err
		}
		add(s.tree.data(record), "read")
		add(s.tree.metadata(credential), "read")
	}
	return all, nil
}

// missing asks for one chunk.
func (s *Store) missing(ctx context.Context, chunk []capability) ([]string, error) {
	paths := make([]string, len(chunk))
	for i, c := range chunk {
		paths[i] = c.path
	}
	secret, err := s.write(ctx, capabilitiesSelf, map[string]any{"paths": paths}, allow(capabilitiesSelf, "update"))
	if err != nil {
		return nil, err
	}
	if secret == nil {
		return nil, errMalformed
	}
	var sentences []string
	for _, c := range chunk {
		granted, ok := secret.Data[c.path].([]any)
		if !ok {
			return nil, errMalformed
		}
		if slices.Contains(granted, any("root")) {
			continue
		}
		lacks := slices.DeleteFunc(slices.Clone(c.needs), func(n string) bool { return slices.Contains(granted, any(n)) })
		if len(lacks) > 0 {
			sentences = append(sentences, onPath(c.path, lacks))
		}
	}
	return sentences, nil
}
