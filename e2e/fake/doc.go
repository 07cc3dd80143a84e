// Package fake keeps a Kubernetes API server and a Vault in memory, for tests in which a fault must be exact.
//
// They keep the servers' semantics as far as certsync asks: uid, resourceVersion, preconditions, immutable fields and
// watches there, check-and-set, soft delete and destroy here. A request that they do not serve gets a 404 or 405, as from the real ones.
//
// A World is the state of both. It is cheap to clone, so that a test can start a thousand runs from one state. Servers
// serve many worlds at once behind one pair of listeners; a Front is one world as one run of certsync sees it, with a
// log of its requests, and the Faults that it meets.
package fake
