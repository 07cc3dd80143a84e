package inventory

import (
	"bytes"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory/userkey"
)

var (
	oidCommonName   = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidOrganization = asn1.ObjectIdentifier{2, 5, 4, 10}
)

// withRequest has alice in devs, with a request of her own.
const withRequest = header + "groups: [{name: devs}, {name: ops}]\nusers: [{name: alice, groups: [devs], request: alice.csr}]\n"

func TestParseTakesRequests(t *testing.T) {
	plain := csr(t, nil, "devs")
	for sentence, file := range map[string]string{
		"ECDSA-P256":                   plain,
		"ECDSA-P384":                   csrOf(t, newKey(t, elliptic.P384()), nil, "devs"),
		"RSA-2048":                     csrOf(t, rsaKey(t, 2048), nil, "devs"),
		"RSA-3072":                     csrOf(t, rsaKey(t, 3072), nil, "devs"),
		"RSA-PSS":                      csrOf(t, rsaKey(t, 2048), func(r *x509.CertificateRequest) { r.SignatureAlgorithm = x509.SHA256WithRSAPSS }, "devs"),
		"SHA-512":                      csr(t, func(r *x509.CertificateRequest) { r.SignatureAlgorithm = x509.ECDSAWithSHA512 }, "devs"),
		"O before CN":                  csr(t, name(t, one(oidOrganization, asn1.TagUTF8String, "devs"), one(oidCommonName, asn1.TagPrintableString, "alice"))),
		"lines that end as on Windows": strings.ReplaceAll(plain, "\n", "\r\n"),
		"blanks around it":             "\n\n" + plain + "\n ",
		"no line end after it":         strings.TrimSpace(plain),
	} {
		t.Run(sentence, func(t *testing.T) {
			inv := mustParse(t, withRequest, fstest.MapFS{"alice.csr": {Data: []byte(file)}})
			block, _ := pem.Decode([]byte(strings.ReplaceAll(file, "\r", "")))
			if diff := cmp.Diff(csrPEM(block.Bytes), string(inv.Users[0].Request)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestRequestsWithoutGroups: where certificates carry no groups, requests must not ask for any.
func TestRequestsWithoutGroups(t *testing.T) {
	without := strings.Replace(withRequest, "groups:", "defaults: {groupsInCertificate: false}\ngroups:", 1)
	inv := mustParse(t, without, fstest.MapFS{"alice.csr": {Data: []byte(csr(t, nil))}})
	if inv.Users[0].Request == nil || inv.Defaults.CertificateGroups(inv.Users[0]) != nil {
		t.Errorf("%+v", inv.Users[0])
	}
	_, err := Parse("users.yaml", []byte(without), fstest.MapFS{"alice.csr": {Data: []byte(csr(t, nil, "devs"))}})
	if err == nil || !strings.Contains(err.Error(), "-subj /CN=alice -out") {
		t.Error(err)
	}
}

// TestParseTakesRequestsOfOpenSSL: testdata/requests was made by OpenSSL 3.0, with the command that certsync names.
func TestParseTakesRequestsOfOpenSSL(t *testing.T) {
	const want = `openssl req -new -key KEY -subj '/CN=cy\+x@example.com/O=developers/O=on\+call' -out cy.csr`
	if diff := cmp.Diff(want, userkey.RequestCommand("cy+x@example.com", []string{"developers", "on+call"}, "cy.csr")); diff != "" {
		t.Error(diff)
	}
	const text = header + "groups: [{name: on+call}, {name: developers}]\nusers: [{name: cy+x@example.com, groups: [on+call, developers], request: %}]\n"
	for _, file := range []string{"ecdsa.csr", "rsa.csr"} {
		data, err := os.ReadFile(filepath.Join("testdata/requests", file))
		if err != nil {
			t.Fatal(err)
		}
		mustParse(t, strings.Replace(text, "%", file, 1), fstest.MapFS{file: {Data: data}})
	}
	// Without the \ the + begins another attribute.
	data, err := os.ReadFile("testdata/requests/bare-plus.csr")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Parse("users.yaml", []byte(header+"groups: [{name: developers}, {name: on-call}]\nusers: [{name: cy+x, groups: [developers, on-call], request: x.csr}]"), fstest.MapFS{"x.csr": {Data: data}})
	if err == nil || !strings.Contains(err.Error(), `'/CN=cy\+x/O=developers/O=on-call'`) {
		t.Error(err)
	}
}

// TestOldStringMask: testdata/requests/t61.csr was made by OpenSSL 3.0 with string_mask=default, as old configurations have it.
// The message names the string type, and not the subject, which looks right.
func TestOldStringMask(t *testing.T) {
	data, err := os.ReadFile("testdata/requests/t61.csr")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Parse("users.yaml", []byte(header+"groups: [{name: developers}]\nusers: [{name: alice@example.com, groups: [developers], request: x.csr}]"), fstest.MapFS{"x.csr": {Data: data}})
	if err == nil || !strings.HasSuffix(err.Error(), `file "x.csr" `+otherString("T61String")) {
		t.Error(err)
	}
}

// TestGuideRequest: the guide's command is the one that certsync names.
func TestGuideRequest(t *testing.T) {
	guide, err := os.ReadFile("../examples/users/own-key.md")
	if err != nil {
		t.Fatal(err)
	}
	command := userkey.RequestCommand("alice@example.com", []string{"developers"}, "alice.csr")
	if want := "\n" + strings.Replace(command, "KEY", "alice.key", 1) + "\n"; !strings.Contains(string(guide), want) {
		t.Errorf("the guide does not say %s", want)
	}
}

// The end of a message about a subject, and of those about a key and what is asked for.
const (
	otherNames  = `is for another name or other groups than the inventory has: make a new one with the same key: openssl req -new -key KEY -subj /CN=alice/O=devs -out alice.csr`
	otherKey    = `is for a key of a kind or size that is not supported: use RSA-2048, RSA-3072, RSA-4096, ECDSA-P256 or ECDSA-P384`
	unsafeKey   = `is for an RSA key with an unsafe exponent: make a key with the exponent 65537`
	badlySigned = `has an insecure or unknown signature algorithm: make a new one with -sha256`
	notSigned   = `is not signed with its own key: make a new one`
	askedMore   = `has more than a subject: alternative names, other extensions or a challenge password. Make a new one without them`
	notAlone    = `must hold one PEM certificate request (-----BEGIN CERTIFICATE REQUEST-----) and nothing else`
	notPEM      = `does not hold valid PEM`
	notRequest  = `does not hold a valid certificate request`
	privateHeld = `holds a private key, which does not belong in a repository: remove it, and make a new key`
)

// otherString is the message about a string type.
func otherString(kind string) string {
	return "has a name or a group as " + kind + ": set string_mask=utf8only in the section [req] of openssl.cnf, and make a new one with the same key"
}

func TestParseRefusesRequests(t *testing.T) {
	const printable, utf8, t61, bmp, ia5 = asn1.TagPrintableString, asn1.TagUTF8String, asn1.TagT61String, asn1.TagBMPString, asn1.TagIA5String
	cn, o := oidCommonName, oidOrganization
	alice, devs := one(cn, utf8, "alice"), one(o, utf8, "devs")
	named := func(sets ...[]pkix.AttributeTypeAndValue) string { return csr(t, name(t, sets...)) }
	good, key, modulus := csr(t, nil, "devs"), string(privateKey(t)), rsaKey(t, 2048).N
	own := newKey(t, elliptic.P256())
	password, err := asn1.Marshal(pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 7}, Value: asn1.RawValue{
		Tag: asn1.TagSet, IsCompound: true, Bytes: []byte("\x0c\x07hunter2")}})
	if err != nil {
		t.Fatal(err)
	}
	algorithm := func(oid ...int) string {
		return forged(t, good, nil, func(r *request) { r.Algorithm.Algorithm = oid })
	}
	for sentence, c := range map[string]struct{ file, want string }{
		"another name":               {named(one(cn, utf8, "mallory"), devs), otherNames},
		"a name in another case":     {named(one(cn, utf8, "Alice"), devs), otherNames},
		"no name":                    {named(devs), otherNames},
		"two names":                  {named(alice, one(cn, utf8, "mallory"), devs), otherNames},
		"the same name twice":        {named(alice, alice, devs), otherNames},
		"no subject at all":          {named(), otherNames},
		"no group":                   {named(alice), otherNames},
		"another group":              {named(alice, one(o, utf8, "ops")), otherNames},
		"a group more":               {named(alice, devs, one(o, utf8, "ops")), otherNames},
		"a group twice":              {named(alice, devs, devs), otherNames},
		"a department":               {named(alice, devs, one(asn1.ObjectIdentifier{2, 5, 4, 11}, utf8, "x")), otherNames},
		"a user's UID":               {named(alice, devs, one(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57683, 2}, utf8, "x")), otherNames},
		"an e-mail address":          {named(alice, devs, one(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, ia5, "a@b")), otherNames},
		"name and group in one set":  {named([]pkix.AttributeTypeAndValue{part(cn, utf8, "alice"), part(o, utf8, "devs")}), otherNames},
		"a name in Latin-1":          {named(one(cn, t61, "alice"), devs), otherString("T61String")},
		"a name in ASCII":            {named(one(cn, ia5, "alice"), devs), otherString("IA5String")},
		"a group in UTF-16":          {named(alice, one(o, bmp, "\x00d\x00e\x00v\x00s")), otherString("BMPString")},
		"a name that ends in a zero": {named(one(cn, utf8, "alice\x00"), devs), otherNames},
		"a group with a blank after": {named(alice, one(o, printable, "devs ")), otherNames},
		"an alternative name":        {csr(t, func(r *x509.CertificateRequest) { r.DNSNames = []string{"x.example.com"} }, "devs"), askedMore},
		"another extension": {csr(t, func(r *x509.CertificateRequest) {
			r.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Value: []byte("0\x03\x01\x01\xff")}}
		}, "devs"), askedMore},
		"a challenge password":        {forged(t, csrOf(t, own, nil, "devs"), own, func(r *request) { r.Body.Attributes = []asn1.RawValue{{FullBytes: password}} }), askedMore},
		"a key of Ed25519":            {csrOf(t, testKey, nil, "devs"), otherKey},
		"a key on another curve":      {csrOf(t, newKey(t, elliptic.P521()), nil, "devs"), otherKey},
		"an RSA key too short":        {csrOf(t, rsaKey(t, 1024), nil, "devs"), otherKey},
		"an RSA key of another size":  {forgedKey(t, &rsa.PublicKey{N: new(big.Int).Rsh(modulus, 1), E: 65537}), otherKey},
		"an exponent of 3":            {forgedKey(t, &rsa.PublicKey{N: modulus, E: 3}), unsafeKey},
		"an exponent that is even":    {forgedKey(t, &rsa.PublicKey{N: modulus, E: 65538}), unsafeKey},
		"a signature with SHA-1":      {algorithm(1, 2, 840, 10045, 4, 1), badlySigned},
		"a signature with MD5":        {algorithm(1, 2, 840, 113549, 1, 1, 4), badlySigned},
		"a signature of no kind":      {algorithm(1, 2, 3), badlySigned},
		"the signature of another":    {forged(t, good, newKey(t, elliptic.P256()), func(*request) {}), notSigned},
		"another key than has signed": {forgedKey(t, newKey(t, elliptic.P256()).Public()), notSigned},
		"a body that was changed":     {forged(t, csr(t, nil, "devs"), nil, func(r *request) { r.Body.Version = 1 }), notSigned},

		"a private key":              {key, privateHeld},
		"a private key after it":     {good + key, privateHeld},
		"a key in the older form":    {strings.ReplaceAll(key, "PRIVATE", "EC PRIVATE"), privateHeld},
		"nothing":                    {"", notAlone},
		"DER":                        {"\x30\x82\x01", notAlone},
		"text before it":             {"Subject: hunter2\n" + good, notAlone},
		"text after it":              {good + "hunter2\n", notAlone},
		"two":                        {good + good, notAlone},
		"a certificate":              {string(certificate(t)), notAlone},
		"parameters before it":       {"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + good, notAlone},
		"the older name of the kind": {strings.ReplaceAll(good, "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"), notAlone},
		"base64 that is none":        {strings.Replace(good, "MI", "!!", 1), notPEM},
		"headers":                    {strings.Replace(good, "-----\n", "-----\nX: y\n\n", 1), notPEM},
		"a request that is none":     {csrPEM([]byte("hunter2")), notRequest},
		"something after its end":    {csrPEM(append(bytes.Clone(pemBytes(t, good)), 0)), notRequest},
		"more than it may hold":      {strings.Repeat(" ", maxFile+1), `is larger than 64 KiB`},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := Parse("users.yaml", []byte(withRequest), fstest.MapFS{"alice.csr": {Data: []byte(c.file)}})
			want := `users.yaml:5:48: users[0].request: file "alice.csr" ` + c.want
			if err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

func TestParseRefusesRequestFields(t *testing.T) {
	bob := strings.NewReplacer("alice", "bob").Replace
	key := newKey(t, elliptic.P256())
	files := fstest.MapFS{
		"alice.csr": {Data: []byte(csrOf(t, key, nil, "devs"))},
		"bob.csr":   {Data: []byte(csrOf(t, key, name(t, one(oidCommonName, asn1.TagUTF8String, "bob"), one(oidOrganization, asn1.TagUTF8String, "devs"))))},
	}
	for sentence, c := range map[string]struct{ text, want string }{
		"no name of a file":  {strings.Replace(withRequest, "alice.csr", "''", 1), `users.yaml:5:48: users[0].request: is empty`},
		"no text":            {strings.Replace(withRequest, "alice.csr", "[x]", 1), `users.yaml:5:48: users[0].request: text is expected, not a list`},
		"PEM":                {strings.Replace(withRequest, "alice.csr", `"-----BEGIN CERTIFICATE REQUEST-----"`, 1), `users.yaml:5:48: users[0].request: is PEM, but must be the name of a file: put the PEM into a file`},
		"a file outside":     {strings.Replace(withRequest, "alice.csr", "../alice.csr", 1), `users.yaml:5:48: users[0].request: file "../alice.csr" is outside of the inventory's folder`},
		"a file that is not": {strings.Replace(withRequest, "alice.csr", "none.csr", 1), `users.yaml:5:48: users[0].request: file "none.csr" cannot be read: file does not exist`},
		"a file whose name needs quotes": {strings.NewReplacer("[devs]", "[ops]", "alice.csr", "a b.csr").Replace(withRequest),
			`users.yaml:5:47: users[0].request: file "a b.csr" is for another name or other groups than the inventory has: make a new one with the same key: openssl req -new -key KEY -subj /CN=alice/O=ops -out 'a b.csr'`},
		"a name that is none": {strings.Replace(withRequest, "name: alice,", `name: '$(id)',`, 1),
			`users.yaml:5:16: users[0].name: "$(id)" is not a valid name: use letters, digits and . _ @ + -, and begin and end with a letter or digit` + "\n" +
				`users.yaml:5:50: users[0].request: file "alice.csr" is for another name or other groups than the inventory has`},
		"somebody else's key": {withRequest[:len(withRequest)-2] + ",\n " + bob("{name: alice, groups: [devs], request: alice.csr}]"),
			`users.yaml:6:39: users[1].request: file "bob.csr" is for the same key as users[0].request in line 5: each user needs a key of their own`},
	} {
		t.Run(sentence, func(t *testing.T) {
			files["a b.csr"] = files["alice.csr"]
			_, err := Parse("users.yaml", []byte(c.text), files)
			if err == nil {
				t.Fatal("it was taken")
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestRequestsAreOfTheInventory: the digest covers what is in the file, and whoever takes the inventory elsewhere is
// given the file too. Encode, which cannot write files, leaves requests out.
func TestRequestsAreOfTheInventory(t *testing.T) {
	inside := t.TempDir()
	write(t, filepath.Join(inside, "users.yaml"), strings.Replace(withRequest, "alice.csr", "./people//alice.csr", 1))
	digests := map[string]bool{}
	for range 2 {
		write(t, filepath.Join(inside, "people/alice.csr"), csr(t, nil, "devs"))
		file, files, err := LoadFiles(filepath.Join(inside, "users.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		inv, err := file.Only()
		if err != nil {
			t.Fatal(err)
		}
		if len(files) != 2 || files["people/alice.csr"] == nil {
			t.Errorf("%d files", len(files))
		}
		digests[inv.Digest()] = true
		again, err := Parse("users.yaml", inv.Encode(Comments{}), nil)
		if err != nil {
			t.Fatal(err)
		}
		inv.Users[0].Request = nil
		digests[inv.Digest()] = true
		if diff := cmp.Diff(inv, again); diff != "" {
			t.Error(diff)
		}
	}
	if len(digests) != 3 {
		t.Errorf("%d digests of two requests and none", len(digests))
	}
}
