package inventory

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/certsync/certsync/inventory/strict"
	"github.com/certsync/certsync/inventory/userkey"
)

// requestOf returns the request of u in the file that v names, as PEM in its one canonical form. It has to fit in all clusters of u.
func (r *run) requestOf(v strict.Value, u User, s scope) []byte {
	name, ok := fileName(v, "")
	if !ok {
		return nil
	}
	data, fault := r.open(name)
	if len(data) > maxFile {
		fault = fmt.Sprintf("is larger than %d KiB", maxFile>>10)
	}
	var csr *x509.CertificateRequest
	if fault == "" {
		csr, fault = userkey.ParseRequest(data)
	}
	if fault == "" {
		fault = u.unfit(csr, s, name)
	}
	if fault != "" {
		v.Problem("file %s %s", strict.Quote(name), fault)
		return nil
	}
	r.claimKey(v, name, csr.PublicKey)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr.Raw})
}

// unfit says why a request is not for exactly the user's name and groups, or nothing. One request is for all clusters.
func (u User) unfit(csr *x509.CertificateRequest, s scope, file string) string {
	groups := slices.Compact(slices.Sorted(slices.Values(u.Groups)))
	var carries []string
	first := -1
	for i, m := range s.members {
		if !s.within.Has(i) {
			continue
		}
		if first < 0 {
			first, carries = i, s.carried(groups, i)
		} else if !slices.Equal(carries, s.carried(groups, i)) {
			return fmt.Sprintf("cannot fit in all clusters: certificates carry other groups in %s than in %s: give the user the same groups there, or set groupsInCertificate: false",
				strict.Quote(m.Name), strict.Quote(s.members[first].Name))
		}
	}
	if asked, named := u.named(csr); named && slices.Equal(asked, carries) {
		return ""
	}
	fault := "is for another name or other groups than the inventory has"
	// A name that is not valid is a problem already, and nothing to put into a command.
	if u.valid() {
		fault += ": make a new one with the same key: " + userkey.RequestCommand(u.Name, carries, file)
	}
	return fault
}

// claimKey notes a key that another user's request has too: whoever holds it would be both.
func (r *run) claimKey(v strict.Value, name string, key crypto.PublicKey) {
	print := userkey.Fingerprint(key)
	if first, taken := r.keys[print]; taken {
		v.Problem("file %s is for the same key as %s in line %d: each user needs a key of their own", strict.Quote(name), first.Path(), first.Line())
		return
	}
	if r.keys == nil {
		r.keys = map[string]strict.Value{}
	}
	r.keys[print] = v
}

// named reports whether a request's subject is exactly the user's name as CN, in whatever epoch, and groups as O, which it returns
// sorted. Which epoch it has to be is not for the inventory to say: a plan holds a request that does not fit.
func (u User) named(csr *x509.CertificateRequest) (groups []string, ok bool) {
	names, groups, ok := userkey.Subject(csr)
	if !ok || len(names) != 1 {
		return nil, false
	}
	name, _, _ := strings.Cut(names[0], "#")
	return slices.Sorted(slices.Values(groups)), name == u.Name && (name == names[0] || laterEpoch.MatchString(names[0][len(name):]))
}

// laterEpoch is what follows a name in an epoch after the first.
var laterEpoch = regexp.MustCompile(`^#([2-9]|[1-9][0-9]{1,17})$`)

// valid reports whether all of the user's names are.
func (u User) valid() bool {
	return ValidName(u.Name) && !slices.ContainsFunc(u.Groups, func(g string) bool { return !ValidName(g) })
}
