// Package reconcile holds certsync's vocabulary: bindings, grants, ledger records, observations, plans and their steps, and
// the interfaces to Kubernetes and Vault. Its neighbours do the work:
//
//	reconcile/plan        compares an inventory with the cluster and Vault, and gives a Plan
//	reconcile/plan/index  what the inventory wants and what was observed, by name, and the epoch of each name
//	reconcile/refusal     refusals that plan, removals and preflight share
//	reconcile/renewal     when a certificate is renewed
//	reconcile/rename      which new user may be a former one under another name
//	reconcile/endpoint    what kubeconfigs lead to, and how addresses are compared
//	reconcile/access      what roles and bindings give, and what makes somebody as good as cluster-admin
//	reconcile/revocation  revoked certificates that live, and the lists that deny them
//	reconcile/removals    makes the plan of a run without Vault, which only takes access away
//	reconcile/apply       carries a plan out
//	reconcile/granted     who has which grant by an inventory, at a given time
//	reconcile/rights      what certsync needs to be allowed in Kubernetes
//	reconcile/retention   a Vault that deletes what is written to it after a time
//	reconcile/usage       reads the API server's audit log: which certificates and bindings are used
//	reconcile/pki         keys, certificate requests, and checks of certificates
//	reconcile/preflight, status, review, export, report
//	                      one question each, on the same observation
//	reconcile/kube        the adapter for Kubernetes; package vaultstore is the one for Vault
//	reconcile/httplimit   bounds how much is read of a server's answer
//	reconcile/reconciletest
//	                      a cluster and a Vault in memory, for tests
//
// Where to read on:
//
//	plan.go, reasons.go, stage.go, step.go, spec.go
//	                                      a plan, its digest, and the order of a run
//	username.go                           by which name Kubernetes knows a user, see Username
//	binding.go, bindingname.go            bindings, and what their names say
//	ledger.go, requested.go               a user's record in Vault
//	state.go, grants.go                   an owner's index in Vault
//	revocation.go                         the admission policy for revoked certificates
//	frontproxy.go                         whether certificates could impersonate others through a front proxy
//	ports.go, observe.go, lock.go         what certsync needs of Kubernetes and Vault
//	rules.go, held.go, permissions.go     what a run may not do, and what a plan's steps have to be allowed
//	outcome.go                            how a run ended
//	secret.go, hint.go, timetext.go       keys that nothing prints, errors with hints, times as text
//	certificates.go                       readers of PEM
//	lists.go                              a list without nil, and one without doubles
//
// # One user's name
//
// The way of "alice@example.com" through the packages:
//
//  1. inventory.Load reads it, and refuses a name that is not safe in a certificate, a path of Vault or an object's name.
//  2. plan.Diff looks it up in the state, in the ledger record and in the bindings, and gives steps: issue, then bind.
//  3. [Username] adds the epoch if it is not the first: "alice@example.com#2". That is the CN, and the subject of bindings.
//  4. apply.Apply has package pki make a key and a request with that CN. Package kube/csr sends it under a random name.
//  5. pki checks the certificate against the request. The first certificate of a run also has to log in, see apply.
//  6. The record at ledger/alice@example.com gets the certificate's fingerprint and its end.
//  7. users/alice@example.com gets kubeconfig, certificate and key. The path has no epoch.
//  8. [BindingName] makes "certsync:<owner>:user:alice@example.com:view". That binding serves the username.
//
// # Formats
//
// The output for programs is JSON with a formatVersion, see [FormatVersion]. The lines of apply have none.
//
//	plan -o json               [Plan.MarshalJSON], with [Step] and [Note]
//	apply -o json              one [Event] a line, as each step ends; then [LastEvent]
//	apply --report FILE        report.Account
//	status, preflight -o json  status.Report, preflight.Report
//	status --emergency -o json removals.Emergency
//	review -o json             review.Review
//	revocations -o json        revocation.Report
//	<folder>/ledger/<user>     [Record]: one user's certificates, in Vault
//	<folder>/state             [State]: what one owner's runs share, in Vault
//
// With several clusters, each line of apply begins with "cluster", and [EndedEarly] is the last of a cluster whose run an
// error has ended. A report file has a list of report.Account. The other commands write a fleet.Document (cmd/certsync/internal/fleet),
// which has the forms above by cluster.
//
// A ledger record with a field that this version does not know is refused: a later version may need that field, and a
// rewritten record would lose it.
//
// Three facts are behind most of the code. Kubernetes cannot revoke a certificate, so access hangs on bindings to names,
// and every live certificate is in the ledger. A run can end at any point, so the order of writes is chosen by what a crash
// leaves behind. Anybody may have changed what certsync wrote, so neither a label nor what stands in a namespace proves
// anything (see package plan), and every write has a precondition where the servers have one.
package reconcile
