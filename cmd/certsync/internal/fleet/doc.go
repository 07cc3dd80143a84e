// Package fleet runs a command for several clusters of one inventory, side by side. A cluster that fails, or does not answer, harms
// no other.
//
// Begin at Each, with which a command that only reads asks all clusters, and at Application.Do, which is apply: it makes all plans,
// asks once, and then carries them out.
//
//	fleet.go                      the chosen clusters, Each, and how long a cluster may take to answer
//	names.go, one.go              --cluster, for commands that take several clusters and for those that take one
//	application.go                the order of an apply
//	gate.go                       no certificate before the removals of all clusters, unless one takes too long; how many run at once
//	planned.go                    the plans of all clusters: names that none knows, and two plans for one Kubernetes cluster
//	digest.go, plandigest.go      the digest over all plans, and the value of --expect
//	ending.go                     the exit code of an apply
//	outstanding.go                the text on removals that a run that failed has left
//	rules.go                      rules without a name that one cluster does not know
//	results.go, documents.go      JSON, texts and errors about several clusters
//
// cmd/certsync connects to a cluster, and implements Run for one cluster (applyall.go).
package fleet
