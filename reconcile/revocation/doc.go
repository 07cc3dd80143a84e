// Package revocation lists revoked certificates that still live, and makes the lists that deny them.
//
// Begin at Certificates: it says which certificates of an owner should give nothing, and what bindings of others still give to
// them. Entries makes the list for the API server of it. Denials writes that list in CEL for the admission policy, and Matches for
// the authorization configuration. Extend adds to a plan the step that brings the admission policy up to date, and the notes on
// residual access. The package is pure.
package revocation
