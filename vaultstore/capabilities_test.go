package vaultstore

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
)

func TestMissingCapabilities(t *testing.T) {
	all := reconcile.StoreNeeds{Record: []string{"alice"}, Credential: []string{"alice"}, Delete: []string{"bob"}, Purge: []string{"carol"}}
	for name, test := range map[string]struct {
		needs   reconcile.StoreNeeds
		granted func(path string) []string
		want    []string
	}{
		"root":      {all, func(string) []string { return []string{"root"} }, nil},
		"all of it": {all, func(string) []string { return []string{"create", "delete", "list", "read", "update"} }, nil},
		"nothing to do": {reconcile.StoreNeeds{}, func(string) []string { return []string{"deny"} }, []string{
			`"create" and "update" on secret/data/certsync/prod-eu/state`,
		}},
		"nothing": {all, func(string) []string { return []string{"deny"} }, []string{
			`"create" and "update" on secret/data/certsync/prod-eu/state`,
			`"create" and "update" on secret/data/certsync/prod-eu/ledger/alice`,
			`"create" and "update" on secret/data/certsync/prod-eu/users/alice`,
			`"update" on secret/destroy/certsync/prod-eu/users/alice`,
			`"create" and "update" on secret/data/certsync/prod-eu/users/bob`,
			`"delete" on secret/metadata/certsync/prod-eu/users/bob`,
			`"create" and "update" on secret/data/certsync/prod-eu/ledger/carol`,
			`"delete" on secret/metadata/certsync/prod-eu/ledger/carol`,
		}},
		"nothing, and to be read": {reconcile.StoreNeeds{Record: []string{"alice"}, Read: []string{"alice"}}, func(string) []string { return []string{"deny"} }, []string{
			`"create" and "update" and "read" on secret/data/certsync/prod-eu/state`,
			`"create" and "update" and "read" on secret/data/certsync/prod-eu/ledger/alice`,
			`"list" on secret/metadata/certsync/prod-eu/ledger/`,
			`"list" on secret/metadata/certsync/prod-eu/users/`,
			`"read" on secret/metadata/certsync/prod-eu/users/alice`,
		}},
		"who may update only": {reconcile.StoreNeeds{}, func(string) []string { return []string{"read", "update"} }, []string{
			`"create" on secret/data/certsync/prod-eu/state`,
		}},
		"one path": {all, func(path string) []string {
			if strings.HasSuffix(path, "destroy/certsync/prod-eu/users/alice") {
				return []string{"deny"}
			}
			return []string{"create", "delete", "update"}
		}, []string{`"update" on secret/destroy/certsync/prod-eu/users/alice`}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeVault(t)
			f.granted = test.granted
			got, err := f.open(t).MissingCapabilities(t.Context(), test.needs)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("missing (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMissingCapabilitiesOfMany(t *testing.T) {
	var users []string
	for i := range 1200 {
		users = append(users, fmt.Sprintf("user%d", i))
	}
	f := newFakeVault(t)
	f.granted = func(string) []string { return []string{"deny"} }
	got, err := f.open(t).MissingCapabilities(t.Context(), reconcile.StoreNeeds{Record: users, Purge: users[:1]})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 11 || got[10] != "and 1192 more" || got[9] != `"create" and "update" on secret/data/certsync/prod-eu/ledger/user8` {
		t.Errorf("got %q", got)
	}
	if n := len(f.log()); n != 3 {
		t.Errorf("%d questions, want 3", n)
	}
}

func TestMissingCapabilitiesThatCannotBeAsked(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		err    string
		want   string
	}{
		"a token that may not ask": {403, "1 error occurred:\n\t* permission denied\n\n", ""},
		"a token that ended":       {403, invalidBody, "reading the token's capabilities from Vault: Vault answered 403 Forbidden: permission denied, invalid token"},
		"another error":            {400, "paths must be supplied", "reading the token's capabilities from Vault: Vault answered 400 Bad Request: paths must be supplied"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeVault(t)
			s := f.open(t)
			f.fault[1] = failsWith(test.status, test.err)
			got, err := s.MissingCapabilities(t.Context(), reconcile.StoreNeeds{})
			message := ""
			if err != nil {
				message = err.Error()
			}
			if message != test.want || got != nil {
				t.Errorf("got %q, error %q; want error %q", got, message, test.want)
			}
		})
	}
}

func TestCapabilitiesOfAnotherPath(t *testing.T) {
	f := newFakeVault(t)
	s := f.open(t)
	f.fault[1] = page(200, `{"data":{"secret/data/other":["root"]}}`)
	if _, err := s.MissingCapabilities(t.Context(), reconcile.StoreNeeds{}); err == nil {
		t.Error("an answer that names no path of ours is taken for yes")
	}
}
