// Package kube is certsync's side of a Kubernetes cluster: it reads what stands there, changes bindings, has
// certificates issued and logs in with them. It implements the ports that package reconcile declares.
//
// Connect gives a Cluster, which reads only. What writes is asked of it by name (Bindings, Issuer, Locker), so that a command
// that is to write nothing is handed nothing that could.
package kube
