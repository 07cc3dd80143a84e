// Package apply carries out a plan.
//
// Apply is where to begin. Its order is: observe and plan, refuse or ask for consent, ask Kubernetes and Vault for the
// rights that the plan needs, take the lock, observe and plan again, write the state, and let the Executor do the steps.
// The second plan is carried out. If somebody agreed to the first plan, both must have the same digest.
//
// A run can end at any point, so the order of its writes is chosen by what is left behind:
//
//   - A leaver's record says "removing" before the first binding goes. A run that is cut off is then continued.
//   - Bindings of leavers go before certificates are issued. A signer that is down keeps nobody's access alive.
//   - A role change creates the new binding before it deletes the old one. Nobody is without access in between.
//   - The ledger knows a certificate before Vault has its key. A live certificate that no record names would be lost.
//   - A user's own key does not end with the process. Its record is written before the request is sent.
//   - A user's bindings are made after the credential is stored. A name is not bound before its user can use it.
//   - Older versions of a credential are destroyed last.
//
// Each write is check-and-set or has a precondition. A write that fails ends its own step only; its user is in the event,
// and the others go on.
//
//	apply.go               consent, rights, lock and state
//	execute.go             the stages of a run
//	execute_bindings.go    bind, update and unbind
//	execute_issue.go       certificates: the first one alone, then the others
//	execute_leavers.go     remove and purge
//	ownkey.go              certificates for keys that never leave their users
package apply
