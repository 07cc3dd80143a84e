package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"k8s.io/client-go/tools/clientcmd"
)

// window is how many characters of a secret in a row give it away: 18 bytes, which nothing else has by chance.
const window = 24

// secrets finds any part of what is secret in a text. It is safe for concurrent use: a test's server may give some out.
type secrets struct {
	mu    sync.RWMutex
	whose map[string]string // by window
}

// windows are those of a secret: a token, or PEM, of which every line but the frame counts.
func windows(text string) map[string]bool {
	all := map[string]bool{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "-----") {
			continue
		}
		for i := 0; i+window <= len(line); i++ {
			all[line[i:i+window]] = true
		}
	}
	return all
}

// add keeps a secret.
func (s *secrets) add(whose, text string) { s.keep(whose, windows(text)) }

func (s *secrets) keep(whose string, windows map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.whose == nil {
		s.whose = map[string]string{}
	}
	for text := range windows {
		s.whose[text] = whose
	}
}

// otherKey is nobody's. What a key has in common with it is how keys of that kind begin, and so do public ones, in any
// certificate.
var otherKey = sync.OnceValue(func() []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
})

// addKey keeps a private key, also as kubeconfigs hold it. What stands in the certificate as well is no secret: a key's
// PEM has the public key in it.
func (s *secrets) addKey(whose string, key, certificate []byte) {
	for _, encode := range []func([]byte) string{func(b []byte) string { return string(b) }, base64.StdEncoding.EncodeToString} {
		private := windows(encode(key))
		for _, public := range [][]byte{certificate, otherKey()} {
			for text := range windows(encode(public)) {
				delete(private, text)
			}
		}
		s.keep(whose, private)
	}
}

// find says whose secret stands in a text, or nothing.
func (s *secrets) find(text string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i := 0; i+window <= len(text); i++ {
		if whose, ok := s.whose[text[i:i+window]]; ok {
			return whose
		}
	}
	for _, sign := range []string{"PRIVATE KEY", "client-key-data"} {
		if strings.Contains(text, sign) {
			return fmt.Sprintf("%q", sign)
		}
	}
	return ""
}

// TestSecretsAreFound: what looks for keys in certsync's output would find one.
func TestSecretsAreFound(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: public})
	s := &secrets{}
	s.addKey("alice's key", text, certificate)
	s.add("a token", "hvs.abcdefghijklmnopqrstuvwxyz")
	lines := strings.Split(string(text), "\n")
	asJSON, err := json.Marshal(lines[1] + "\n" + lines[2])
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ text, want string }{
		"part of a key's first line":  {"error: " + lines[1][40:], "alice's key"},
		"part of its second line":     {"error: " + lines[2][:window] + "…", "alice's key"},
		"too little to be one":        {"error: " + lines[2][:window-1] + "…", ""},
		"in JSON":                     {string(asJSON), "alice's key"},
		"as in a kubeconfig":          {base64.StdEncoding.EncodeToString(text)[60:], "alice's key"},
		"its certificate":             {string(certificate), ""},
		"most of a token":             {"X-Vault-Token: hvs.abcdefghijklmnopqrstuv", "a token"},
		"a key that nobody kept":      {"-----BEGIN EC PRIVATE KEY-----", `"PRIVATE KEY"`},
		"a kubeconfig that has a key": {"client-key-data: x", `"client-key-data"`},
		"a plan":                      {"Plan for prod-eu: 1 to issue", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := s.find(tt.text); got != tt.want {
				t.Errorf("found %q, want %q in %s", got, tt.want, tt.text)
			}
		})
	}
}

// onlooker is the name of the token that keepSecrets reads with, so that an audit log tells its reads from certsync's.
const onlooker = "onlooker"

// keepSecrets keeps every key that can be read in the owner's folder now, so that it can be looked for when it is
// replaced or deleted.
func (f *fixture) keepSecrets() error {
	// Also when the test's own context is over.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	users, err := f.entries(ctx, "users")
	if err != nil {
		return err
	}
	for _, user := range users {
		versions, err := f.readable(ctx, user, func(created time.Time) bool { return f.kept[user+created.String()] })
		if err != nil {
			return err
		}
		for _, v := range versions {
			f.kept[user+v.created.String()] = true
			f.secrets.addKey("the key of "+user, v.text("tls.key"), v.text("tls.crt"))
		}
	}
	return nil
}

// ownSecrets keeps those that certsync is given.
func (f *fixture) ownSecrets() error {
	f.secrets, f.kept = &secrets{}, map[string]bool{}
	f.secrets.add("the root token", f.servers.VaultToken)
	token, err := f.vault.Auth().Token().CreateWithContext(f.Context(), &api.TokenCreateRequest{DisplayName: onlooker, Policies: []string{"root"}})
	if err != nil {
		return err
	}
	if f.onlooker, err = f.vault.Clone(); err != nil {
		return err
	}
	f.onlooker.SetToken(token.Auth.ClientToken)
	config, err := clientcmd.BuildConfigFromFlags("", f.kubeconfig)
	if err != nil {
		return err
	}
	f.secrets.addKey("certsync's own key", config.KeyData, config.CertData)
	return nil
}

// noSecrets looks for them in all that certsync printed, and in the only folder that it could write to: its working
// folder, home and temporary folder are all in the fixture's.
func (f *fixture) noSecrets() {
	if err := f.keepSecrets(); err != nil {
		f.Error(err)
	}
	if whose := f.secrets.find(f.seen.String()); whose != "" {
		f.Errorf("certsync printed a secret: %s", whose)
	}
	err := filepath.WalkDir(f.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "ca.crt" { // the file of a test that plants a key
			return err
		}
		text, err := os.ReadFile(path)
		if whose := f.secrets.find(string(text)); whose != "" {
			f.Errorf("certsync wrote a secret to %s: %s", d.Name(), whose)
		}
		return err
	})
	if err != nil {
		f.Error(err)
	}
}
