// Package usage reads the API server's audit log and counts who used which certificate and which binding.
//
// Read takes events of audit.k8s.io/v1 as JSON lines, as the API server's log backend writes them, and EventLists on one
// line, as its webhook backend sends them. Files may be compressed with gzip. The log is a stream: what Read keeps grows
// with the users that the caller asks about, not with the log.
//
// # What is counted
//
// A request counts once, when it ends: at stage ResponseComplete or Panic. Other stages of a request, such as the start of a
// watch, count as use of the certificate and of the binding, not as a request. So an exec that is still open is a use.
// First and Last are when requests arrived, since that is when the API server looks at a certificate: a watch from before a
// revocation may end long after it.
//
// A request on behalf of somebody else (impersonation) counts for the user who sent it. The log does not say which binding
// allowed the impersonation, so a role that is used for nothing else looks unused.
//
// # What the log cannot say
//
//   - It names one binding for each request, the first that allows it. Of two bindings that allow the same, one can look
//     unused.
//   - A request whose certificate the API server refused has no user. So the use of an expired certificate does not show.
//   - An audit policy may leave out requests, which then do not exist for this package.
//   - Events that stand in two files count twice. To notice that, Read would have to remember the ID of every request.
//   - A file that is missing between two others leaves no trace: From and To are the first and the last event.
package usage
