package vaultstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certsync/certsync/reconcile"
)

// TestTokenHelper: the token comes from the program that the vault CLI's configuration names. One that does not answer holds up
// nobody who interrupts.
func TestTokenHelper(t *testing.T) {
	dir := t.TempDir()
	program, config := filepath.Join(dir, "helper"), filepath.Join(dir, "vault.hcl")
	write := func(name, text string, mode os.FileMode) {
		if err := os.WriteFile(name, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write(config, fmt.Sprintf("token_helper = %q\n", program), 0o600)
	t.Setenv("VAULT_CONFIG_PATH", config)
	t.Setenv("VAULT_TOKEN", "")

	write(program, "#!/bin/sh\necho \"token of $1\" | tr ' ' -\n", 0o700)
	if token, err := findToken(t.Context(), reconcile.Secret{}); token != "token-of-get" || err != nil {
		t.Errorf("%q, %v", token, err)
	}

	stop := filepath.Join(dir, "stop")
	write(program, fmt.Sprintf("#!/bin/sh\nuntil [ -e %q ]; do sleep 0.1; done\n", stop), 0o700)
	t.Cleanup(func() { write(stop, "", 0o600) })
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := errors.New("interrupted")
	cancel(interrupted)
	_, err := findToken(ctx, reconcile.Secret{})
	if !errors.Is(err, interrupted) || !strings.HasPrefix(err.Error(), "asking the vault CLI's token helper: ") || reconcile.Hint(err) != loginHint {
		t.Errorf("%v, hint %q", err, reconcile.Hint(err))
	}
}
