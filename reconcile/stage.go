package reconcile

// Stage is when a step runs. Steps of one stage are independent of each other and run at once; a step of a later stage
// starts when the earlier stages have ended (a user's own bindings alone follow their credential at once).
//
// The order decides what a crash can leave behind: nobody who left keeps access because somebody else could not be
// served, nobody whose role changes is without access in between, and nobody has bindings before a credential.
//
// A revocation of many users goes in batches, see Step.Batch. The stages up to StageGrant run for the steps of no batch, then for
// each batch in turn. StageRename and StageCleanup come after the last batch. If the signer stops, the batches that have not
// begun do not begin, and their users keep what they have.
type Stage int

const (
	StageRevoke  Stage = iota // the admission policy's list of revoked certificates
	StageLeave                // ledger of leavers: removing
	StageUnbind               // leavers' bindings, and bindings of ours with another roleRef, whose name is needed
	StageChange               // bindings of people who hold a credential: new bindings, subjects in and out
	StageRetire               // what those replaced
	StageIssue                // canary, issue, renew, reissue
	StageGrant                // bindings and subjects for those whose credential is now stored
	StageRename               // the old names of people who have their access under a new one
	StageCleanup              // purge
)

// Issuance is what the executor needs for issue, renew and reissue.
type Issuance struct {
	Spec          CertificateSpec
	Record        *Record // nil: none, or not ours to keep
	RecordVersion int
	Credential    CredentialMeta
	Stays         bool // the user has a credential that works, whatever comes of this
	Asked         bool // the last entry of the record is for what this run has asked for
}

// Leaving is what the executor needs for remove and purge.
type Leaving struct {
	Record        *Record
	RecordVersion int
	Credential    CredentialMeta
	Reason        Reason
	Successor     string // the name that the same person has now; "": nobody's
	// Foreign: the current version of the credential is somebody else's. The others go, and it stays.
	Foreign bool
}

// RevocationWrite is what the executor needs for a step on the admission policy.
type RevocationWrite struct {
	Policy  RevocationPolicy // as it was observed
	Entries []RevokedCertificate
}

// BindingWrite is what the executor needs for bind, unbind and update: the object as it was observed (or as it will be
// created), and the subjects that it has afterwards.
type BindingWrite struct {
	Object   Binding
	Subjects []Subject
	// WaitsFor are the users among the added subjects who get their credential in this run: who does not get one is
	// left out.
	WaitsFor []string
	// Waited are the users whom earlier steps of the run add to the same binding, and who are left out for the same reason.
	Waited []string
	// Swaps has the old names that make room for new ones in WaitsFor and Waited, by these. A user who does not get a credential
	// under the new name stays under the old one.
	Swaps map[string][]string
	// Successor is the name under which a subject has its access now, and without which it keeps this binding; "": nobody.
	Successor string
	// Anew: the binding was deleted, and a finalizer keeps it. Its deletion is finished, and it is made anew.
	Anew bool
}
