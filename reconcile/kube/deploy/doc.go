// Package deploy makes the Kubernetes objects with which certsync runs as a CronJob in a cluster.
//
// Begin at Deployment: its method Objects returns all of them, in an order in which they can be created. The package sends
// nothing; the command certsync manifests prints the objects.
//
// The objects are:
//
//   - the namespace, with the pod security standard "restricted" (deployment.go);
//   - two service accounts: ApplyAccount for the job, PlanAccount for people and CI that only plan (deployment.go);
//   - admission policies that limit ApplyAccount to its own bindings and signing requests (admission.go);
//   - with Revocation, the admission policy that denies the writes of revoked certificates, without a list (revocation.go);
//   - a role and its binding for each account, with exactly the permissions that plan and apply ask for (rights.go);
//   - the owner's Lease, since RBAC cannot limit the right to create to one name (deployment.go);
//   - an immutable ConfigMap with the inventory, whose name has the content's hash (files.go);
//   - the CronJob, without the default token: it mounts one token for the API server and one for Vault (job.go, files.go).
//
// ClientSide says which of them kubectl apply cannot apply without --server-side (clientside.go).
//
// The order matters: the admission policies come before the roles, so that no account ever has a right without its limit.
package deploy
