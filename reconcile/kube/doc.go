// Package kube is certsync's side of a Kubernetes cluster. It reads the cluster, changes bindings, and implements the
// interfaces that packages reconcile, access and preflight declare for a cluster.
//
// Begin at Connect: it returns a Cluster, whose own methods write nothing. Bindings, Policies, Issuer, Locker and Events
// return the objects that write. To make a plan, certsync passes on the readers only.
//
// The files:
//
//	connect.go, cluster.go        the kubeconfig, the connection, and the endpoint that it gives users
//	observe.go, frontproxy.go     the cluster for a plan, and the front proxies that it trusts
//	room.go                       how much an observation keeps of each namespace
//	every_binding.go              all bindings, for export and status --emergency
//	bindings.go, binding.go       writes of bindings, and their form in the API
//	altered.go                    whether the API server stored what was written
//	review.go, authorizer.go      what certsync may do, and what anybody may do without a binding
//	login.go, reach.go            logs in with a certificate: as certsync connects, and as users do
//	probe.go                      the other questions of preflight
//	parallel.go, warnings.go      requests side by side, and the API server's warnings
//
// The packages below it have one subject each:
//
//   - csr: certificates by signing requests.
//   - lease: the lock of an owner, and the Events about it.
//   - admission: the policy that denies the writes of revoked certificates.
//   - api: the connection that kube, csr, lease and admission share, with its limits and error texts.
//   - kubeconfig: users' kubeconfigs. It sends nothing.
//   - deploy: the objects with which certsync runs in a cluster. It sends nothing.
//   - apitest: an API server for tests.
//
// Imports point one way: kube imports admission, csr and lease, and all of these import api. admission also imports deploy, which makes
// the policy. kubeconfig and deploy import none of the others.
package kube
