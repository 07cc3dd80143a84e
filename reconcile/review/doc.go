// Package review answers the questions of an access review: who can do what on the cluster, through what, since when, and what
// remains of those who left.
//
// Of is where to begin. It returns a Review of one observation, with everybody whom the inventory, the ledger or any binding
// names. Compare adds what has changed since an earlier Review, which Parse reads. AddUse adds what an audit log says of it. The
// package is pure. A Review is what `certsync review -o json` prints, and the page and the table are made of it alone.
//
//	review.go       Of, and the form of a Review
//	people.go       certsync's users: what they have, through what, and since when
//	others.go       other subjects of bindings, and the roles in a review
//	population.go   sums that show whether somebody is missing
//	changes.go, growth.go
//	                Compare: who gained or lost what and why, and roles that give more than before
//	use.go          AddUse
//
// # What a review knows
//
// A review says since when access exists at least, see Access.Since. Kubernetes keeps no history of a binding: it may be older,
// and it may have been away in between. A review knows the last reconcile.MaxRuns runs that changed somebody's access.
package review
