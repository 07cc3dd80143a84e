// Package revocation lists revoked certificates that still live, and makes the lists that deny them.
//
// Begin at Certificates: it says which certificates of an owner should give nothing, and what bindings of others still give to
// them. Entries makes the list for the API server of it, and Expressions writes that list in CEL. Both the admission policy and
// the authorization configuration use these expressions. Extend adds to a plan the step that keeps the admission policy in step,
// and the notes on residual access. The package is pure.
package revocation
