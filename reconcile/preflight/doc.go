// Package preflight finds out whether an apply will work, without one.
//
// Preflight is where to begin: Do makes all checks and returns a Report. A check that needs the result of another says
// so when that one failed, and each check that was not made says which command makes it. Dry runs try the things that
// RBAC cannot tell. Only one check writes, and only if it is asked for: it has a certificate issued under a name that nobody has, and
// logs in with it, also at the address that people get.
//
// ClusterProbe and StoreProbe are the questions to Kubernetes and Vault.
//
//	preflight.go    Do, its questions to the servers, and how a check ends
//	cluster.go      the API server, its resources, clock and lock, and certsync's rights
//	bind.go         roles, namespaces and bindings
//	everybody.go    what everybody has, and whether bindings limit anybody
//	issue.go        the signer, and the certificate of --issue
//	store.go        Vault, certsync's rights there, and a token that ends too early
//	users.go        the address that people get
//	lettercase.go   names that an auth method of Vault turns into lower case
package preflight
