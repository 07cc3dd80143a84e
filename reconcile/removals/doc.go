// Package removals takes access away without Vault: for the night when Vault is down, and somebody has to go. It needs the
// inventory and the cluster alone. It is pure, as package plan is.
//
//	removals.go   Diff, the plan of `apply --removals-only`: who goes out of which binding
//	reasons.go    who stays, and why the others go
//	guards.go     what the guards hold, and what they count
//	steps.go      steps of bindings
//	byhand.go     ByHand, the kubectl commands that take one user out of everything
//
// # Who goes
//
// Without Vault nobody knows in which epoch a user is. A subject is the user whom it names, whatever its epoch: alice and alice#2
// are alice. A user whom the inventory gives a grant stays in its bindings under each of these names. Everything else goes out of
// bindings with a name of the owner's, and so do all subjects of a user who is revoked. Nothing is given: no binding is made, and
// no subject added.
//
// A revocation is noted at the lock (reconcile.Plan.Revoked), since the state in Vault cannot be written. Package plan begins the
// next epoch of such a user. Otherwise the next run with Vault would bind the old name again.
//
// # What the guards count
//
// Package plan counts what the state in Vault says that certsync gave. Here nobody knows that. Every subject that goes out of a
// RoleBinding is one that the inventory does not give, and an admin of the namespace can have put it there. If guards
// counted them, one tenant could have every removal in the cluster refused, and a tenant who is to go could do so to stay. So
// RoleBindings count for nothing, neither as removals nor in the total: --max-removals counts ClusterRoleBindings, which only
// administrators can write. It cannot see an inventory that lost grants in namespaces by mistake. The next run with Vault puts
// those back, since the certificates are still good.
//
// --protect and the identity that runs apply refuse the run for the same bindings only. In a RoleBinding such a user stays, and
// the others go.
package removals
