package vaultstore

import (
	"context"
	"fmt"

	"github.com/certsync/certsync/reconcile/preflight"
)

var _ preflight.StoreProbe = (*Store)(nil)

// Health asks Vault how it is. Where is known even if Vault does not say the rest.
func (s *Store) Health(ctx context.Context) (preflight.StoreHealth, error) {
	h := preflight.StoreHealth{Address: s.address, Mount: s.tree.mount, Folder: s.tree.folder}
	err := s.call(ctx, "", func(ctx context.Context) error {
		// Only the root namespace knows.
		said, err := s.client.WithNamespace("").Sys().HealthWithContext(ctx)
		if err == nil {
			h.Version, h.Standby, h.Sealed = short(said.Version), said.Standby || said.PerformanceStandby, said.Sealed
		}
		return err
	})
	if err != nil {
		return h, fmt.Errorf("reading Vault's health: %w", err)
	}
	return h, nil
}
