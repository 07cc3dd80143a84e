// Package report is what a run of apply did, in the forms of the report file, of Prometheus and of Kubernetes Events. It sends nothing.
//
// Account is where to begin. It holds what a run has to tell, however it ended. Its JSON is the form of
// `apply --report`, Metrics counts it for monitoring, and KubernetesEvents shortens it to at most one Event for
// each reason.
//
// Nothing here holds a key or a certificate.
package report
