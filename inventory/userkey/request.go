package userkey

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	"github.com/certsync/certsync/inventory/shell"
)

// minExponent is the least exponent of an RSA key that is not suspect, and the one that everybody takes.
const minExponent = 1<<16 + 1

var (
	oidCommonName   = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidOrganization = asn1.ObjectIdentifier{2, 5, 4, 10}
)

// signatures are those of requests that nobody can forge. MD5 and SHA-1 are not among them.
var signatures = []x509.SignatureAlgorithm{
	x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512, x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
	x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
}

// ParseRequest reads the one PEM block that a file of a request holds, and says what is wrong with it, whoever it is for. It refuses
// anything around the block, which pem.Decode alone would skip: a key, for example. No message repeats what is in the file:
// somebody will name the one with the key one day.
func ParseRequest(data []byte) (csr *x509.CertificateRequest, fault string) {
	const begin, end = "-----BEGIN CERTIFICATE REQUEST-----", "-----END CERTIFICATE REQUEST-----"
	if bytes.Contains(data, []byte("PRIVATE KEY-----")) {
		return nil, "holds a private key, which does not belong in a repository: remove it, and make a new key"
	}
	data = bytes.TrimSpace(data)
	if !bytes.HasPrefix(data, []byte(begin)) || !bytes.HasSuffix(data, []byte(end)) || bytes.Count(data, []byte("-----BEGIN")) != 1 {
		return nil, "must hold one PEM certificate request (-----BEGIN CERTIFICATE REQUEST-----) and nothing else"
	}
	block, rest := pem.Decode(data)
	if block == nil || len(block.Headers) > 0 || len(bytes.TrimSpace(rest)) > 0 {
		return nil, "does not hold valid PEM"
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, "does not hold a valid certificate request"
	}
	if fault = requestFault(csr); fault == "" {
		fault = stringFault(csr)
	}
	return csr, fault
}

// requestFault says what is wrong with a request, whoever it is for.
func requestFault(csr *x509.CertificateRequest) string {
	switch k, isRSA := csr.PublicKey.(*rsa.PublicKey); {
	case AlgorithmOf(csr.PublicKey) == "":
		return "is for a key of a kind or size that is not supported: use " + Alternatives
	case isRSA && (k.E < minExponent || k.E%2 == 0):
		return fmt.Sprintf("is for an RSA key with an unsafe exponent: make a key with the exponent %d", minExponent)
	case !slices.Contains(signatures, csr.SignatureAlgorithm):
		return "has an insecure or unknown signature algorithm: make a new one with -sha256"
	case csr.CheckSignature() != nil:
		return "is not signed with its own key: make a new one"
	}
	// csr.Attributes lacks the attributes that package x509 could not read.
	var body struct {
		Version            int
		Subject, PublicKey asn1.RawValue
		Attributes         []asn1.RawValue `asn1:"tag:0"`
	}
	if rest, err := asn1.Unmarshal(csr.RawTBSCertificateRequest, &body); err != nil || len(rest) > 0 || len(body.Attributes) > 0 {
		return "has more than a subject: alternative names, other extensions or a challenge password. Make a new one without them"
	}
	return ""
}

// otherStrings are the string types of X.520 that a name must not have, by ASN.1 tag. Their bytes are not UTF-8, or need not be.
var otherStrings = map[int]string{
	asn1.TagT61String: "T61String", asn1.TagIA5String: "IA5String", asn1.TagBMPString: "BMPString", universalString: "UniversalString",
}

// universalString is UniversalString's tag, which encoding/asn1 does not have.
const universalString = 28

// stringFault says which string type a name or a group has that is not UTF8String or PrintableString. OpenSSL writes T61String
// where its configuration has an old string_mask.
func stringFault(csr *x509.CertificateRequest) string {
	subject, _ := subjectOf(csr)
	for _, set := range subject {
		for _, a := range set {
			kind, other := otherStrings[a.Value.Tag]
			if other && a.Value.Class == asn1.ClassUniversal && (a.Type.Equal(oidCommonName) || a.Type.Equal(oidOrganization)) {
				return "has a name or a group as " + kind + ": set string_mask=utf8only in the section [req] of openssl.cnf, and make a new one with the same key"
			}
		}
	}
	return ""
}

type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

type attributeSET []attribute // the name makes it a SET

// subjectOf returns the sets of a request's subject, as they were sent.
func subjectOf(csr *x509.CertificateRequest) (subject []attributeSET, ok bool) {
	rest, err := asn1.Unmarshal(csr.RawSubject, &subject)
	return subject, err == nil && len(rest) == 0
}

// Subject returns the values of CN and O in a request's subject, as they were sent. Package x509 drops
// their order, their sets and their string types. It is false if the subject holds anything else.
func Subject(csr *x509.CertificateRequest) (names, groups []string, ok bool) {
	subject, ok := subjectOf(csr)
	if !ok {
		return nil, nil, false
	}
	for _, set := range subject {
		if len(set) != 1 {
			return nil, nil, false
		}
		switch v := set[0].Value; {
		case v.Class != asn1.ClassUniversal || v.Tag != asn1.TagUTF8String && v.Tag != asn1.TagPrintableString:
			return nil, nil, false
		case set[0].Type.Equal(oidCommonName):
			names = append(names, string(v.Bytes))
		case set[0].Type.Equal(oidOrganization):
			groups = append(groups, string(v.Bytes))
		default:
			return nil, nil, false
		}
	}
	return names, groups, true
}

// RequestCommand is the command that makes a request with the holder's key, for a name and groups, into a file.
func RequestCommand(name string, groups []string, file string) string {
	// Since version 3, OpenSSL takes a bare + for the beginning of another attribute of the same set.
	subject := strings.ReplaceAll("/CN="+strings.Join(append([]string{name}, groups...), "/O="), "+", `\+`)
	return fmt.Sprintf("openssl req -new -key KEY -subj %s -out %s", shell.Quote(subject), shell.Quote(file))
}
