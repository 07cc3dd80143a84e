// Package reconciletest has a cluster and a Vault in memory for tests of the packages below reconcile.
//
// World is where to begin. It keeps the servers' semantics (UIDs and resourceVersions as preconditions, check-and-set,
// soft deletes), logs every call, and fails any of them at a test's request. Real servers are in package e2e.
//
// Its Vault is not vaultstore/kvtest's, which holds JSON as the server does. World holds the records and credentials themselves.
// A random story writes thousands of them, and would else encode and parse each one. Tests also change them in place.
package reconciletest
