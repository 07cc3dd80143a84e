package inventory

import (
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

var testKey = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

// certificate returns a CA certificate as PEM, always the same.
func certificate(t testing.TB) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "test CA"},
		NotBefore:    date(2026, 1, 1),
		NotAfter:     date(2036, 1, 1),
		IsCA:         true,
	}
	der, err := x509.CreateCertificate(nil, template, template, testKey.Public(), testKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func privateKey(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(testKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func TestParseTakesCertificateAuthorities(t *testing.T) {
	ca := string(certificate(t))
	const named, inline = "cluster: {certificateAuthority: %}\n", "cluster: {certificateAuthorityData: %}\n"
	encoded := base64.StdEncoding.EncodeToString([]byte(ca))
	for sentence, c := range map[string]struct {
		cluster, value, file, want string
	}{
		"a file":                        {named, "ca.crt", ca, ca},
		"a file with a longer path":     {named, "./x/../ca.crt", ca, ca},
		"a bundle":                      {named, "ca.crt", ca + "\n" + ca, ca + ca},
		"lines that end as on Windows":  {named, "ca.crt", strings.ReplaceAll(ca, "\n", "\r\n"), ca},
		"blanks around it":              {named, "ca.crt", "\n\n" + ca + "\n ", ca},
		"no line end after it":          {named, "ca.crt", strings.TrimSpace(ca), ca},
		"the same as base64":            {inline, encoded, "", ca},
		"base64 that is folded in YAML": {inline, "\n    " + encoded[:64] + "\n    " + encoded[64:], "", ca},
	} {
		t.Run(sentence, func(t *testing.T) {
			text := header + strings.Replace(c.cluster, "%", c.value, 1) + "users: []\n"
			inv := mustParse(t, text, fstest.MapFS{"ca.crt": {Data: []byte(c.file)}})
			if diff := cmp.Diff(c.want, string(inv.Cluster.CertificateAuthority)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseRefusesAuthorityFiles(t *testing.T) {
	ca, key := string(certificate(t)), string(privateKey(t))
	withHeader := strings.Replace(ca, "-----\n", "-----\nX: y\n\n", 1)
	for sentence, c := range map[string]struct{ file, want string }{
		"a private key":                   {key, `holds a private key, which does not belong in a repository: remove it, and make a new key`},
		"a private key after it":          {ca + key, `holds a private key, which does not belong in a repository: remove it, and make a new key`},
		"a key in the older form":         {strings.ReplaceAll(key, "PRIVATE", "RSA PRIVATE"), `holds a private key, which does not belong in a repository: remove it, and make a new key`},
		"nothing":                         {"", `holds something other than PEM certificates`},
		"DER":                             {"\x30\x82\x01", `holds something other than PEM certificates`},
		"text before it":                  {"Issuer: hunter2\n" + ca, `holds something other than PEM certificates`},
		"text after it":                   {ca + "hunter2\n", `holds something other than PEM certificates`},
		"text between":                    {ca + "hunter2\n" + ca, `holds something other than PEM certificates`},
		"a request":                       {strings.ReplaceAll(ca, "CERTIFICATE", "CERTIFICATE REQUEST"), `holds something other than PEM certificates`},
		"a public key after it":           {ca + strings.ReplaceAll(ca, "CERTIFICATE", "PUBLIC KEY"), `holds something other than PEM certificates`},
		"half of one before it":           {ca[:100] + "\n" + ca, `holds something other than PEM certificates`},
		"half of one":                     {ca[:100], `holds something other than PEM certificates`},
		"base64 that is none":             {strings.Replace(ca, "MI", "!!", 1), `does not hold valid PEM: block 1`},
		"headers":                         {withHeader, `does not hold valid PEM: block 1`},
		"a certificate that is none":      {ca + string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("hunter2")})), `does not hold valid certificates: block 2`},
		"more than it may hold":           {strings.Repeat(" ", maxFile+1), `is larger than 64 KiB`},
		"more than it may, but all valid": {strings.Repeat(ca, maxFile/len(ca)+1), `is larger than 64 KiB`},
	} {
		t.Run(sentence, func(t *testing.T) {
			text := header + "cluster: {certificateAuthority: ca.crt}\nusers: []\n"
			_, err := Parse("users.yaml", []byte(text), fstest.MapFS{"ca.crt": {Data: []byte(c.file)}})
			want := `users.yaml:4:33: cluster.certificateAuthority: file "ca.crt" ` + c.want
			if err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

func TestNoMessageRepeatsAKey(t *testing.T) {
	key := strings.TrimSpace(string(privateKey(t)))
	secret := strings.Split(key, "\n")[1][:8]
	encoded := base64.StdEncoding.EncodeToString([]byte(key))
	texts := []string{"certificateAuthorityData: " + encoded}
	for _, field := range []string{"name", "server", "proxyURL", "tlsServerName", "certificateAuthority", "certificateAuthorityData"} {
		texts = append(texts, field+`: "`+strings.ReplaceAll(key, "\n", `\n`)+`"`)
	}
	for _, text := range texts {
		_, err := Parse("users.yaml", []byte(header+"cluster: {"+text+"}\nusers: []\n"), fstest.MapFS{})
		if err == nil || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), encoded[40:48]) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
