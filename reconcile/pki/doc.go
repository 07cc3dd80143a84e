// Package pki makes keys and certificate requests, and checks the certificates that come back.
//
// Signing is where to begin: it has a certificate issued by an Issuer, checks that the certificate is what was asked for,
// and tries it at the API server before anything is stored. CAIssuer is the Issuer for clusters without a signer for
// client certificates: it signs in this process, with the CA's key.
//
// WithKey, Usable, Until, Lifetime and SameAccess look at a credential that comes from Vault, where others may have
// written. They check sizes before they parse, and no error of theirs repeats key material.
//
//	signing.go      Signing: from the request to the login with the certificate
//	keys.go         keys and requests
//	certificate.go  whether an issued certificate is what was asked for
//	ca.go           CAIssuer
//	credential.go, sameaccess.go
//	                credentials from Vault: whether they are usable, and give the same access
//
// A private key is in memory only. It leaves this package as a reconcile.Secret.
package pki
