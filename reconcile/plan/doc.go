// Package plan compares an inventory with the cluster and Vault. It is pure: what it knows of the time, the cluster and
// Vault is in its arguments, and the same arguments give the same bytes.
//
// Diff is where to begin. It returns a reconcile.Plan: steps in the order of the run, each with its reasons, and notes for
// the people who review the plan. It looks things up in an index.Index: the inventory and the observation by name, with the
// epoch of each user. Package index below has it.
//
//	diff.go                       Diff and Credentials: the order of everything below
//	users.go                      what a user of the inventory needs: issue, renew, reissue
//	conflicts.go                  what stands in the way of a step of theirs
//	leavers.go                    what is left of a user who is gone: remove and purge
//	parts.go, reasons.go          per binding, which subjects come and go, and why
//	hold.go                       the order of the guards, --policy, and what waits for something that is held
//	guard.go                      --max-removals, and an inventory without users
//	removals.go                   what --max-removals counts, and what is a loss for a protected user
//	protection.go                 --protect, protected users, and the identity that runs apply
//	assemble.go, assemble_wanted.go
//	                              steps of bindings: bind, update and unbind
//	batches.go                    which users a revocation of many takes in which batch
//	refuse.go                     what forbids every write
//	next.go                       the index that the run writes first
//	why.go                        the reason and the ticket of a step
//	notes.go, notes_access.go, notes_begins.go, notes_namespace.go, notes_selector.go
//	                              what reviewers should know, and what changes nothing
//	powerful.go                   which steps make a user as good as cluster-admin
//
// A rename is no removal: index.Index has the Successor of an earlier name, by `previously`. users.go gives the new name its certificate
// (newcomer), leavers.go orders the end of the old one (whyLeaves), and removals.go does not count that (leaves). A rename without
// `previously` counts, and notes.go may suggest it (renames).
//
// Credentials answers a part of the question, for status: what each user's credential needs.
//
// # What is evidence of what
//
// The inventory and the state in Vault are believed. A ledger record and what stands at users/<user> say something about
// that user alone: they can hold their steps, and never widen access or hold anybody else's. Of bindings, the name says
// whose they are. Everything else in a RoleBinding is compared and corrected, and is evidence of nothing, since tenants can
// write it. ClusterRoleBindings, which only administrators can write, prove that an owner has been here before.
package plan
