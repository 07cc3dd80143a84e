package reconcile

// stage is when a step runs. Steps of one stage are independent of each other and run at once; a step of a later stage
// starts when the earlier stages have ended (a user's own bindings alone follow their credential at once).
//
// The order decides what a crash can leave behind: nobody who left keeps access because somebody else could not be
// served, nobody whose role changes is without access in between, and nobody has bindings before a credential.
type stage int

const (
	stageLeave   stage = iota // ledger of leavers: removing
	stageUnbind               // leavers' bindings, and bindings of ours with another roleRef, whose name is needed
	stageChange               // bindings of people who hold a credential: new bindings, subjects in and out
	stageRetire               // what those replaced
	stageIssue                // canary, issue, renew, reissue
	stageGrant                // bindings and subjects for those whose credential is now stored
	stageRename               // the old names of people who have their access under a new one
	stageCleanup              // purge
)

// issuance is what the executor needs for issue, renew and reissue.
type issuance struct {
	spec          certificateSpec
	record        *Record // nil: none, or not ours to keep
	recordVersion int
	credential    CredentialMeta
	asked         bool // the last entry of the record is for what this run has asked for
}

// leaving is what the executor needs for remove and purge.
type leaving struct {
	record        *Record
	recordVersion int
	credential    CredentialMeta
	final         RecordState // Removed, or Lapsed
	reason        Reason
	successor     string // the name that the same person has now; "": nobody's
}

// bindingWrite is what the executor needs for bind, unbind and update: the object as it was observed (or as it will be
// created), and the subjects that it has afterwards.
type bindingWrite struct {
	object   Binding
	subjects []Subject
	// waitsFor are the users among the added subjects who get their credential in this run: who does not get one is
	// left out.
	waitsFor []string
	// swaps has the old names that make room for new ones in waitsFor, by these. Who does not get a credential under the
	// new name stays under the old one.
	swaps map[string][]string
	// successor is the name under which a subject has its access now, and without which it keeps this binding; "": nobody.
	successor string
	// adopt: the binding gets our labels first.
	adopt bool
	// anew: the binding was deleted, and a finalizer keeps it. Its deletion is finished, and it is made anew.
	anew bool
}
