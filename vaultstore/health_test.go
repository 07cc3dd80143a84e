package vaultstore

import (
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/preflight"
)

func TestHealth(t *testing.T) {
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   preflight.StoreHealth
		fails  bool
	}{
		"active":        {page(200, `{"initialized":true,"version":"1.21.4"}`), preflight.StoreHealth{Version: "1.21.4"}, false},
		"a standby":     {page(299, `{"initialized":true,"standby":true,"version":"1.21.4"}`), preflight.StoreHealth{Version: "1.21.4", Standby: true}, false},
		"sealed":        {page(299, `{"initialized":true,"sealed":true,"version":"1.21.4"}`), preflight.StoreHealth{Version: "1.21.4", Sealed: true}, false},
		"not to be had": {failsWith(404, ""), preflight.StoreHealth{}, true},
		"not Vault":     {page(200, `<html>`), preflight.StoreHealth{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeVault(t)
			s := f.open(t)
			f.fault[1] = test.answer
			got, err := s.Health(t.Context())
			test.want.Address, test.want.Mount, test.want.Folder = f.URL, "secret", "certsync/prod-eu"
			if diff := cmp.Diff(test.want, got); diff != "" || (err != nil) != test.fails {
				t.Errorf("%s%v", diff, err)
			}
		})
	}
}

// TestLacksTellsWhetherItMayAsk: MissingCapabilities takes a token that may not ask for one that may do all.
func TestLacksTellsWhetherItMayAsk(t *testing.T) {
	f := newFakeVault(t)
	s := f.open(t)
	if _, mayAsk, err := s.Lacks(t.Context(), reconcile.StoreNeeds{}); !mayAsk || err != nil {
		t.Errorf("a token that may ask: %t, %v", mayAsk, err)
	}
	f.forget()
	f.fault[1] = failsWith(403, "1 error occurred:\n\t* permission denied\n\n")
	if lacks, mayAsk, err := s.Lacks(t.Context(), reconcile.StoreNeeds{}); mayAsk || lacks != nil || err != nil {
		t.Errorf("a token that may not ask: %q, %t, %v", lacks, mayAsk, err)
	}
	f.forget()
	f.fault[1] = failsWith(403, invalidBody)
	if _, _, err := s.Lacks(t.Context(), reconcile.StoreNeeds{}); err == nil || errors.Is(err, errMalformed) {
		t.Errorf("a token that ended: %v", err)
	}
}
