// Package status says who has access, from where and until when.
//
// Of is where to begin: it returns a Report on every user of the inventory, and on every other user whom the state, the
// ledger, a credential or a ClusterRoleBinding of this owner knows. RoleBindings tell nothing: tenants can make them. It is pure, and its JSON is the form of `status -o json`.
package status
