// Package csr gets client certificates by Kubernetes CertificateSigningRequests.
//
// Begin at Issuer, which New makes: its method Issue returns the certificate for one request. List returns the requests of an
// owner that have no certificate, for a plan to show. ApproveCommand returns the command with which a person approves one.
//
// # The life of a signing request
//
//  1. Create: certsync chooses the name, certsync-<owner>.<random>. Nobody can guess it and create a request under it first.
//     The prefix is for people, and for List; no decision depends on it: everybody who may create requests can choose such a
//     name.
//  2. Check: the object that Create returned must have the request, signer, usages and expiration that were sent, and
//     certsync itself as its requester. Otherwise it is deleted.
//  3. Report: CertificateRequest.Created is called with name and UID. For a user's own key, it writes the request into the
//     ledger. If it fails, the request is deleted. It was neither approved nor
//     announced.
//  4. Approve: certsync approves exactly this object, by its UID and resourceVersion, with the reason CertsyncApproved. With
//     Options.Manual, it announces the request instead, and a person runs ApproveCommand. That command names the UID too.
//  5. Collect: a watch passes the certificate to the waiter. At the deadline the Issuer reads the request once itself, in case
//     the watch is broken.
//  6. Discard: a request that did not become a certificate is deleted, also after an interruption, so that nobody approves or
//     signs it later. A denied or failed request stays for people to read. The cluster deletes it within two hours.
//
// A crash leaves at most a request without an approval, or a certificate whose key is lost with the process. Both are
// harmless. The one exception is a certificate for a user's own key, and step 3 has recorded its request.
//
// issuer.go has the steps in their order. request.go makes the object, compares it, and knows its outcomes. approve.go approves, and ask.go
// asks a person to. list.go is for plans, and permission.go says which rights an Issuer needs.
//
// # The watch
//
// All requests in flight share one watch (watch.go), which starts when the first Issue has to wait. It selects by signer, and
// keeps only the requests that somebody waits for. It survives closed connections: a request that was deleted meanwhile ends
// the wait too.
package csr
