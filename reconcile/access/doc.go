// Package access computes what roles and bindings mean.
//
// Of lists what bindings give an identity: a name with its groups. certsync uses it for residual access, which is what
// bindings of others still give to a certificate that should give nothing. PowerOf says why a role makes somebody as good as
// cluster-admin. The package is pure.
package access
