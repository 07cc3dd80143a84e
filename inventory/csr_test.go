package inventory

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"testing"
)

// csr makes a request for alice in those groups with a new P-256 key, as changed.
func csr(t testing.TB, change func(*x509.CertificateRequest), groups ...string) string {
	t.Helper()
	return csrOf(t, newKey(t, elliptic.P256()), change, groups...)
}

func newKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func csrOf(t testing.TB, key crypto.Signer, change func(*x509.CertificateRequest), groups ...string) string {
	t.Helper()
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: "alice", Organization: groups}}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		t.Fatal(err)
	}
	return csrPEM(der)
}

func csrPEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

// name makes a subject, one set for each list of type, string tag and value.
func name(t testing.TB, sets ...[]pkix.AttributeTypeAndValue) func(*x509.CertificateRequest) {
	t.Helper()
	var rdns pkix.RDNSequence
	for _, s := range sets {
		rdns = append(rdns, s)
	}
	der, err := asn1.Marshal(rdns)
	if err != nil {
		t.Fatal(err)
	}
	return func(r *x509.CertificateRequest) { r.RawSubject = der }
}

// part is one attribute of a subject, as a string of that type.
func part(oid asn1.ObjectIdentifier, tag int, value string) pkix.AttributeTypeAndValue {
	return pkix.AttributeTypeAndValue{Type: oid, Value: asn1.RawValue{Tag: tag, Bytes: []byte(value)}}
}

func one(oid asn1.ObjectIdentifier, tag int, value string) []pkix.AttributeTypeAndValue {
	return []pkix.AttributeTypeAndValue{part(oid, tag, value)}
}

// request is a PKCS#10 taken apart.
type request struct {
	Body struct {
		Version            int
		Subject, PublicKey asn1.RawValue
		Attributes         []asn1.RawValue `asn1:"tag:0"`
	}
	Algorithm pkix.AlgorithmIdentifier
	Signature asn1.BitString
}

// forged changes what a request consists of. It is signed again only with a key.
func forged(t testing.TB, text string, key *ecdsa.PrivateKey, change func(*request)) string {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	var r request
	if _, err := asn1.Unmarshal(block.Bytes, &r); err != nil {
		t.Fatal(err)
	}
	change(&r)
	body, err := asn1.Marshal(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if key != nil {
		hash := crypto.SHA256.New()
		hash.Write(body)
		if r.Signature.Bytes, err = key.Sign(rand.Reader, hash.Sum(nil), crypto.SHA256); err != nil {
			t.Fatal(err)
		}
		r.Signature.BitLength = 8 * len(r.Signature.Bytes)
	}
	der, err := asn1.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return csrPEM(der)
}

// forgedKey puts another public key into a request.
func forgedKey(t testing.TB, pub any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return forged(t, csr(t, nil, "devs"), nil, func(r *request) { r.Body.PublicKey = asn1.RawValue{FullBytes: der} })
}

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func pemBytes(t testing.TB, text string) []byte {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatal("no PEM")
	}
	return block.Bytes
}
