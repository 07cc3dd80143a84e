// Package kube is certsync's side of a Kubernetes cluster. It reads the cluster, changes bindings, and implements the
// interfaces that package reconcile declares for a cluster.
//
// Begin at Connect: it returns a Cluster, whose own methods write nothing. Bindings, Policies, Issuer, Locker and Events
// return the objects that write. To make a plan, certsync passes on the readers only.
//
// The files: connect.go reads the kubeconfig, observe.go reads the cluster for a plan, bindings.go writes bindings, review.go
// asks for permissions, login.go logs in with a new certificate, and probe.go answers preflight.
//
// The packages below it have one subject each:
//
//   - csr: certificates by signing requests.
//   - lease: the lock of an owner, and the Events about it.
//   - admission: the policy that denies the writes of revoked certificates.
//   - api: the connection that kube, csr and lease share, with its limits and error texts.
//   - kubeconfig: users' kubeconfigs. It sends nothing.
//   - deploy: the objects with which certsync runs in a cluster. It sends nothing.
//   - apitest: an API server for the tests of kube, csr and lease.
//
// Imports point one way: kube imports admission, csr and lease, and these import api. admission also imports deploy, which makes
// the policy. kubeconfig and deploy import none of the others.
package kube
