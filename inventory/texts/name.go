// Package texts checks the single texts of an inventory: names, URLs and reasons. Each check returns what is wrong with a text, or
// nothing.
package texts

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/certsync/certsync/inventory/strict"
)

// The most that names may hold. Names of users and groups are counted in characters, the others in bytes.
const (
	MaxName      = 64 // X.520's limit for CN and O
	MaxOwner     = 40
	MaxRole      = 253
	MaxNamespace = 63
)

// The forms of names. They leave out how long a name may be.
var (
	nameForm      = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._@+-]*[A-Za-z0-9])?$`)
	OwnerForm     = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	NamespaceForm = OwnerForm // a DNS label, RFC 1123
)

// NameFault says what is wrong with the name of a user or group, or nothing.
func NameFault(s string) string {
	switch {
	case s == "":
		return "is empty"
	case s == "system:masters":
		return "\"system:masters\" bypasses all authorization, so nothing can revoke a certificate that carries it: grant cluster-admin instead"
	case s == "kubeadm:cluster-admins":
		return "\"kubeadm:cluster-admins\" is kubeadm's own group of cluster-admins: grant cluster-admin instead"
	case strings.HasPrefix(strings.ToLower(s), "system:"):
		return strict.Quote(s) + " is reserved: names that begin with system: belong to Kubernetes"
	case utf8.RuneCountInString(s) > MaxName:
		return fmt.Sprintf("%s has %d characters, and a certificate can hold %d", strict.Quote(s), utf8.RuneCountInString(s), MaxName)
	case !nameForm.MatchString(s):
		return strict.Quote(s) + " is not a valid name: use letters, digits and . _ @ + -, and begin and end with a letter or digit"
	case strings.Contains(s, ".."):
		// Vault: "relative paths not supported", for this anywhere in a path.
		return strict.Quote(s) + " is not a valid name: Vault takes no path with two dots in a row"
	}
	return ""
}

// OwnerFault says what is wrong with an owner, or nothing.
func OwnerFault(s string) string {
	switch {
	case s == "":
		return "is empty"
	case len(s) > MaxOwner:
		return fmt.Sprintf("%s is longer than %d characters", strict.Quote(s), MaxOwner)
	case !OwnerForm.MatchString(s):
		return strict.Quote(s) + " is not a valid owner: use a-z, 0-9 and -, and do not begin or end with -"
	}
	return ""
}

// ClusterRoleFault says what is wrong with the name of a ClusterRole, or nothing.
func ClusterRoleFault(s string) string { return faultOfRole("ClusterRole", s) }

// RoleFault says what is wrong with the name of a Role, or nothing.
func RoleFault(s string) string { return faultOfRole("Role", s) }

func faultOfRole(kind, s string) string {
	switch {
	case s == "":
		return "is empty"
	case len(s) > MaxRole:
		return fmt.Sprintf("%s is longer than %d characters", strict.Quote(s), MaxRole)
	case s == "." || s == ".." || strings.ContainsAny(s, "/%"):
		return strict.Quote(s) + " is not a valid name for a " + kind + ": it must not be . or .., or contain / or %"
	case strings.Contains(s, "#"):
		return strict.Quote(s) + " cannot be granted: certsync uses # in its own names"
	case !printed(s):
		return strict.Quote(s) + " cannot be granted: it contains a space or a control character"
	}
	return ""
}

// NamespaceFault says what is wrong with the name of a namespace, or nothing.
func NamespaceFault(s string) string {
	if len(s) > MaxNamespace || !NamespaceForm.MatchString(s) {
		return fmt.Sprintf("%s is not a valid namespace: use a-z, 0-9 and -, do not begin or end with -, and use at most %d characters", strict.Quote(s), MaxNamespace)
	}
	return ""
}

// printed says that s is valid UTF-8 without blanks and without characters that a terminal would act upon.
func printed(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) }) < 0
}
