// Package credentials is the users' side without its flags, and the reader of key files for signer and users. As the kubectl exec plugin, it returns a user's credential from a cache
// on the user's machine, or from Vault. Kubeconfigs fetches a user's kubeconfigs of several owners.
//
// Begin with Source.Get. It chooses between the cache and Vault (choice.go), and keeps what Vault returns (cache.go):
//
//   - For 5 minutes after Vault returned a credential, Vault is not asked again.
//   - A certificate is used until the last tenth of its life, even if Vault has a newer one. A client that gets another
//     certificate closes its connections.
//   - A certificate that gives other access is used at once: with other groups, of another CA, or for another kind of key.
//   - While Vault is not available, the credential in the cache is used until its certificate ends. Vault is tried again
//     every 30 seconds.
//   - When Vault itself refuses the token, or has no credential at the path, the one in the cache is deleted. No other answer
//     deletes it, see vaultstore.Refused.
//
// The cache is a folder of the user that nobody else can read or write, as ~/.kube/config is. A file there that certsync
// did not leave so is not used, and links are never followed. A file is replaced as a whole, so several plugins may run at
// once. Without a cache the plugin still works, and asks Vault each time.
//
// AddKey adds a key that never left its user, from a file. Such a key gets neither into the cache nor into Vault. A file
// with a private key that others can read is refused.
package credentials
