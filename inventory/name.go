package inventory

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/certsync/certsync/inventory/strict"
)

const (
	maxNameLength      = 64 // X.520's limit for CN and O
	maxOwnerLength     = 40
	maxRoleLength      = 253
	maxNamespaceLength = 63
)

var (
	nameForm      = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._@+-]*[A-Za-z0-9])?$`)
	ownerForm     = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	namespaceForm = ownerForm // a DNS label, RFC 1123
)

// ValidName says whether s can be the name of a user or a group, in a certificate and in a path of Vault. No reserved
// name of Kubernetes is.
func ValidName(s string) bool { return nameFault(s) == "" }

// ValidOwner says whether s can be an owner: a folder of Vault and the value of a label.
func ValidOwner(s string) bool { return ownerFault(s) == "" }

// ValidRole says whether s can be granted: a legal name of a ClusterRole or a Role, which is any path segment, without the
// # that numbers the parts of a group's binding, without blanks and control characters, and of at most 253 bytes.
func ValidRole(s string) bool { return clusterRoleFault(s) == "" }

// ValidNamespace says whether s is a legal name of a namespace.
func ValidNamespace(s string) bool { return namespaceFault(s) == "" }

// nameFault says what is wrong with the name of a user or group, or nothing.
func nameFault(s string) string {
	switch {
	case s == "":
		return "is empty"
	case s == "system:masters":
		return "\"system:masters\" bypasses all authorization, so nothing can revoke a certificate that carries it: grant cluster-admin instead"
	case s == "kubeadm:cluster-admins":
		return "\"kubeadm:cluster-admins\" is kubeadm's own group of cluster-admins: grant cluster-admin instead"
	case strings.HasPrefix(strings.ToLower(s), "system:"):
		return strict.Quote(s) + " is reserved: names that begin with system: belong to Kubernetes"
	case utf8.RuneCountInString(s) > maxNameLength:
		return fmt.Sprintf("%s has %d characters, and a certificate can hold %d", strict.Quote(s), utf8.RuneCountInString(s), maxNameLength)
	case !nameForm.MatchString(s):
		return strict.Quote(s) + " is not a valid name: use letters, digits and . _ @ + -, and begin and end with a letter or digit"
	case strings.Contains(s, ".."):
		// Vault: "relative paths not supported", for this anywhere in a path.
		return strict.Quote(s) + " is not a valid name: Vault takes no path with two dots in a row"
	}
	return ""
}

func ownerFault(s string) string {
	switch {
	case s == "":
		return "is empty"
	case len(s) > maxOwnerLength:
		return fmt.Sprintf("%s is longer than %d characters", strict.Quote(s), maxOwnerLength)
	case !ownerForm.MatchString(s):
		return strict.Quote(s) + " is not a valid owner: use a-z, 0-9 and -, and do not begin or end with -"
	}
	return ""
}

func clusterRoleFault(s string) string { return faultOfRole("ClusterRole", s) }

func roleFault(s string) string { return faultOfRole("Role", s) }

func faultOfRole(kind, s string) string {
	switch {
	case s == "":
		return "is empty"
	case len(s) > maxRoleLength:
		return fmt.Sprintf("%s is longer than %d characters", strict.Quote(s), maxRoleLength)
	case s == "." || s == ".." || strings.ContainsAny(s, "/%"):
		return strict.Quote(s) + " is not a valid name for a " + kind + ": it must not be . or .., or contain / or %"
	case strings.Contains(s, "#"):
		return strict.Quote(s) + " cannot be granted: certsync uses # in its own names"
	case !printed(s):
		return strict.Quote(s) + " cannot be granted: it contains a space or a control character"
	}
	return ""
}

func namespaceFault(s string) string {
	if len(s) > maxNamespaceLength || !namespaceForm.MatchString(s) {
		return fmt.Sprintf("%s is not a valid namespace: use a-z, 0-9 and -, do not begin or end with -, and use at most %d characters", strict.Quote(s), maxNamespaceLength)
	}
	return ""
}

// printed says that s is valid UTF-8 without blanks and without characters that a terminal would act upon.
func printed(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) }) < 0
}
