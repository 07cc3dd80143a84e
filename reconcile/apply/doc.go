// Package apply carries out a plan.
//
// Apply is where to begin, and Removals for a run without Vault. The order is: observe and plan; refuse; ask Kubernetes and
// Vault for the rights that the plan needs; ask for consent; take the lock; observe and plan again; write the state; let the Executor do the steps. The second
// plan is carried out. If somebody agreed to the first plan, both must have the same digest. If nobody did (--yes), consent
// is asked under the lock, with the second plan.
//
// # Crash orders
//
// A run can end at any point, so the order of its writes is chosen by what is left behind:
//
//   - The state is written before the first step, check-and-set, so that of two runs that saw the same state one fails. The
//     lock gets the state's generation after it, and is never ahead of the state of a run that was cut off.
//   - The admission policy denies revoked certificates before the other steps, and keeps an entry until the
//     certificate's own end. If that write fails, the other steps are done all the same.
//   - A leaver's record says "removing" before the first binding goes, so that the next run continues. If that write fails,
//     the bindings go all the same: access matters more than the account of it.
//   - A removal takes the bindings, then the credential, then closes the record. A record that says "removed" is true.
//   - Bindings of leavers go before certificates are issued. A signer that is down keeps nobody's access alive. Old names of
//     renamed users go after their new certificates, since nobody should be without access in between.
//   - With several clusters, the removals of all go before the first certificate is asked for in any. Executor.BeforeIssue waits for
//     the other clusters, but not longer than they may take.
//   - A revoked name goes before the new certificate is asked for. If many are revoked, that goes in batches, so that few users
//     are without access at a time. A batch begins if certificates came of the one before it. A batch that has not begun leaves
//     everything as it is, and the next run goes on with it.
//   - A role change creates the new binding before it deletes the old one, for the same reason.
//   - The ledger knows a certificate before Vault has its key. A live certificate that no record names would be lost.
//   - The record of a user's own key is written before the request is sent. That key does not end with the process.
//   - A user's bindings are made after the credential is stored. A name is not bound before its user can use it.
//   - A revocation without Vault is noted at the lock before the first binding goes, and taken out there after the state has
//     the user's next epoch. Wherever a run ends, no later one binds the old name again.
//   - Earlier versions of a credential are destroyed once the new version is there.
//
// A write is check-and-set or has a precondition, where Kubernetes and Vault have one. A binding is created under a name
// that must be free. Vault destroys versions by their numbers, and deletes metadata only after an empty version was written
// check-and-set.
//
// A write that fails ends its own step only; its user is in the event, and the others go on. The exception is the signer: if
// the first certificates of a run do not come or do not work, or if the signer stops answering, no more are asked for. None is
// asked for where the API server's authorizer lets everybody do everything: bindings decide nothing there. Where people approve each
// request, neither is looked at before: they decide.
//
// A run that loses the lock ends all its writes at once, see lease and Executor.execute.
//
//	terms.go               the order of a run: plan, refusals, rights, consent, lock
//	apply.go               a run with Vault: its rights and its state
//	removals.go            a run without Vault
//	execute.go             the stages of a run
//	execute_batches.go     their order, batch by batch
//	execute_bindings.go    bind, update and unbind
//	execute_issue.go       certificates: the first one alone, then the others
//	authorizer.go          the question before the first certificate
//	execute_leavers.go     remove and purge
//	ownkey.go              certificates for keys that never leave their users
package apply
