package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/audit"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/vault"
)

type vaultFlags struct {
	listen, cert, key, initFile, data, auditFile string
}

func parseVaultFlags(args []string) (vaultFlags, error) {
	var f vaultFlags
	flags := flag.NewFlagSet("vault", flag.ExitOnError)
	flags.StringVar(&f.listen, "listen", "127.0.0.1:8200", "`address` to serve on, over TLS")
	flags.StringVar(&f.cert, "tls-cert", "", "certificate to serve with, a PEM `file` (required)")
	flags.StringVar(&f.key, "tls-key", "", "its key, a PEM `file` (required)")
	flags.StringVar(&f.initFile, "init-file", "", "JSON `file` for the root token and the unseal key: written when new, else read (required)")
	flags.StringVar(&f.data, "data", "", "`folder` for the data (default: memory, gone with the process)")
	flags.StringVar(&f.auditFile, "audit-file", "", "`file` for the audit log")
	_ = flags.Parse(args)
	if f.cert == "" || f.key == "" || f.initFile == "" {
		return f, errors.New("-tls-cert, -tls-key and -init-file are required")
	}
	return f, nil
}

// runVault serves a Vault that initializes and unseals itself and has a KV version 2 mount at secret/.
func runVault() error {
	flags, err := parseVaultFlags(os.Args[1:])
	if err != nil {
		return err
	}
	// Listening comes first: a port that is taken must not leave an initialized storage behind.
	listener, err := net.Listen("tcp", flags.listen)
	if err != nil {
		return err
	}
	logger := hclog.New(&hclog.LoggerOptions{Name: "vault", Level: hclog.Info, Output: os.Stderr})
	core, err := newCore(flags, logger)
	if err != nil {
		return err
	}

	served := make(chan error, 1)
	server := newServer(core, listener, logger)
	go func() { served <- server.ServeTLS(listener, flags.cert, flags.key) }()
	if err := setUp(context.Background(), core, flags); err != nil {
		return err
	}

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	select {
	case err := <-served:
		return fmt.Errorf("serving vault: %w", err)
	case <-stop:
		_ = server.Close()
		return core.Shutdown()
	}
}

func newCore(flags vaultFlags, logger hclog.Logger) (*vault.Core, error) {
	storage, kind, err := newStorage(flags.data, logger)
	if err != nil {
		return nil, fmt.Errorf("opening the storage: %w", err)
	}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:           storage,
		StorageType:        kind,
		AuditBackends:      map[string]audit.Factory{"file": audit.NewFileBackend},
		LogicalBackends:    secrets,
		CredentialBackends: credentials,
		BuiltinRegistry:    registry{},
		RedirectAddr:       "https://" + flags.listen,
		DisableMlock:       true, // not every machine allows it, and the keys are a test's
		Logger:             logger,
	})
	if err != nil {
		return nil, fmt.Errorf("creating the core: %w", err)
	}
	return core, nil
}

func newServer(core *vault.Core, listener net.Listener, logger hclog.Logger) *http.Server {
	handler := vaulthttp.Handler.Handler(&vault.HandlerProperties{
		Core:           core,
		ListenerConfig: &configutil.Listener{Type: "tcp", Address: listener.Addr().String()},
	})
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          logger.StandardLogger(nil),
	}
}
