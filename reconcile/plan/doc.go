// Package plan compares an inventory with the cluster and Vault. It is pure: what it knows of the time, the cluster and
// Vault is in its arguments, and the same arguments give the same bytes.
//
// Diff is where to begin. It returns a reconcile.Plan: steps in the order of the run, each with its reasons, and notes for
// the people who review the plan.
//
//	index.go                              the inventory and the observation, by name
//	diff_users.go, differences.go         a user's certificate: issue, renew, reissue
//	diff_leavers.go                       users who are gone: remove and purge
//	diff_bindings.go, diff_writes.go      bindings: bind, update and unbind
//	guard.go, removals.go                 what is too much to take away at once
//	certificates.go                       what each user holds before the run
//	notes.go, notes_namespace.go          what reviewers should know, and what changes nothing
//	powerful.go                           which steps make a user as good as cluster-admin
//	renewal.go                            when a certificate is renewed
//
// Credentials answers a part of the question, for status: what each user's credential needs.
package plan
