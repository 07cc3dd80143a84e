// Package reconcile is what certsync does, without the servers that it does it to.
//
// An inventory (package inventory) says who may use a cluster. Observe reads the cluster and Vault: all of it, or an
// error. Diff, a function of its arguments alone, compares the two and gives a Plan: steps, each with its reasons, and
// notes for whoever reviews it. Apply asks for consent, observes and plans once more, and has the Executor carry the
// plan out, stage by stage, with every user's failure their own.
//
// Where to read on:
//
//	diff.go, diff_users.go, diff_bindings.go, diff_writes.go, notes.go   what a plan says, and why
//	powerful.go                                                          what makes somebody as good as cluster-admin
//	plan.go, stage.go                                                    the plan, its digest, and the order of a run
//	apply.go, guard.go, permissions.go                                   what has to be true before the first write
//	execute*.go                                                          the run itself, and what it does on failure
//	binding.go, ledger.go, certificate.go, keys.go, renewal.go           names, records, certificates, keys, times
//	ports.go, observe.go                                                 what it needs of Kubernetes and Vault
//
// Three things are behind most of the code. Kubernetes cannot revoke a certificate, so access hangs on bindings to
// names, which can be taken away, and every certificate that still lives is in the ledger. A run can end at any point,
// so the order of writes is chosen by what a crash would leave behind. And anybody's mistake or malice may have changed
// what certsync wrote, so nothing is taken to be ours by its label alone, and every write has a precondition.
package reconcile
