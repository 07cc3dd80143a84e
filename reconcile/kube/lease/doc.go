// Package lease is the lock that keeps two runs of one owner apart: a Lease in the cluster.
//
// Begin at Client, which New makes for one namespace. Its Locker takes the lock, and the lock that Acquire returns renews
// itself until it is released or lost. View and Mark only read the Lease, and Try sends a
// write that the API server does not carry out. Events writes Kubernetes Events about it.
//
// # The Lease
//
// The Lease of an owner is certsync-<owner> in the lock namespace, by default kube-system. Its format:
//
//	labels       app.kubernetes.io/managed-by: certsync, certsync.dev/owner: <owner>
//	annotations  certsync.dev/generation and certsync.dev/epochs: the mark of the last run, decimal numbers below 2^62
//	             certsync.dev/revoked: NAME=TIME,…, at most reconcile.MaxRevoked, see below
//	spec         holderIdentity: identity, host and run; "" or missing: the lock is free
//	             acquireTime, renewTime: by the API server's clock
//	             leaseDurationSeconds: 60
//	             leaseTransitions: the number of runs that have taken the lock after the first one
//
// Labels and annotations of others stay. Every write has the Lease's uid and resourceVersion as preconditions. So a run never
// overwrites a change that it has not read.
//
// # The lock's guarantee
//
// At most one run holds the lock, as long as each run stops its writes when the context of UntilLost ends. The numbers:
//
//   - A run renews the Lease every 15 s, and 2 s after a renewal that failed.
//   - A run relies on the lock for 40 s after it sent the last successful renewal. Then the lock is lost, and that context ends.
//   - Another run may take the lock 60 s after the last renewal, by the API server's clock. A longer duration in the Lease
//     counts as 60 s.
//   - That clock is read from the answers' Date header, and is at most 11 s behind. So a write that began under the lock has
//     about nine seconds to end before another run can have the lock.
//   - A renewal that was sent too late is sent again: after the machine slept, its time is out of date. If it slept for longer than
//     those 40 s, the lock is lost within a second.
//
// Nobody can block an owner for ever by writing into the Lease. A time in the future, or none, counts as the time at which a
// waiting run first saw it.
//
// A write without an answer may have been carried out. The run then reads the Lease: if it is the holder, it has the lock.
//
// # The mark
//
// It has two fields of the state in Vault, see reconcile.Mark. The epochs are behind the state's when a run was cut off, and
// ahead of it after Vault was restored: everybody then begins a new epoch.
//
// The generation counts the runs that changed something. Before its first step, a run writes it twice: first into the state
// in Vault, then into the Lease (Record). The order matters: a run that crashes between the two leaves a Lease that is
// behind the state, and never one that is ahead.
//
//   - The Lease is behind by one: a run was cut off. The next run writes the higher number plus one.
//   - There is no Lease, or one without a generation: nobody knows whether the state is the last one. Package plan refuses it,
//     unless it is that of a first run.
//   - The Lease is ahead of the state: Vault was restored from a backup. Package plan refuses it.
//
// Every renewal writes the recorded mark again, so nobody can set it back while the lock is held. Release leaves it in
// the Lease. An annotation that is not a decimal number is an error.
//
// # Revocations without Vault
//
// A run without Vault cannot write into the state that a user's certificates are void. It writes that into the Lease
// (RecordRevoked), before it takes anything from the user. Otherwise the next run with Vault, which may be a job that nobody
// watches, would give a stolen certificate its access back. That run begins the user's next epoch, writes its state, and then
// takes the user out of the annotation. A run that is cut off in between leaves the annotation: the state has the time in it, so
// that the next run begins no other epoch for it. A value that certsync cannot have written is an error.
package lease
