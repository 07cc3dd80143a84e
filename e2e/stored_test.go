package e2e

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"time"

	"github.com/hashicorp/vault/api"
)

// version is one of a user's secret that can be read.
type version struct {
	number  int
	created time.Time
	data    map[string]any
}

// readable are all versions of a user's secret that can be read, but for those that known has.
func (f *fixture) readable(ctx context.Context, user string, known func(created time.Time) bool) ([]version, error) {
	kv, path := f.onlooker.KVv2("secret"), "certsync/"+f.owner+"/users/"+user
	meta, err := kv.GetMetadata(ctx, path)
	if errors.Is(err, api.ErrSecretNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []version
	for _, v := range meta.Versions {
		if v.Destroyed || !v.DeletionTime.IsZero() || known(v.CreatedTime) {
			continue
		}
		secret, err := kv.GetVersion(ctx, path, v.Version)
		if err != nil {
			return nil, err
		}
		out = append(out, version{v.Version, v.CreatedTime, secret.Data})
	}
	return out, nil
}

// text is a field's.
func (v version) text(field string) []byte {
	text, _ := v.data[field].(string)
	return []byte(text)
}

// fingerprint is the certificate's, if the key is its own.
func (v version) fingerprint() (string, error) {
	if _, err := tls.X509KeyPair(v.text("tls.crt"), v.text("tls.key")); err != nil {
		return "", err
	}
	block, _ := pem.Decode(v.text("tls.crt"))
	sum := sha256.Sum256(block.Bytes)
	return hex.EncodeToString(sum[:]), nil
}
