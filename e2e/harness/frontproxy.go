package harness

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"net/http"
	"strings"
)

// remote begins the headers in which a front proxy says who somebody is.
const remote = "X-Remote-"

// credentialID is what the API server notes of a client certificate, escaped for the name of a header.
const credentialID = remote + "Extra-Authentication.kubernetes.io%2Fcredential-Id"

// identify replaces the client certificate of a request by the headers that say whose it is. Without one there are no
// headers; one that the API server would not accept is an error.
func identify(r *http.Request, clients *x509.CertPool) error {
	for name := range r.Header {
		if strings.HasPrefix(name, remote) {
			r.Header.Del(name) // only the proxy may say so
		}
	}
	if len(r.TLS.PeerCertificates) == 0 {
		return nil
	}
	leaf := r.TLS.PeerCertificates[0]
	options := x509.VerifyOptions{
		Roots: clients, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, c := range r.TLS.PeerCertificates[1:] {
		options.Intermediates.AddCert(c)
	}
	if _, err := leaf.Verify(options); err != nil {
		return err
	}
	sum := sha256.Sum256(leaf.Raw)
	r.Header.Set(remote+"User", leaf.Subject.CommonName)
	r.Header[remote+"Group"] = leaf.Subject.Organization
	r.Header[credentialID] = []string{"X509SHA256=" + hex.EncodeToString(sum[:])}
	return nil
}
