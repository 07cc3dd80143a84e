package plan

// The messages of notes about the namespaces of the job and of its lock.
const (
	RunsHere = runsHere
	LockHere = lockHere
	Anywhere = anywhere
)
