package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/vault/helper/namespace"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/vault"
)

// initFile is what the init file holds, by the names that `vault operator init -format=json` uses.
type initFile struct {
	RootToken  string   `json:"root_token"`
	UnsealKeys []string `json:"unseal_keys_b64"`
}

// setUp makes a new core usable, or a restarted one again. It can be cut short anywhere and run again.
func setUp(ctx context.Context, core *vault.Core, flags vaultFlags) error {
	ctx = namespace.RootContext(ctx)
	secret, err := initialize(ctx, core, flags.initFile)
	if err != nil {
		return err
	}
	key, err := base64.StdEncoding.DecodeString(secret.UnsealKeys[0])
	if err != nil {
		return fmt.Errorf("reading the unseal key: %w", err)
	}
	if unsealed, err := core.Unseal(key); err != nil || !unsealed {
		return fmt.Errorf("unsealing: unsealed is %t: %w", unsealed, err)
	}
	token, err := core.DecodeSSCToken(secret.RootToken)
	if err != nil {
		return fmt.Errorf("reading the root token: %w", err)
	}
	// The audit device comes first, so that whoever sees the mount can count on the log.
	if flags.auditFile != "" {
		err := enable(ctx, core, token, "sys/audit", "file/", map[string]any{
			"type":    "file",
			"options": map[string]any{"file_path": flags.auditFile, "log_raw": "false"},
		})
		if err != nil {
			return err
		}
	}
	err = enable(ctx, core, token, "sys/mounts", "secret/", map[string]any{
		"type":    "kv",
		"options": map[string]any{"version": "2"},
	})
	if err != nil {
		return err
	}
	return waitForMount(ctx, core, token)
}

// initialize returns the keys of the core, which are new where it was never initialized.
func initialize(ctx context.Context, core *vault.Core, path string) (initFile, error) {
	var secret initFile
	initialized, err := core.Initialized(ctx)
	if err != nil {
		return secret, fmt.Errorf("reading the storage: %w", err)
	}
	if initialized {
		content, err := os.ReadFile(path)
		if err != nil {
			return secret, fmt.Errorf("reading the keys of an initialized vault: %w", err)
		}
		if err := json.Unmarshal(content, &secret); err != nil || len(secret.UnsealKeys) == 0 {
			return secret, fmt.Errorf("reading the keys in %q: no unseal key: %w", path, err)
		}
		return secret, nil
	}
	one := &vault.SealConfig{SecretShares: 1, SecretThreshold: 1}
	result, err := core.Initialize(ctx, &vault.InitParams{
		BarrierConfig:  &vault.SealConfig{SecretShares: 1, SecretThreshold: 1, StoredShares: 1},
		RecoveryConfig: one,
	})
	if err != nil {
		return secret, fmt.Errorf("initializing: %w", err)
	}
	secret.RootToken = result.RootToken
	secret.UnsealKeys = []string{base64.StdEncoding.EncodeToString(result.SecretShares[0])}
	return secret, writeInitFile(path, secret)
}

// writeInitFile renames the file into place: whoever waits for it must never read half of it.
func writeInitFile(path string, secret initFile) error {
	content, err := json.Marshal(secret)
	if err != nil {
		return err
	}
	part, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)) // with mode 0600
	if err != nil {
		return err
	}
	_, err = part.Write(content)
	if err := errors.Join(err, part.Close()); err != nil {
		return fmt.Errorf("writing the keys: %w", err)
	}
	return os.Rename(part.Name(), path)
}

// enable mounts name below collection (sys/mounts or sys/audit) unless it is there.
func enable(ctx context.Context, core *vault.Core, token, collection, name string, data map[string]any) error {
	there, err := request(ctx, core, token, logical.ReadOperation, collection, nil)
	if err != nil {
		return err
	}
	if there != nil && there.Data[name] != nil {
		return nil
	}
	_, err = request(ctx, core, token, logical.UpdateOperation, collection+"/"+strings.TrimSuffix(name, "/"), data)
	return err
}

// waitForMount waits for the end of the upgrade that every new KV version 2 mount goes through, and
// during which it answers nothing else.
func waitForMount(ctx context.Context, core *vault.Core, token string) error {
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, err = request(ctx, core, token, logical.ReadOperation, "secret/data/none", nil); err == nil {
			return nil
		}
	}
	return fmt.Errorf("waiting for the mount secret/: %w", err)
}

func request(ctx context.Context, core *vault.Core, token string, operation logical.Operation, path string, data map[string]any) (*logical.Response, error) {
	response, err := core.HandleRequest(ctx, &logical.Request{
		Operation:   operation,
		Path:        path,
		Data:        data,
		ClientToken: token,
	})
	if err == nil && response != nil {
		err = response.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("requesting %s of %s: %w", operation, path, err)
	}
	return response, nil
}
