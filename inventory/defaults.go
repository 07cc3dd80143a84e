package inventory

import (
	"time"

	"github.com/certsync/certsync/inventory/shape"
	"github.com/certsync/certsync/inventory/strict"
	"github.com/certsync/certsync/inventory/userkey"
)

// builtIn is what holds where the file says nothing.
var builtIn = Defaults{
	Expiration:   168 * time.Hour,
	RenewBefore:  RenewBefore{Share: 33},
	KeyAlgorithm: userkey.ECDSAP256,
}

// parseDefaults returns defaults that go before others.
func parseDefaults(v strict.Value, others Defaults) Defaults {
	d := others
	fields, _ := v.Fields(shape.DefaultsKeys...)
	if field, ok := fields["expiration"]; ok {
		d.Expiration = parseExpiration(field, d.Expiration)
	}
	if field, ok := fields["renewBefore"]; ok {
		d.RenewBefore = parseRenewBefore(field)
		checkRenewal(field, d.RenewBefore, d.Expiration, "")
	} else if field, ok := fields["expiration"]; ok {
		checkRenewal(field, d.RenewBefore, d.Expiration, "") // with the share that is built in, there is no problem
	}
	if field, ok := fields["keyAlgorithm"]; ok {
		d.KeyAlgorithm = parseKeyAlgorithm(field)
	}
	if field, ok := fields["revokedBefore"]; ok {
		if at := parseMoment(field, revoked); at.After(d.RevokedBefore) {
			d.RevokedBefore = at
		}
	}
	if field, ok := fields["groupsInCertificate"]; ok {
		d.WithoutGroups = !field.Boolean(true)
	}
	return d
}

func parseKeyAlgorithm(v strict.Value) userkey.Algorithm {
	s, ok := v.Text()
	if !ok {
		return builtIn.KeyAlgorithm
	}
	for _, a := range userkey.Algorithms {
		if a == s {
			return userkey.Algorithm(a)
		}
	}
	hint := v.DidYouMean(s, userkey.Algorithms)
	if hint == "" {
		hint = ": use " + userkey.Alternatives
	}
	v.Problem("key algorithm %s is unknown%s", strict.Quote(s), hint)
	return builtIn.KeyAlgorithm
}
