package reconcile

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestCASigns: what the CA signs is what was asked for and no more, by any kind of key in any of its encodings, and the
// executor's own check takes it.
func TestCASigns(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecKey := newECKey(t)
	for name, tt := range map[string]struct {
		key crypto.Signer
		pem []byte
	}{
		"ECDSA, PKCS#8":   {ecKey, block(t, "PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(ecKey))},
		"ECDSA, SEC 1":    {ecKey, block(t, "EC PRIVATE KEY")(x509.MarshalECPrivateKey(ecKey))},
		"RSA, PKCS#8":     {rsaKey, block(t, "PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(rsaKey))},
		"RSA, PKCS#1":     {rsaKey, block(t, "RSA PRIVATE KEY")(x509.MarshalPKCS1PrivateKey(rsaKey), nil)},
		"Ed25519, PKCS#8": {edKey, block(t, "PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(edKey))},
		"ECDSA, as openssl ecparam -genkey writes it": {ecKey, slices.Concat(
			block(t, "EC PARAMETERS")([]byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}, nil),
			block(t, "EC PRIVATE KEY")(x509.MarshalECPrivateKey(ecKey)))},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAuthority(t, tt.key, nil)
			c, err := NewCAIssuer([]byte("a comment\n"+leafPEM(a.cert)), NewSecret(tt.pem), func() time.Time { return a.now })
			if err != nil {
				t.Fatal(err)
			}
			req, key := asks(t)
			issued, err := c.Issue(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			spec := certificateSpec{user: "bob", groups: []string{"devs", "ops"}, expiration: req.Expiration}
			leaf, err := check(spec, issued.Chain, key.signer.Public(), a.now)
			if err != nil {
				t.Fatal(err)
			}
			roots := x509.NewCertPool()
			roots.AddCert(a.cert)
			if _, err := leaf.Verify(x509.VerifyOptions{
				Roots: roots, CurrentTime: a.now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
			}); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(CSRRef{}, issued.CSR); diff != "" {
				t.Error(diff)
			}
			if !leaf.NotBefore.Equal(a.now.Add(-5*time.Minute)) || !leaf.NotAfter.Equal(a.now.Add(24*time.Hour)) {
				t.Errorf("valid from %s until %s", leaf.NotBefore, leaf.NotAfter)
			}
			if leaf.KeyUsage != x509.KeyUsageDigitalSignature || !slices.Equal(leaf.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}) ||
				!leaf.BasicConstraintsValid || leaf.IsCA || len(a.cert.SubjectKeyId) == 0 || !slices.Equal(leaf.AuthorityKeyId, a.cert.SubjectKeyId) {
				t.Errorf("usage %v %v, CA %t %t, authority %x", leaf.KeyUsage, leaf.ExtKeyUsage, leaf.BasicConstraintsValid, leaf.IsCA, leaf.AuthorityKeyId)
			}
		})
	}
}

// TestSerials: random, positive, of up to 128 bits; of a hundred, none is as short as a counter.
func TestSerials(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		n, err := newSerial()
		if err != nil || n.Sign() <= 0 || n.BitLen() > 128 || n.BitLen() < 96 {
			t.Errorf("%v, %v", n, err)
		}
		seen[n.String()] = true
	}
	if len(seen) != 100 {
		t.Errorf("%d different ones of 100", len(seen))
	}
}

// TestCASignsNoLongerThanItself: a certificate that outlives its CA is one that fails before it says so.
func TestCASignsNoLongerThanItself(t *testing.T) {
	a := newAuthority(t, newECKey(t), func(c *x509.Certificate) { c.NotAfter = c.NotBefore.AddDate(1, 0, 0).Add(time.Hour) })
	now := a.now
	c, err := NewCAIssuer([]byte(leafPEM(a.cert)), NewSecret(a.pkcs8(t)), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	req, _ := asks(t)
	issued, err := c.Issue(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if leaf, err := parseLeaf(issued.Chain); err != nil || !leaf.NotAfter.Equal(a.cert.NotAfter) {
		t.Errorf("%v, %v", leaf.NotAfter, err)
	}
	now = a.cert.NotAfter
	if _, err := c.Issue(t.Context(), req); err == nil || !strings.Contains(err.Error(), "the CA's certificate has expired at 2026-03-01T13:00:00Z") {
		t.Errorf("signed by an expired CA: %v", err)
	}
}

// TestNoCA: files that cannot sign are refused before anything is done, and nothing of them is repeated.
func TestNoCA(t *testing.T) {
	good := newAuthority(t, newECKey(t), nil)
	cert, key := leafPEM(good.cert), string(good.pkcs8(t))
	changed := func(change func(*x509.Certificate)) string { return leafPEM(newAuthority(t, good.key, change).cert) }
	garbage := func(kind string) string { return string(block(t, kind)([]byte("hunter2 is no DER"), nil)) }
	for name, tt := range map[string]struct{ cert, key, want string }{
		"not a CA": {changed(func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, 0 }), key,
			"reading the CA's certificate: it is not a CA's: it may not sign certificates"},
		"a CA that may sign revocation lists only": {changed(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }), key, "it is not a CA's"},
		"expired": {changed(func(c *x509.Certificate) { c.NotAfter = good.now }), key,
			"the CA's certificate has expired at 2026-03-01T12:00:00Z"},
		"not valid yet": {changed(func(c *x509.Certificate) { c.NotBefore = good.now.Add(time.Second) }), key,
			"the CA's certificate is not valid before 2026-03-01T12:00:01Z"},
		"another CA's key":            {cert, string(newAuthority(t, newECKey(t), nil).pkcs8(t)), "the CA's key is not that of its certificate"},
		"another kind of key":         {cert, string(newRSA(t)), "the CA's key is not that of its certificate"},
		"two certificates":            {cert + cert, key, "it holds 2 certificates"},
		"the files the wrong way":     {key, cert, "reading the CA's certificate: it holds no PEM certificate"},
		"the certificate twice":       {cert, cert, "reading the CA's key: it holds no PEM private key"},
		"empty files":                 {"", "", "it holds no PEM certificate"},
		"a certificate that is none":  {garbage("CERTIFICATE"), key, "it is no valid certificate"},
		"a PKCS#8 key that is none":   {cert, garbage("PRIVATE KEY"), "it is no valid RSA, ECDSA or Ed25519 key"},
		"a PKCS#1 key that is none":   {cert, garbage("RSA PRIVATE KEY"), "it is no valid RSA"},
		"a SEC 1 key that is none":    {cert, garbage("EC PRIVATE KEY"), "it is no valid RSA"},
		"an encrypted key":            {cert, garbage("ENCRYPTED PRIVATE KEY"), "reading the CA's key: it is encrypted"},
		"an encrypted key, old style": {cert, "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,hunter2\n\naHVudGVyMg==\n-----END RSA PRIVATE KEY-----\n", "it is encrypted"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewCAIssuer([]byte(tt.cert), NewSecret([]byte(tt.key)), func() time.Time { return good.now })
			if err == nil || !strings.Contains(err.Error(), tt.want) || Hint(err) == "" {
				t.Errorf("error %v, hint %q", err, Hint(err))
			}
			said := err.Error() + Hint(err)
			for _, line := range append(strings.Split(tt.cert+tt.key, "\n"), "hunter2") {
				if line != "" && !strings.HasPrefix(line, "-----") && strings.Contains(said, line) {
					t.Errorf("%q repeats %q", said, line)
				}
			}
		})
	}
	noKeyUsage := changed(func(c *x509.Certificate) { c.KeyUsage = 0 })
	if _, err := NewCAIssuer([]byte(noKeyUsage), NewSecret([]byte(key)), func() time.Time { return good.now }); err != nil {
		t.Errorf("a CA whose certificate does not limit its key: %v", err)
	}
}

// TestCARefuses: the CA signs no request but one for the user's name and groups, with its own signature.
func TestCARefuses(t *testing.T) {
	c := newAuthority(t, newECKey(t), nil).issuer(t)
	good, _ := asks(t)
	requests := func(subject pkix.Name) []byte {
		return block(t, "CERTIFICATE REQUEST")(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject}, newECKey(t)))
	}
	forged, _ := pem.Decode(good.CSR)
	forged.Bytes[len(forged.Bytes)-1] ^= 1
	for name, tt := range map[string]struct {
		csr  []byte
		want string
	}{
		"a signature that is not the key's": {pem.EncodeToMemory(forged), "checking its signature"},
		"another name":                      {requests(pkix.Name{CommonName: "root"}), `it is for "root", not for "bob"`},
		"more in the subject":               {requests(pkix.Name{CommonName: "bob", OrganizationalUnit: []string{"x"}}), "holds more than CN and O"},
		"another kind of PEM":               {[]byte(leafPEM(newAuthority(t, newECKey(t), nil).cert)), "it is not one PEM certificate request"},
		"two requests":                      {append(slices.Clone(good.CSR), good.CSR...), "it is not one PEM certificate request"},
		"no PEM":                            {[]byte("bob"), "it is not one PEM certificate request"},
		"no PKCS#10":                        {block(t, "CERTIFICATE REQUEST")([]byte("bob"), nil), "reading the certificate request: "},
	} {
		req := good
		req.CSR = tt.csr
		if _, err := c.Issue(t.Context(), req); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errBoom)
	if _, err := c.Issue(ctx, good); !errors.Is(err, errBoom) {
		t.Errorf("after the run has ended: %v", err)
	}
}

// TestApplyWithACA: everything but the issuer is as always, the canary too; nothing is asked of the cluster's signer.
func TestApplyWithACA(t *testing.T) {
	w := newWorld(t)
	issuer := authority{w.ca, w.caKey, w.now}.issuer(t)
	issuer.now = func() time.Time { return w.now }
	w.issuer = issuer
	w.mustApply(parse(t, team))
	want := []string{"write state", "login alice", "record alice active", "store alice"}
	if diff := cmp.Diff(want, w.writes()[:4]); diff != "" {
		t.Error(diff)
	}
	if p := w.plan(parse(t, team)); p.Changes() {
		t.Errorf("left: %q", lines(p))
	}
	w.now = w.ca.NotAfter.Add(-time.Hour)
	w.mustApply(parse(t, team))
	if rec := w.ledger["bob"].versions[2].record; len(rec.Certificates) != 1 || !rec.Certificates[0].NotAfter.Equal(w.ca.NotAfter) {
		t.Errorf("renewed in the CA's last hour: %+v", rec)
	}
}

// TestCAOfTheUsersName: a user who is called like the CA itself gets a certificate like anybody else's.
func TestCAOfTheUsersName(t *testing.T) {
	a := newAuthority(t, newECKey(t), func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: "bob", Organization: []string{"devs", "ops"}}
	})
	req, _ := asks(t)
	issued, err := a.issuer(t).Issue(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := parseLeaf(issued.Chain)
	if err != nil || !slices.Equal(leaf.AuthorityKeyId, a.cert.SubjectKeyId) {
		t.Errorf("authority %x, %v", leaf.AuthorityKeyId, err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	usage := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: a.now, KeyUsages: usage}); err != nil {
		t.Error(err)
	}
}
