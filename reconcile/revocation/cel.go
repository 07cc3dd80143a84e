package revocation

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/certsync/certsync/reconcile"
)

// The API server takes expressions of up to 100,000 code points. An entry has 147 at most.
const maxListed = 650

// Request is how CEL names who sends a request. There is one for each kind of document.
type Request struct{ user, groups, extra string }

// The requests of an admission policy, and of a webhook in an authorization configuration.
var (
	Admission     = Request{"request.userInfo.username", "request.userInfo.groups", "request.userInfo.extra"}
	Authorization = Request{"request.user", "request.groups", "request.extra"}
)

const credentialID = "'authentication.kubernetes.io/credential-id'"

// Condition is a match condition.
type Condition struct{ Name, Expression string }

// Conditions are true for requests with a certificate that a list may deny. They leave out Kubernetes' own components, and the
// groups of administrators that no inventory can give: no list locks them out. Tokens have a credential-id too.
func (r Request) Conditions() []Condition {
	return []Condition{
		{"by-certificate", fmt.Sprintf("has(%[1]s) && %[2]s in %[1]s && %[1]s[%[2]s].exists(id, id.startsWith('X509SHA256='))", r.extra, credentialID)},
		{"not-of-kubernetes", fmt.Sprintf("!%s.startsWith('system:')", r.user)},
		{"not-of-administrators", fmt.Sprintf("!has(%[1]s) || !%[1]s.exists(g, g == 'system:masters' || g == 'kubeadm:cluster-admins')", r.groups)},
	}
}

// key is what a list has of the certificate. The first 11 characters of its credential-id are "X509SHA256=".
func (r Request) key() string {
	return fmt.Sprintf("%s + ' ' + %s[%s][0].substring(11)", r.user, r.extra, credentialID)
}

// Denials are the validations of an admission policy. Each is true unless the request's certificate is listed.
func Denials(entries []reconcile.RevokedCertificate) []string {
	var all []string
	for _, list := range lists(entries) {
		all = append(all, "!("+Admission.key()+" in "+list+")")
	}
	return all
}

// Matches are conditions of webhooks in an authorization configuration. Each is true if the request's certificate is listed.
func Matches(entries []reconcile.RevokedCertificate) []string {
	var all []string
	for _, list := range lists(entries) {
		all = append(all, Authorization.key()+" in "+list)
	}
	return all
}

// lists writes entries as maps in CEL: by name and fingerprint the end, in seconds since 1970.
func lists(entries []reconcile.RevokedCertificate) []string {
	var all []string
	var list strings.Builder
	for i, e := range entries {
		if i%maxListed == 0 {
			list.WriteString("{")
		}
		fmt.Fprintf(&list, "'%s': %d", key(e), e.Until.Unix())
		if i%maxListed == maxListed-1 || i == len(entries)-1 {
			all = append(all, list.String()+"}")
			list.Reset()
			continue
		}
		list.WriteString(", ")
	}
	return all
}

// listed finds the entries of a list.
var listed = regexp.MustCompile(`'([A-Za-z0-9][A-Za-z0-9._@+#-]{0,63}) ([0-9a-f]{64})': ([0-9]{1,12})[,}]`)

// ParseDenials reads the entries of validations. exact is false where they are not what Denials writes.
func ParseDenials(validations []string) (entries []reconcile.RevokedCertificate, exact bool) {
	for _, v := range validations {
		for _, m := range listed.FindAllStringSubmatch(v, MaxEntries-len(entries)) {
			seconds, err := strconv.ParseInt(m[3], 10, 64)
			if err != nil {
				continue
			}
			entries = append(entries, reconcile.RevokedCertificate{Username: m[1], SHA256: m[2], Until: time.Unix(seconds, 0).UTC()})
		}
	}
	sortEntries(entries)
	again := Denials(entries)
	exact = len(again) == len(validations)
	for i := range again {
		exact = exact && again[i] == validations[i]
	}
	return entries, exact
}
