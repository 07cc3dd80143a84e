package fleet

import (
	"fmt"
	"slices"
	"strings"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// Planned is the plan for one of several clusters.
type Planned struct {
	Name  string
	Owner string
	// Inventory is the cluster's own. It is nil where nobody asks for names.
	Inventory *inventory.Inventory
	Plan      reconcile.Plan
	Made      bool                    // there is a plan
	Ready     bool                    // nothing is in the way of the plan
	Unknown   []reconcile.UnknownName // names in flags that the cluster does not know
}

// digestOf is the digest over all plans.
func digestOf(all []Planned) string {
	names, digests := make([]string, len(all)), make([]string, len(all))
	for i, p := range all {
		if names[i] = p.Name; p.Made {
			digests[i] = p.Plan.Digest()
		}
	}
	return digest(names, digests)
}

// changes reports whether any plan would change anything.
func changes(all []Planned) bool {
	return slices.ContainsFunc(all, func(p Planned) bool { return p.Made && p.Plan.Changes() })
}

// hasWork reports whether apply has something to do in the cluster.
func (p Planned) hasWork() bool { return p.Ready && p.Plan.HasWork() }

// writing counts the clusters in which apply has something to do.
func writing(all []Planned) (n int) {
	for _, p := range all {
		if p.hasWork() {
			n++
		}
	}
	return n
}

// steps counts the steps of the plans for those clusters.
func steps(all []Planned) (n int) {
	for _, p := range all {
		if p.hasWork() {
			n += len(p.Plan.Steps)
		}
	}
	return n
}

// knows reports whether a name in a flag is, or may be, known in the cluster. Of a cluster without a plan only the inventory can be asked.
// A name to revoke may still be in its ledger, and no other revocation waits for that.
func (p Planned) knows(u reconcile.UnknownName) bool {
	if p.Made {
		return !slices.ContainsFunc(p.Unknown, func(other reconcile.UnknownName) bool { return other.Name == u.Name })
	}
	return u.Flag == "--revoke" || p.Inventory != nil && slices.ContainsFunc(p.Inventory.Users, func(user inventory.User) bool {
		return user.Name == u.Name || slices.Contains(user.Previously, u.Name)
	})
}

// unknownEverywhere returns the first name that no cluster knows, or nil. It is a typing error.
func unknownEverywhere(all []Planned) error {
	for _, p := range all {
		for _, u := range p.Unknown {
			if p.Made && !slices.ContainsFunc(all, func(other Planned) bool { return other.knows(u) }) {
				return u
			}
		}
	}
	return nil
}

// twins says of each plan why it must not be carried out beside the others: it is the first one of its owner, in a Kubernetes cluster that
// another of the plans is for, too. One of the two contexts is wrong, and what is for dev would be bound in prod. An owner with a state
// is in its own cluster, or it moves, which has a guard of its own. So a cluster cannot stop others with a UID that is not its own.
func twins(all []Planned) []error {
	errs, names := make([]error, len(all)), map[string][]string{} // by the UID
	for _, p := range all {
		if p.Made && !p.Plan.RemovalsOnly {
			names[p.Plan.ClusterUID] = append(names[p.Plan.ClusterUID], p.Name)
		}
	}
	for i, p := range all {
		same := slices.DeleteFunc(slices.Clone(names[p.Plan.ClusterUID]), func(name string) bool { return name == p.Name })
		if p.Made && !p.Plan.RemovalsOnly && p.Plan.StateVersion == 0 && len(same) > 0 {
			errs[i] = reconcile.Refused{Violations: []string{fmt.Sprintf("%s would be applied to the same Kubernetes cluster as %s: correct the contexts, or, "+
				"if two owners share the cluster, apply this one alone once (--cluster NAME)", p.Name, strings.Join(same, ", "))}}
		}
	}
	return errs
}
