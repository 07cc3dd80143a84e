package fleet

import (
	"errors"
	"fmt"
	"strings"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/reconcile"
)

// Document is the JSON of a command about several clusters.
type Document struct {
	FormatVersion string  `json:"formatVersion"`
	Digest        string  `json:"digest,omitempty"`  // of plan: over all clusters, see the function digest
	Changes       *bool   `json:"changes,omitempty"` // of plan: apply would write something in a cluster
	OK            *bool   `json:"ok,omitempty"`      // of preflight: nothing failed in any cluster
	Clusters      []Entry `json:"clusters"`          // in the order of the inventory
}

// Entry is one cluster in a Document: what the command says of it, or why it says nothing.
type Entry struct {
	Cluster string `json:"cluster"`
	Owner   string `json:"owner"`
	Error   string `json:"error,omitempty"`
	Hint    string `json:"hint,omitempty"`
	// Outstanding lists the users whose removal waits, as far as Vault tells; of status.
	Outstanding []string `json:"outstanding,omitempty"`

	Plan        any `json:"plan,omitempty"`
	Status      any `json:"status,omitempty"`
	Review      any `json:"review,omitempty"`
	Preflight   any `json:"preflight,omitempty"`
	Revocations any `json:"revocations,omitempty"`
}

// entries makes a Document's entries. put puts in what the command says of a cluster.
func entries[T any](results []Result[T], put func(*Entry, T)) []Entry {
	all := []Entry{}
	for _, r := range results {
		e := Entry{Cluster: r.Name, Owner: r.Owner}
		if put(&e, r.Value); r.Err != nil {
			e = Entry{Cluster: r.Name, Owner: r.Owner, Error: r.Err.Error(), Hint: reconcile.Hint(r.Err), Outstanding: e.Outstanding}
		}
		all = append(all, e)
	}
	return all
}

// Shown returns results as render takes them. what picks the part of a value that is shown.
func Shown[T, S any](results []Result[T], what func(T) S) []terminal.InCluster[S] {
	var all []terminal.InCluster[S]
	for _, r := range results {
		in := terminal.InCluster[S]{Cluster: r.Name, Owner: r.Owner}
		if r.Err != nil {
			in.Problem = r.Err.Error()
		} else {
			in.Value = what(r.Value)
		}
		all = append(all, in)
	}
	return all
}

// Failures returns the errors of the clusters that failed, each with the names of the clusters. An error that several have is there
// once: Vault, for example, is down for all of them.
func Failures[T any](results []Result[T]) []error {
	var all []error
	told := map[string]bool{}
	for i, r := range results {
		if r.Err == nil || told[complaint(r.Err)] {
			continue
		}
		told[complaint(r.Err)] = true
		names, what := []string{r.Name}, "cluster"
		for _, other := range results[i+1:] {
			if other.Err != nil && complaint(other.Err) == complaint(r.Err) {
				names, what = append(names, other.Name), "clusters"
			}
		}
		all = append(all, fmt.Errorf("%s %s: %w", what, strings.Join(names, ", "), r.Err))
	}
	return all
}

// complaint is what certsync says about an error.
func complaint(err error) string { return err.Error() + "\n" + reconcile.Hint(err) }

// OnlyOne returns the error for something that a command does for one cluster alone, if there are several. what begins a sentence,
// such as a flag.
func OnlyOne(what string, targets []Target) error {
	if len(targets) < 2 {
		return nil
	}
	return reconcile.WithHint(fmt.Errorf("%s is for one cluster, and %d are chosen", what, len(targets)), "set --cluster to the name of one of them")
}

// ErrContext is the error for a context that is stated for several clusters.
var ErrContext = reconcile.WithHint(errors.New("--context names the context of one cluster, and several clusters are chosen"),
	"set --cluster to the name of one of them, or leave --context out: the inventory has a context for each cluster")
