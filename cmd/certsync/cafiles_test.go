//go:build unix

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/reconcile"
)

// newCAFiles writes ca.crt and ca.key of a new CA, valid now, into the folder dir.
func newCAFiles(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	fixture.WriteFile(t, filepath.Join(dir, "ca.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o644)
	fixture.WriteFile(t, filepath.Join(dir, "ca.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// caFile is what becomes of the files of a CA, and what certsync says of them.
type caFile struct {
	change     func(dir string) error
	want, hint string // parts of the error; none: the files are good
}

// caFiles are good and bad files of a CA.
func caFiles() map[string]caFile {
	mode := func(m os.FileMode) func(string) error {
		return func(dir string) error { return os.Chmod(filepath.Join(dir, "ca.key"), m) }
	}
	return map[string]caFile{
		"as they should be":         {},
		"a key for reading alone":   {change: mode(0o400)},
		"a key that the group has":  {mode(0o640), `--ca-key: others can read "ca.key", its permissions are 0640`, "chmod 600 ca.key"},
		"a key that all have":       {mode(0o604), "its permissions are 0604", "chmod 600 ca.key"},
		"a key that all can change": {mode(0o602), "its permissions are 0602", "chmod 600 ca.key"},
		"a link to a key": {change: func(dir string) error {
			key := filepath.Join(dir, "ca.key")
			if err := os.Rename(key, key+".real"); err != nil {
				return err
			}
			return os.Symlink(key+".real", key)
		}},
		"a link to a key that all have": {func(dir string) error {
			key := filepath.Join(dir, "ca.key")
			if err := os.Rename(key, key+".real"); err != nil {
				return err
			}
			if err := os.Chmod(key+".real", 0o644); err != nil {
				return err
			}
			return os.Symlink(key+".real", key)
		}, "its permissions are 0644", "chmod 600 ca.key"},
		"no key": {func(dir string) error { return os.Remove(filepath.Join(dir, "ca.key")) },
			"--ca-key: open ca.key: no such file or directory", "an absolute path"},
		"no certificate": {func(dir string) error { return os.Remove(filepath.Join(dir, "ca.crt")) },
			"--ca-cert: open ca.crt: no such file or directory", "an absolute path"},
		"a folder for a certificate": {func(dir string) error {
			crt := filepath.Join(dir, "ca.crt")
			if err := os.Remove(crt); err != nil {
				return err
			}
			return os.Mkdir(crt, 0o700)
		}, `--ca-cert: open ca.crt: not a regular file`, "PEM"},
		"a pipe for a key": {func(dir string) error {
			key := filepath.Join(dir, "ca.key")
			if err := os.Remove(key); err != nil {
				return err
			}
			return syscall.Mkfifo(key, 0o600)
		}, `--ca-key: open ca.key: not a regular file`, "PEM"},
		"too large a certificate": {func(dir string) error { return os.Truncate(filepath.Join(dir, "ca.crt"), 64<<10+1) },
			"--ca-cert: read ca.crt: larger than 64 KiB", "one certificate or key"},
		"a key that is none": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "ca.key"), []byte("hunter2"), 0o600)
		}, "reading the CA's key: it holds no PEM private key", "BEGIN PRIVATE KEY"},
	}
}

// TestCAFiles: certsync refuses a key that others can read, and files that are no files of a CA. It waits for no pipe, and no
// error repeats what a file holds.
func TestCAFiles(t *testing.T) {
	for name, tt := range caFiles() {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			newCAFiles(t, dir)
			t.Chdir(dir)
			if tt.change != nil {
				if err := tt.change(dir); err != nil {
					t.Fatal(err)
				}
			}
			_, err := issuerFlags{Issuer: "ca", CACert: "ca.crt", CAKey: "ca.key"}.ReadCA()
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(reconcile.Hint(err), tt.hint)):
				t.Errorf("error %v, hint %q", err, reconcile.Hint(err))
			case err != nil && strings.Contains(err.Error()+reconcile.Hint(err), "hunter2"):
				t.Errorf("%v repeats what the file holds", err)
			}
		})
	}
}
