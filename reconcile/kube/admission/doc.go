// Package admission reads and writes an owner's ValidatingAdmissionPolicy for revoked certificates.
//
// Read observes the policy and its binding. Policies writes the list in it. The objects themselves are made once, from the
// manifests of package deploy: certsync needs no right to create or to delete policies.
package admission
