package inventory

import "github.com/certsync/certsync/inventory/texts"

// ValidName says whether s can be the name of a user or a group, in a certificate and in a path of Vault. No reserved
// name of Kubernetes is.
func ValidName(s string) bool { return texts.NameFault(s) == "" }

// ValidOwner says whether s can be an owner: a folder of Vault and the value of a label.
func ValidOwner(s string) bool { return texts.OwnerFault(s) == "" }

// ValidRole says whether s can be granted: a legal name of a ClusterRole or a Role, which is any path segment, without the
// # that numbers the parts of a group's binding, without blanks and control characters, and of at most 253 bytes.
func ValidRole(s string) bool { return texts.ClusterRoleFault(s) == "" }

// ValidNamespace says whether s is a legal name of a namespace.
func ValidNamespace(s string) bool { return texts.NamespaceFault(s) == "" }
