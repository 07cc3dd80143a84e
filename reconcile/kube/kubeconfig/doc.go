// Package kubeconfig writes users' kubeconfigs, checks stored ones, and merges them into the files that kubectl reads.
//
// Begin at Writer, which apply uses for the kubeconfig that it stores in Vault. The other functions run on a user's machine:
//
//   - Stored returns a kubeconfig from Vault, if it is exactly the one that Writer would write. A kubeconfig can run programs
//     and send files, so any other text is refused.
//   - WithKey adds a key that never left its user. WithPlugin replaces certificate and key by certsync as kubectl's plugin.
//     WithContext gives the context another name.
//   - CheckExecInfo and ExecCredential are the plugin's side: its input from kubectl, and its output.
//   - Merge merges a kubeconfig into the user's files, MergeAll those of several clusters, and Join makes one text of them.
//
// Merge gives these guarantees:
//
//   - It changes only the entries of this user, cluster and context. Other entries, comments and unknown fields stay.
//   - It refuses to change an entry that is not certsync's, or that other contexts use: kubectl would send their tokens to
//     another server.
//   - It replaces a file as a whole or not at all, by one that nobody else can read, under kubectl's own lock. Owner and group
//     stay. The old text stays in a file beside it, with the suffix .certsync.bak. A file that is mounted alone is written in
//     its place.
//   - It writes no key to a file system that keeps no permissions.
//
// The files:
//
//	writer.go                     Writer
//	stored.go                     Stored, WithKey and WithPlugin: kubeconfigs from Vault
//	execcredential.go             CheckExecInfo and ExecCredential
//	merge.go                      merges one text into another
//	mergefile.go, mergeall.go     the user's files, for one kubeconfig and for several
//	contextname.go                the context's name
//	mergeconflict.go, mergeshared.go
//	                              the entries that Merge must not change
//	replacefile.go                locks and replaces files
//
// No error text repeats a secret of a kubeconfig.
package kubeconfig
