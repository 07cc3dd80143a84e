package inventory

import "time"

// builtIn is what holds where the file says nothing.
var builtIn = Defaults{
	Expiration:   168 * time.Hour,
	RenewBefore:  RenewBefore{Share: 33},
	KeyAlgorithm: ECDSAP256,
}

// KeyAlgorithm is the kind and size of users' keys.
type KeyAlgorithm string

// The key algorithms that kube-apiserver takes in a client certificate and kubectl can use.
const (
	RSA2048   KeyAlgorithm = "RSA-2048"
	RSA3072   KeyAlgorithm = "RSA-3072"
	RSA4096   KeyAlgorithm = "RSA-4096"
	ECDSAP256 KeyAlgorithm = "ECDSA-P256"
	ECDSAP384 KeyAlgorithm = "ECDSA-P384"
)

var keyAlgorithms = []string{string(RSA2048), string(RSA3072), string(RSA4096), string(ECDSAP256), string(ECDSAP384)}

// alternatives are the key algorithms, in a message.
const alternatives = "RSA-2048, RSA-3072, RSA-4096, ECDSA-P256 or ECDSA-P384"

func parseDefaults(v value) Defaults {
	d := builtIn
	fields, _ := v.fields(defaultsKeys...)
	if field, ok := fields["expiration"]; ok {
		d.Expiration = field.expiration(d.Expiration)
	}
	if field, ok := fields["renewBefore"]; ok {
		d.RenewBefore = parseRenewBefore(field)
		checkRenewal(field, d.RenewBefore, d.Expiration)
	}
	if field, ok := fields["keyAlgorithm"]; ok {
		d.KeyAlgorithm = field.keyAlgorithm()
	}
	return d
}

func (v value) keyAlgorithm() KeyAlgorithm {
	s, ok := v.text()
	if !ok {
		return builtIn.KeyAlgorithm
	}
	for _, a := range keyAlgorithms {
		if a == s {
			return KeyAlgorithm(a)
		}
	}
	hint := v.didYouMean(s, keyAlgorithms)
	if hint == "" {
		hint = ": use " + alternatives
	}
	v.problem("key algorithm %s is unknown%s", show(s), hint)
	return builtIn.KeyAlgorithm
}
