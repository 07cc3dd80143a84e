package pki_test

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

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/pki"
	"github.com/certsync/certsync/reconcile/reconciletest"
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
	ecKey := reconciletest.NewECKey(t)
	for name, tt := range map[string]struct {
		key crypto.Signer
		pem []byte
	}{
		"ECDSA, PKCS#8":   {ecKey, reconciletest.Block(t, "PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(ecKey))},
		"ECDSA, SEC 1":    {ecKey, reconciletest.Block(t, "EC PRIVATE KEY")(x509.MarshalECPrivateKey(ecKey))},
		"RSA, PKCS#8":     {rsaKey, reconciletest.Block(t, "PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(rsaKey))},
		"RSA, PKCS#1":     {rsaKey, reconciletest.Block(t, "RSA PRIVATE KEY")(x509.MarshalPKCS1PrivateKey(rsaKey), nil)},
		"Ed25519, PKCS#8": {edKey, reconciletest.Block(t, "PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(edKey))},
		"ECDSA, as openssl ecparam -genkey writes it": {ecKey, slices.Concat(
			reconciletest.Block(t, "EC PARAMETERS")([]byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}, nil),
			reconciletest.Block(t, "EC PRIVATE KEY")(x509.MarshalECPrivateKey(ecKey)))},
	} {
		t.Run(name, func(t *testing.T) {
			a := reconciletest.NewAuthority(t, tt.key, nil)
			c, err := pki.NewCAIssuer([]byte("a comment\n"+pki.LeafPEM(a.Cert)), reconcile.NewSecret(tt.pem), func() time.Time { return a.Now })
			if err != nil {
				t.Fatal(err)
			}
			req, key := reconciletest.Asks(t)
			issued, err := c.Issue(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			spec := reconcile.CertificateSpec{User: "bob", Groups: []string{"devs", "ops"}, Expiration: req.Expiration}
			leaf, err := pki.Check(spec, issued.Chain, key.Public, a.Now)
			if err != nil {
				t.Fatal(err)
			}
			roots := x509.NewCertPool()
			roots.AddCert(a.Cert)
			if _, err := leaf.Verify(x509.VerifyOptions{
				Roots: roots, CurrentTime: a.Now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
			}); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(reconcile.CSRRef{}, issued.CSR); diff != "" {
				t.Error(diff)
			}
			if !leaf.NotBefore.Equal(a.Now.Add(-5*time.Minute)) || !leaf.NotAfter.Equal(a.Now.Add(24*time.Hour)) {
				t.Errorf("valid from %s until %s", leaf.NotBefore, leaf.NotAfter)
			}
			if leaf.KeyUsage != x509.KeyUsageDigitalSignature || !slices.Equal(leaf.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}) ||
				!leaf.BasicConstraintsValid || leaf.IsCA || len(a.Cert.SubjectKeyId) == 0 || !slices.Equal(leaf.AuthorityKeyId, a.Cert.SubjectKeyId) {
				t.Errorf("usage %v %v, CA %t %t, authority %x", leaf.KeyUsage, leaf.ExtKeyUsage, leaf.BasicConstraintsValid, leaf.IsCA, leaf.AuthorityKeyId)
			}
		})
	}
}

// TestSerials: random, positive, of up to 128 bits; of a hundred, none is as short as a counter.
func TestSerials(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		n, err := pki.NewSerial()
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
	a := reconciletest.NewAuthority(t, reconciletest.NewECKey(t), func(c *x509.Certificate) { c.NotAfter = c.NotBefore.AddDate(1, 0, 0).Add(time.Hour) })
	now := a.Now
	c, err := pki.NewCAIssuer([]byte(pki.LeafPEM(a.Cert)), reconcile.NewSecret(a.PKCS8(t)), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	req, _ := reconciletest.Asks(t)
	issued, err := c.Issue(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if leaf, err := reconcile.ParseLeaf(issued.Chain); err != nil || !leaf.NotAfter.Equal(a.Cert.NotAfter) {
		t.Errorf("%v, %v", leaf.NotAfter, err)
	}
	now = a.Cert.NotAfter
	if _, err := c.Issue(t.Context(), req); err == nil || !strings.Contains(err.Error(), "the CA's certificate has expired at 2026-03-01T13:00:00Z") {
		t.Errorf("signed by an expired CA: %v", err)
	}
}

// TestNoCA: files that cannot sign are refused before anything is done, and nothing of them is repeated.
func TestNoCA(t *testing.T) {
	good := reconciletest.NewAuthority(t, reconciletest.NewECKey(t), nil)
	cert, key := pki.LeafPEM(good.Cert), string(good.PKCS8(t))
	changed := func(change func(*x509.Certificate)) string {
		return pki.LeafPEM(reconciletest.NewAuthority(t, good.Key, change).Cert)
	}
	garbage := func(kind string) string {
		return string(reconciletest.Block(t, kind)([]byte("hunter2 is no DER"), nil))
	}
	for name, tt := range map[string]struct{ cert, key, want string }{
		"not a CA": {changed(func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, 0 }), key,
			"reading the CA's certificate: it is not a CA certificate: it may not sign certificates"},
		"a CA that may sign revocation lists only": {changed(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }), key, "it is not a CA certificate"},
		"expired": {changed(func(c *x509.Certificate) { c.NotAfter = good.Now }), key,
			"the CA's certificate has expired at 2026-03-01T12:00:00Z"},
		"not valid yet": {changed(func(c *x509.Certificate) { c.NotBefore = good.Now.Add(time.Second) }), key,
			"the CA's certificate is not valid before 2026-03-01T12:00:01Z"},
		"another CA's key":            {cert, string(reconciletest.NewAuthority(t, reconciletest.NewECKey(t), nil).PKCS8(t)), "the CA's key is not that of its certificate"},
		"another kind of key":         {cert, string(reconciletest.NewRSA(t)), "the CA's key is not that of its certificate"},
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
			_, err := pki.NewCAIssuer([]byte(tt.cert), reconcile.NewSecret([]byte(tt.key)), func() time.Time { return good.Now })
			if err == nil || !strings.Contains(err.Error(), tt.want) || reconcile.Hint(err) == "" {
				t.Errorf("error %v, hint %q", err, reconcile.Hint(err))
			}
			said := err.Error() + reconcile.Hint(err)
			for _, line := range append(strings.Split(tt.cert+tt.key, "\n"), "hunter2") {
				if line != "" && !strings.HasPrefix(line, "-----") && strings.Contains(said, line) {
					t.Errorf("%q repeats %q", said, line)
				}
			}
		})
	}
	noKeyUsage := changed(func(c *x509.Certificate) { c.KeyUsage = 0 })
	if _, err := pki.NewCAIssuer([]byte(noKeyUsage), reconcile.NewSecret([]byte(key)), func() time.Time { return good.Now }); err != nil {
		t.Errorf("a CA whose certificate does not limit its key: %v", err)
	}
}

// TestCARefuses: the CA signs no request but one for the user's name and groups, with its own signature.
func TestCARefuses(t *testing.T) {
	c := reconciletest.NewAuthority(t, reconciletest.NewECKey(t), nil).Issuer(t)
	good, _ := reconciletest.Asks(t)
	requests := func(subject pkix.Name) []byte {
		return reconciletest.Block(t, "CERTIFICATE REQUEST")(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject}, reconciletest.NewECKey(t)))
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
		"another kind of PEM":               {[]byte(pki.LeafPEM(reconciletest.NewAuthority(t, reconciletest.NewECKey(t), nil).Cert)), "it is not one PEM certificate request"},
		"two requests":                      {append(slices.Clone(good.CSR), good.CSR...), "it is not one PEM certificate request"},
		"no PEM":                            {[]byte("bob"), "it is not one PEM certificate request"},
		"no PKCS#10":                        {reconciletest.Block(t, "CERTIFICATE REQUEST")([]byte("bob"), nil), "reading the certificate request: "},
	} {
		req := good
		req.CSR = tt.csr
		if _, err := c.Issue(t.Context(), req); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(reconciletest.ErrBoom)
	if _, err := c.Issue(ctx, good); !errors.Is(err, reconciletest.ErrBoom) {
		t.Errorf("after the run has ended: %v", err)
	}
}

// TestApplyWithACA: everything but the issuer is as always, the canary too; nothing is asked of the cluster's signer.
func TestApplyWithACA(t *testing.T) {
	w := reconciletest.NewWorld(t)
	key := reconciletest.Authority{Cert: w.CA, Key: w.CAKey, Now: w.Now}.PKCS8(t)
	issuer, err := pki.NewCAIssuer([]byte(pki.LeafPEM(w.CA)), reconcile.NewSecret(key), func() time.Time { return w.Now })
	if err != nil {
		t.Fatal(err)
	}
	w.Issuer = issuer
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	want := []string{"write state", "login alice", "record alice active", "store alice"}
	if diff := cmp.Diff(want, w.Writes()[:4]); diff != "" {
		t.Error(diff)
	}
	if p := w.Plan(reconciletest.Parse(t, reconciletest.Team)); p.Changes() {
		t.Errorf("left: %q", reconciletest.Lines(p))
	}
	w.Now = w.CA.NotAfter.Add(-time.Hour)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	if rec := w.Ledger["bob"].Versions[2].Record; len(rec.Certificates) != 1 || !rec.Certificates[0].NotAfter.Equal(w.CA.NotAfter) {
		t.Errorf("renewed in the CA's last hour: %+v", rec)
	}
}

// TestCAOfTheUsersName: a user who is called like the CA itself gets a certificate like anybody else's.
func TestCAOfTheUsersName(t *testing.T) {
	a := reconciletest.NewAuthority(t, reconciletest.NewECKey(t), func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: "bob", Organization: []string{"devs", "ops"}}
	})
	req, _ := reconciletest.Asks(t)
	issued, err := a.Issuer(t).Issue(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := reconcile.ParseLeaf(issued.Chain)
	if err != nil || !slices.Equal(leaf.AuthorityKeyId, a.Cert.SubjectKeyId) {
		t.Errorf("authority %x, %v", leaf.AuthorityKeyId, err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.Cert)
	usage := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: a.Now, KeyUsages: usage}); err != nil {
		t.Error(err)
	}
}
