// Package api is the connection to a Kubernetes API server that the other packages below kube share.
//
// Begin at Server: New makes one of a client-go configuration. Its Client and Metadata send requests, its Clock tells the
// API server's time, and Failed turns an error into a text with a hint. RejectionOf tells who
// rejected a request: RBAC, another authorizer, admission or a proxy.
//
// The package gives these guarantees for every request over a Server:
//
//   - An answer, or one event of a watch, has at most 16 MiB. A longer one is an error.
//   - A request that is made with WithTimeout ends after a minute. Watches have no time limit.
//   - List reads in pages, and stops at 512 MiB or 10,000 pages; with several clusters, at 128 MiB for each. It returns the whole list or an error. An answer without
//     a resourceVersion does not come from an API server, and is an error: it must not count as an empty list.
//   - An error text has at most 2 KiB. Others choose its content: the API server, a webhook, a proxy.
//   - client-go writes nothing to standard error.
//
// RetryOnConflict sends a write again after a conflict. Changes of bindings and of the Lease have loops of their own, since they
// first decide again.
package api
