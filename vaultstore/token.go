package vaultstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/cliconfig"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/inventory/files"
	"github.com/certsync/certsync/reconcile"
)

const loginHint = "run `vault login`, or set VAULT_TOKEN"

// helperLimit is how long a token helper may take. It is a program of somebody else's, which may ask a server.
const helperLimit = time.Minute

// findToken looks where the vault CLI looks. To find none is no error: a Vault Agent with auto-auth needs none.
func findToken(ctx context.Context, given reconcile.Secret) (string, error) {
	token := string(given.Reveal())
	if token == "" {
		token = os.Getenv(api.EnvVaultToken)
	}
	if token == "" {
		var err error
		if token, err = askHelper(ctx); err != nil {
			return "", reconcile.WithHint(fmt.Errorf("asking the vault CLI's token helper: %w", err), loginHint)
		}
	}
	token, err := oneLine(token)
	if err != nil {
		return "", reconcile.WithHint(fmt.Errorf("reading the Vault token: %w", err), loginHint)
	}
	return token, nil
}

// oneLine takes the newline away that a file or a command left at the end of a token.
func oneLine(token string) (string, error) {
	token = strings.TrimSpace(token)
	if strings.ContainsFunc(token, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "", errors.New("it contains characters that no token has")
	}
	return token, nil
}

// askHelper is helperToken with a limit. A program that hangs is left behind: vault/api cannot stop it.
func askHelper(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, helperLimit, fmt.Errorf("it has not answered within %s", inventory.DurationText(helperLimit)))
	defer cancel()
	type answer struct {
		token string
		err   error
	}
	answered := make(chan answer, 1)
	go func() {
		token, err := helperToken()
		answered <- answer{token, err}
	}()
	select {
	case a := <-answered:
		return a.token, a.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

func helperToken() (token string, err error) {
	// The built-in helper panics for a process without a home, as in a container that names no user.
	defer func() {
		if recover() != nil {
			token, err = "", errors.New("there is no home directory to read it from")
		}
	}()
	helper, err := cliconfig.DefaultTokenHelper()
	if err != nil {
		return "", err
	}
	return helper.Get()
}

// maxSecretFile is far more than any token has.
const maxSecretFile = 64 << 10

// readSecret returns the token in a file that a flag names. No error repeats any of it.
func readSecret(flag, name string) (string, error) {
	data, err := files.Read(name, maxSecretFile)
	text := string(data)
	if err == nil {
		text, err = oneLine(text)
	}
	if err == nil && text == "" {
		err = fmt.Errorf("%q is empty", name)
	}
	if err != nil {
		return "", reconcile.WithHint(fmt.Errorf("reading the file of %s: %w", flag, err), "name a file that holds the secret and nothing else with "+flag)
	}
	return text, nil
}
