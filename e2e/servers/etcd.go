package main

import (
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/storage/wal"
)

// runEtcd serves one member that is its own cluster, to clients with a certificate only.
func runEtcd() error {
	flags := flag.NewFlagSet("etcd", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:2379", "`address` to serve clients on, over TLS")
	data := flags.String("data", "", "`folder` for the data (required)")
	cert := flags.String("tls-cert", "", "certificate to serve with, a PEM `file`")
	key := flags.String("tls-key", "", "its key, a PEM `file`")
	clientCA := flags.String("client-ca", "", "CA of the clients' certificates, a PEM `file`")
	_ = flags.Parse(os.Args[1:])
	if *data == "" || *cert == "" || *key == "" || *clientCA == "" {
		return errors.New("-data, -tls-cert, -tls-key and -client-ca are required")
	}

	address := url.URL{Scheme: "https", Host: *listen}
	cfg := embed.NewConfig()
	cfg.Dir = *data
	cfg.ListenClientUrls = []url.URL{address}
	cfg.AdvertiseClientUrls = []url.URL{address}
	cfg.ListenPeerUrls = nil // it has no peers, and a port less is one less to clash
	cfg.ClientTLSInfo.CertFile = *cert
	cfg.ClientTLSInfo.KeyFile = *key
	cfg.ClientTLSInfo.TrustedCAFile = *clientCA
	cfg.ClientTLSInfo.ClientCertAuth = true
	cfg.UnsafeNoFsync = true // a test's data need not outlive the machine's power
	// Left at zero, every request is logged as a slow one.
	cfg.WarningUnaryRequestDuration = embed.DefaultWarningUnaryRequestDuration
	// Preallocated twice: by default 120 MB for each set of servers.
	wal.SegmentSizeBytes = 4 << 20
	cfg.LogLevel = "warn"
	cfg.LogOutputs = []string{"stderr"}

	etcd, err := embed.StartEtcd(cfg)
	if err != nil {
		return fmt.Errorf("starting etcd: %w", err)
	}
	// Not etcd.Close, which gives its clients seven seconds to go by themselves.
	defer etcd.Server.Stop()
	return serveEtcd(etcd)
}

func serveEtcd(etcd *embed.Etcd) error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	select {
	case <-etcd.Server.ReadyNotify():
	case <-time.After(time.Minute):
		return errors.New("starting etcd: not ready within a minute")
	case <-stop:
		return nil
	}
	select {
	case err := <-etcd.Err():
		return fmt.Errorf("serving etcd: %w", err)
	case <-stop:
		return nil
	}
}
