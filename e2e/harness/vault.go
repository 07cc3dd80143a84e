package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
)

func (s *Servers) vaultArgs() []string {
	args := []string{
		"-listen=" + s.ports.vault,
		"-tls-cert=" + s.pki.path("vault.crt"),
		"-tls-key=" + s.pki.path("vault.key"),
		"-init-file=" + s.path("data", "vault-init.json"),
		"-audit-file=" + s.VaultAuditLog,
	}
	if !s.options.VaultInMemory {
		args = append(args, "-data="+s.path("data", "vault"))
	}
	return args
}

// shareVault makes the Vault of another set this one's, for clients and for a proxy.
func (s *Servers) shareVault(of *Servers) {
	s.ports.vault, s.pki.vault = of.ports.vault, of.pki.vault
	s.VaultToken, s.VaultUnsealKey = of.VaultToken, of.VaultUnsealKey
	s.VaultCACert, s.VaultAuditLog = of.VaultCACert, of.VaultAuditLog
}

// checkVault asks for a secret that does not exist: only a Vault that is unsealed and whose mount is there
// says 404, which a sealed one and a mount still being upgraded do not.
func (s *Servers) checkVault(ctx context.Context) error {
	var keys struct {
		RootToken  string   `json:"root_token"`
		UnsealKeys []string `json:"unseal_keys_b64"`
	}
	content, err := os.ReadFile(s.path("data", "vault-init.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, &keys); err != nil {
		return fmt.Errorf("reading the keys of vault: %w", err)
	}
	s.VaultToken, s.VaultUnsealKey = keys.RootToken, keys.UnsealKeys[0]
	if status, err := s.vault().do(ctx, http.MethodGet, "/v1/secret/data/none", nil, nil); status != http.StatusNotFound {
		return fmt.Errorf("reading a secret: status %d: %w", status, err)
	}
	return nil
}

// SealVault seals Vault. It keeps running, and answers 503.
func (s *Servers) SealVault(ctx context.Context) error {
	if _, err := s.vault().do(ctx, http.MethodPut, "/v1/sys/seal", nil, nil); err != nil {
		return fmt.Errorf("sealing vault: %w", err)
	}
	return nil
}

// UnsealVault unseals Vault and waits until it can be used.
func (s *Servers) UnsealVault(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	key := map[string]string{"key": s.VaultUnsealKey}
	if _, err := s.vault().do(ctx, http.MethodPut, "/v1/sys/unseal", key, nil); err != nil {
		return fmt.Errorf("unsealing vault: %w", err)
	}
	return s.waitReady(ctx, Vault)
}

func (s *Servers) vault() *client {
	c := newClient(s.VaultAddr, s.pki.vault.certPEM)
	c.token = s.VaultToken
	return c
}
