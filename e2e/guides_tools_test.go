package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"os"
	"slices"
	"strings"
)

// opensslCLI is as much of openssl as the guides for users use, for an ECDSA key:
//
//	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out FILE
//	openssl req -new -key FILE -subj /CN=NAME/O=GROUP -out FILE
//	openssl pkey -in FILE -pubout -outform DER
func opensslCLI(args []string) error {
	option := func(name string) string {
		if i := slices.Index(args, name); i >= 0 && i+1 < len(args) {
			return args[i+1]
		}
		return ""
	}
	if len(args) > 0 && args[0] == "genpkey" {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return err
		}
		return os.WriteFile(option("-out"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
	}
	text, err := os.ReadFile(option("-key") + option("-in"))
	if err != nil {
		return err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return fmt.Errorf("no PEM in %s", option("-key")+option("-in"))
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		return fmt.Errorf("a key of type %T: %w", parsed, err)
	}
	switch args[0] {
	case "req":
		var subject pkix.Name
		for _, part := range strings.Split(option("-subj"), "/") {
			if name, value, _ := strings.Cut(part, "="); name == "CN" {
				subject.CommonName = value
			} else if name == "O" {
				subject.Organization = append(subject.Organization, value)
			}
		}
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject}, key)
		if err != nil {
			return err
		}
		return os.WriteFile(option("-out"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), 0o600)
	case "pkey":
		der, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(der)
		return err
	}
	return fmt.Errorf("openssl %s is not known here", args[0])
}
