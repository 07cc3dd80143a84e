package reconcile

// Action is what a step does.
type Action string

// The actions, each on one user's credential or on one binding.
const (
	// Issue gets a certificate for a new user, or for a user's new name. For this and the next two, certsync makes the key,
	// unless the user has one of their own.
	Issue Action = "issue"
	// Renew gets a new certificate because the current one is about to expire, and for no other reason.
	Renew Action = "renew"
	// Reissue gets a new certificate for any other reason: the current one, its record or its credential is not what it
	// should be.
	Reissue Action = "reissue"
	// Bind creates a binding.
	Bind Action = "bind"
	// Unbind deletes a binding.
	Unbind Action = "unbind"
	// Update adds subjects to a binding, takes subjects out of it, or puts certsync's labels back. Without an object, it takes
	// protection from a user.
	Update Action = "update"
	// Remove deletes a leaver's credential and closes their ledger record.
	Remove Action = "remove"
	// Purge destroys old versions of a credential, takes expired certificates out of a record, or deletes the record of a user
	// who left long ago.
	Purge Action = "purge"
)

// Actions lists all actions, in the order in which summaries name them.
var Actions = []Action{Issue, Renew, Reissue, Bind, Update, Unbind, Remove, Purge}

// Reason says why a step is there.
type Reason string

// The reasons. Those for a new certificate stand in the order in which a step lists them.
const (
	// NewUser: no record says that the user has access. They are new, or everything of an earlier time has ended.
	NewUser Reason = "new-user"
	// LedgerUnreadable: what stands at the user's ledger path is not a record.
	LedgerUnreadable Reason = "ledger-unreadable"
	// LedgerMissing: no record exists, and the index or what is left in Vault says that there was one.
	LedgerMissing Reason = "ledger-missing"
	// Reinstated: the user is back while their removal was under way.
	Reinstated Reason = "reinstated"
	// Renamed: the inventory gives an earlier name in `previously`.
	Renamed Reason = "renamed"
	// CertificateRevoked: the certificate is of an earlier epoch than the user's name is in, see Username. Nothing is bound to it.
	CertificateRevoked Reason = "revoked"
	// Retried: the signing request was denied, and --retry asks again.
	Retried Reason = "retried"
	// ForeignCredential: the credential in Vault is not the one that the record names, or there is no record of it.
	ForeignCredential Reason = "foreign-credential"
	// CredentialMissing: no credential in Vault belongs to the record, or the record has no current certificate.
	CredentialMissing Reason = "credential-missing"
	// GroupsChanged: the certificate's groups are not those of the inventory.
	GroupsChanged Reason = "groups-changed"
	// RequestChanged: the inventory has another request of the user's, a first one, or none any more.
	RequestChanged Reason = "request-changed"
	// KeyAlgorithmChanged: the inventory asks for another key algorithm.
	KeyAlgorithmChanged Reason = "key-algorithm-changed"
	// ClusterCAChanged: the kubeconfig has another CA than the cluster.
	ClusterCAChanged Reason = "cluster-ca-changed"
	// ServerChanged: the kubeconfig leads to another address, proxy or TLS server name.
	ServerChanged Reason = "server-changed"
	// ClusterNameChanged: the kubeconfig has another name for the cluster.
	ClusterNameChanged Reason = "cluster-name-changed"
	// Expiring: the certificate's time of renewal has come.
	Expiring Reason = "expiring"
	// NotInInventory: the inventory does not name the user.
	NotInInventory Reason = "not-in-inventory"
	// UntilPassed: `until` of the user or of the grant has passed.
	UntilPassed Reason = "until-passed"
	// FromAhead: `from` of the user or of the grant lies ahead, and somebody has the access already.
	FromAhead Reason = "from-ahead"
	// FromReached: `from` of the user or of the grant has come since the last run, which had this inventory.
	FromReached Reason = "from-reached"
	// Unprotected: the inventory takes `protected` out of a user. From the next run on, access can be taken from the user.
	Unprotected Reason = "unprotected"
	// RolesChanged: the inventory grants another role than the last applied one.
	RolesChanged Reason = "roles-changed"
	// MembersChanged: the inventory has other members in the group than the last applied one.
	MembersChanged Reason = "members-changed"
	// Drifted: the cluster differs from the inventory of the last run, or has what no inventory ever had.
	Drifted Reason = "drifted"
	// Missing: the last run had this inventory, and the binding is not there. It was not made, or somebody deleted it.
	Missing Reason = "missing"
	// LabelsMissing: a binding of certsync's lacks its labels, or its annotation. They are put back.
	LabelsMissing Reason = "labels-missing"
	// NamespaceSelected: a selector of the inventory matches the namespace, and did not in the last run.
	NamespaceSelected Reason = "namespace-selected"
	// NamespaceUnselected: no selector of the inventory matches the namespace any more.
	NamespaceUnselected Reason = "namespace-unselected"
	// Unexpected: a binding has a name of certsync's, and no inventory asked for it. Somebody else made it.
	Unexpected Reason = "unexpected"
	// CertificatesExpired: certificates of the record have expired; of a leaver's record, all of them.
	CertificatesExpired Reason = "certificates-expired"
	// OldVersions: earlier versions of the credential can still be read.
	OldVersions Reason = "old-versions"
	// RetentionPassed: the user left so long ago that the ledger forgets them, see LedgerRetention.
	RetentionPassed Reason = "retention-passed"
)

// NoteKind says what a note is about.
type NoteKind string

// The kinds of note. A note changes nothing.
const (
	// ExistingAccess: a binding that is not certsync's serves the user or the group.
	ExistingAccess NoteKind = "existing-access"
	// ResidualAccess: bindings that are not this owner's give something to a certificate that is revoked.
	ResidualAccess NoteKind = "residual-access"
	// RevocationsFull: some revoked certificates do not fit into the lists for the API server.
	RevocationsFull NoteKind = "revocations-full"
	// LiveCertificate: a certificate that should give nothing any more has not expired.
	LiveCertificate NoteKind = "live-certificate"
	// UnknownCertificate: a certificate that no record names may exist.
	UnknownCertificate NoteKind = "unknown-certificate"
	// ClusterRoleMissing: a ClusterRole of the inventory does not exist.
	ClusterRoleMissing NoteKind = "clusterrole-missing"
	// RoleMissing: a Role of the inventory does not exist in its namespace.
	RoleMissing NoteKind = "role-missing"
	// NamespaceMissing: a namespace of the inventory does not exist, or is being deleted.
	NamespaceMissing NoteKind = "namespace-missing"
	// NamespacePartlyRead: a namespace has so many Roles and RoleBindings of others that certsync left some out.
	NamespacePartlyRead NoteKind = "namespace-partly-read"
	// SelectorEmpty: a selector of the inventory matches no namespace.
	SelectorEmpty NoteKind = "selector-empty"
	// SelectorsFrozen: selectors match too much, so that they give and take nothing in this run.
	SelectorsFrozen NoteKind = "selectors-frozen"
	// SelectorLabels: somebody who is not as good as cluster-admin may label or create namespaces, and so change what selectors grant.
	SelectorLabels NoteKind = "selector-labels"
	// UnknownBinding: a binding has a name that begins like this owner's, and that certsync does not give. It is left alone.
	UnknownBinding NoteKind = "unknown-binding"
	// EndpointDiffers: certsync's own connection says something else of the cluster than users' kubeconfigs. It changes nothing.
	EndpointDiffers NoteKind = "endpoint-differs"
	// EndpointLocal: users would get an address, or a proxy, that may be of no use on their machines.
	EndpointLocal NoteKind = "endpoint-local"
	// StateUpgraded: the state in Vault is of version 1. The next apply writes version 2.
	StateUpgraded NoteKind = "state-upgraded"
	// Terminating: a binding is being deleted.
	Terminating NoteKind = "terminating"
	// RequestInFlight: a signing request with a name of certsync's has no certificate.
	RequestInFlight NoteKind = "request-in-flight"
	// InventoryChanged: the inventory is not the one that was applied last.
	InventoryChanged NoteKind = "inventory-changed"
	// UnknownEntry: an entry in Vault has a name that no user can have.
	UnknownEntry NoteKind = "unknown-entry"
	// RevocationAhead: a revokedBefore lies in the future.
	RevocationAhead NoteKind = "revocation-ahead"
	// RevokedAtLock: a run without Vault revokes the user's certificates, or has revoked them. The next run with Vault begins the
	// user's next epoch.
	RevokedAtLock NoteKind = "revoked-at-lock"
	// VaultNotRead: the plan only removes, and was made without Vault.
	VaultNotRead NoteKind = "vault-not-read"
	// RevocationBatches: so many certificates are revoked that it goes in batches. The note says how long that takes.
	RevocationBatches NoteKind = "revocation-batches"
	// AccessLeftBehind: a binding that is not certsync's serves a user's earlier name, and not the name of the new epoch.
	AccessLeftBehind NoteKind = "access-left-behind"
	// Begins: `from` of a user or of a grant lies ahead. The note has the time.
	Begins NoteKind = "begins"
	// UntilSoon: access ends soon.
	UntilSoon NoteKind = "until-soon"
	// TooShort: access ends before a certificate would be worth issuing.
	TooShort NoteKind = "too-short"
	// RenewBeforeTooLong: `renewBefore` is over 90% of the certificate's life.
	RenewBeforeTooLong NoteKind = "renew-before-too-long"
	// PossibleRename: a new user looks like one who is not in the inventory any more, and `previously` does not say so.
	PossibleRename NoteKind = "possible-rename"
	// RequestDenied: the signing request was denied, and certsync does not ask again.
	RequestDenied NoteKind = "request-denied"
	// FrontProxyName: the API server trusts this name as a front proxy.
	FrontProxyName NoteKind = "front-proxy-name"
	// OwnNamespace: somebody has a role in the namespace of certsync's job or of its lock.
	OwnNamespace NoteKind = "own-namespace"
)
