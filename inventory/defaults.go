package inventory

import (
	"time"

	"github.com/certsync/certsync/inventory/userkey"
)

// builtIn is what holds where the file says nothing.
var builtIn = Defaults{
	Expiration:   168 * time.Hour,
	RenewBefore:  RenewBefore{Share: 33},
	KeyAlgorithm: userkey.ECDSAP256,
}

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
	if field, ok := fields["revokedBefore"]; ok {
		d.RevokedBefore = field.moment(revoked)
	}
	if field, ok := fields["groupsInCertificate"]; ok {
		d.WithoutGroups = !field.boolean(true)
	}
	return d
}

func (v value) keyAlgorithm() userkey.Algorithm {
	s, ok := v.text()
	if !ok {
		return builtIn.KeyAlgorithm
	}
	for _, a := range userkey.Algorithms {
		if a == s {
			return userkey.Algorithm(a)
		}
	}
	hint := v.didYouMean(s, userkey.Algorithms)
	if hint == "" {
		hint = ": use " + userkey.Alternatives
	}
	v.problem("key algorithm %s is unknown%s", show(s), hint)
	return builtIn.KeyAlgorithm
}
