package access

import (
	"fmt"
	"slices"

	"github.com/certsync/certsync/reconcile"
)

// Strength is how much a role lets its users do, in a word. A review compares and colours by it.
type Strength int

// The strengths of a role, the weakest first.
const (
	GivesNothing Strength = iota // the role has no rules that count, or does not exist
	Reads                        // get, list and watch only, and no connection into a pod
	Writes                       // any other verb, or such a connection
	GivesAccess                  // its users may give access to others, where the role is bound
	AsAdmin                      // as good as cluster-admin, see Power
)

var strengthNames = []string{"none", "read", "write", "give-access", "cluster-admin"}

// String is the strength as reviews write it: none, read, write, give-access or cluster-admin.
func (s Strength) String() string { return strengthNames[s] }

// MarshalText writes what String returns.
func (s Strength) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what String returns.
func (s *Strength) UnmarshalText(text []byte) error {
	i := slices.Index(strengthNames, string(text))
	if i < 0 {
		return fmt.Errorf("%q is no strength of a role", reconcile.Shown(string(text)))
	}
	*s = Strength(i)
	return nil
}

// givesAccess has the rows of powers that give access in whatever namespace they are bound.
var givesAccess = []power{
	{verbs: []string{"bind", "escalate"}, group: reconcile.RBACGroup, resources: []string{"clusterroles", "roles"}},
	{verbs: writes, group: reconcile.RBACGroup, resources: []string{"rolebindings", "roles"}},
}

// connects has what lets somebody act in pods and through services, though the verb may be get.
var connects = power{verbs: []string{"get"}, resources: []string{"pods/exec", "pods/attach", "pods/portforward", "pods/proxy", "services/proxy", "nodes/proxy"}}

// StrengthOf is the strength of a role with these rules, where reasons is what makes it as good as cluster-admin there.
func StrengthOf(rules []reconcile.Rule, reasons []string) Strength {
	if len(reasons) > 0 {
		return AsAdmin
	}
	strength := GivesNothing
	for _, r := range rules {
		isGiven := func(p power) bool { return p.given(r) }
		switch {
		case len(r.Verbs) == 0 || len(r.URLs) == 0 && (len(r.Groups) == 0 || len(r.Resources) == 0) || byDefaultOnly(r):
		case slices.ContainsFunc(givesAccess, isGiven):
			strength = max(strength, GivesAccess)
		case connects.given(reconcile.Rule{Verbs: r.Verbs, Groups: r.Groups, Resources: r.Resources}), slices.ContainsFunc(r.Verbs, func(v string) bool { return !slices.Contains(reads, v) }):
			strength = max(strength, Writes)
		default:
			strength = max(strength, Reads)
		}
	}
	return strength
}

// byDefaultOnly reports whether a rule gives what everybody has in any case.
func byDefaultOnly(r reconcile.Rule) bool {
	return slices.ContainsFunc(byDefault, func(d reconcile.Rule) bool { return Within(r, d) })
}
