package vaultstore

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/cliconfig"

	"github.com/certsync/certsync/reconcile"
)

const loginHint = `run "vault login", or set VAULT_TOKEN`

// findToken looks where the vault CLI looks. To find none is no error: a Vault Agent with auto-auth needs none.
func findToken(given reconcile.Secret) (string, error) {
	token := string(given.Reveal())
	if token == "" {
		token = os.Getenv(api.EnvVaultToken)
	}
	if token == "" {
		var err error
		if token, err = helperToken(); err != nil {
			return "", reconcile.WithHint(fmt.Errorf("asking the vault CLI's token helper: %w", err), loginHint)
		}
	}
	token = strings.TrimSpace(token) // of the newline that a file or a command left at its end
	if strings.ContainsFunc(token, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "", reconcile.WithHint(errors.New("reading the Vault token: it holds characters that no token holds"), loginHint)
	}
	return token, nil
}

func helperToken() (token string, err error) {
	// The built-in helper panics for a process without a home, as in a container that names no user.
	defer func() {
		if recover() != nil {
			token, err = "", errors.New("there is no home directory to look in")
		}
	}()
	helper, err := cliconfig.DefaultTokenHelper()
	if err != nil {
		return "", err
	}
	return helper.Get()
}
