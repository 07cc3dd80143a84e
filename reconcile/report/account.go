package report

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/certsync/certsync/reconcile"
)

// ErrInterrupted is the Err of a run that somebody ended early. That is no failure: nobody need look why.
var ErrInterrupted = errors.New("interrupted")

// Account is what a run of apply has to tell when it is over, however it ended. It holds no key and no certificate.
type Account struct {
	Owner     string // "": the inventory could not be read
	RunID     string
	StartedAt time.Time
	EndedAt   time.Time
	ExitCode  int
	// Err is why the run ended before its steps, or could not show how they ended. Steps that failed are in the Outcome.
	Err     error
	Outcome reconcile.Outcome
	// Cluster is the name of one of several clusters, "" for the only one.
	Cluster string
	// Outstanding lists the users who should have no access and of whom this run has not taken everything, sorted. Nil: nobody
	// knows.
	Outstanding []string
}

// Removals lists, for Account.Outstanding, whose removals were planned and not done. Nil: there was no plan, or it was made without
// Vault.
func (a Account) Removals() []string {
	if !a.planned() || a.Outcome.Plan.RemovalsOnly {
		return nil
	}
	open := map[string]bool{}
	for _, s := range a.Outcome.Plan.Steps {
		if s.Action == reconcile.Remove {
			open[s.User] = true
		}
	}
	for _, e := range a.Outcome.Events {
		if e.Action == reconcile.Remove && e.Result == reconcile.Done {
			delete(open, e.User)
		}
	}
	return append([]string{}, slices.Sorted(maps.Keys(open))...)
}

// planned reports whether the run came to have a plan, and so had seen cluster and Vault.
func (a Account) planned() bool { return a.Outcome.Plan.Owner != "" }

// refusals lists why the run was refused, if it was.
func (a Account) refusals() []string {
	var refused reconcile.Refused
	errors.As(a.Err, &refused)
	return refused.Violations
}

// lockedOut reports whether another run had the lock. All that is to be told then is that run's to tell.
func (a Account) lockedOut() bool { return errors.As(a.Err, new(reconcile.Locked)) }

// failure is what went wrong with the run as a whole, or nil: a refusal and an interruption are something else.
func (a Account) failure() error {
	if len(a.refusals()) > 0 || a.lockedOut() || errors.Is(a.Err, ErrInterrupted) {
		return nil
	}
	return a.Err
}

// MarshalJSON gives the form of `apply --report`. Its fields are:
//
//	formatVersion       "1"
//	cluster             only with several clusters
//	owner, clusterUID   absent if the run ended before it knew them
//	run                 ID of the run, as on its events and in the state
//	startedAt, endedAt  RFC 3339, UTC
//	exitCode            of the process
//	error, hint         why the run ended before its steps, if it did
//	refusals            why it was refused; nothing was written then
//	summary             steps done by action, "failed", "held", and "unchanged" users
//	steps, notes        of the plan that was carried out
//	events              how each step ended, as `apply -o json` prints them
//	held                those of the events that somebody should look at
//	outstanding         users whose removal is not done, if there are any
func (a Account) MarshalJSON() ([]byte, error) {
	plan, summary, text := a.Outcome.Plan, map[string]int{}, ""
	if a.planned() {
		summary = a.Outcome.Summary()
	}
	if a.Err != nil && len(a.refusals()) == 0 {
		text = a.Err.Error()
	}
	return json.Marshal(struct {
		FormatVersion string            `json:"formatVersion"`
		Cluster       string            `json:"cluster,omitempty"`
		Owner         string            `json:"owner,omitempty"`
		ClusterUID    string            `json:"clusterUID,omitempty"`
		Run           string            `json:"run"`
		StartedAt     time.Time         `json:"startedAt"`
		EndedAt       time.Time         `json:"endedAt"`
		ExitCode      int               `json:"exitCode"`
		Error         string            `json:"error,omitempty"`
		Hint          string            `json:"hint,omitempty"`
		Refusals      []string          `json:"refusals"`
		Summary       map[string]int    `json:"summary"`
		Steps         []reconcile.Step  `json:"steps"`  // as in the plan
		Events        []reconcile.Event `json:"events"` // as apply -o json prints them
		Held          []reconcile.Event `json:"held"`   // those of them that somebody should look at
		Notes         []reconcile.Note  `json:"notes"`
		Outstanding   []string          `json:"outstanding,omitempty"`
	}{reconcile.FormatVersion, a.Cluster, a.Owner, plan.ClusterUID, a.RunID, a.StartedAt.UTC(), a.EndedAt.UTC(), a.ExitCode, text, reconcile.Hint(a.Err),
		reconcile.OrEmpty(a.refusals()), summary, reconcile.OrEmpty(plan.Steps), reconcile.OrEmpty(a.Outcome.Events), reconcile.OrEmpty(a.Outcome.Ended(reconcile.Held)),
		reconcile.OrEmpty(plan.Notes), a.Outstanding})
}
