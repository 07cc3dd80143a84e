// Package preflight finds out whether an apply will work, without one.
//
// Preflight is where to begin: Do makes all checks and returns a Report. A check that needs the result of another says
// so when that one failed, and each check that was not made says which command makes it. Dry runs try the things that
// RBAC cannot tell. Only one check writes, and only if it is asked for: it has a certificate issued under a name that nobody has, and
// logs in with it, also at the address that people get.
//
// ClusterProbe and StoreProbe are the questions to Kubernetes and Vault.
package preflight
