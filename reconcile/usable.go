package reconcile

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"
)

// Usable checks that a credential is a certificate of this user, with its key if there is one, and returns when the
// certificate ends. Whether that is over is for the caller to say. No error repeats anything of the key.
func (c Credential) Usable(user string) (until time.Time, err error) {
	leaf, err := parseLeaf(c.Certificate)
	if err != nil {
		return time.Time{}, err
	}
	if leaf.Subject.CommonName != user {
		return time.Time{}, fmt.Errorf("its certificate is for %q", leaf.Subject.CommonName)
	}
	if key := c.Key.Reveal(); len(key) > 0 {
		if _, err := tls.X509KeyPair(c.Certificate, key); err != nil {
			return time.Time{}, errors.New("its key is not that of its certificate") // err may quote from it
		}
	}
	return leaf.NotAfter, nil
}
