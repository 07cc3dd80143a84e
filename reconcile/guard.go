package reconcile

import (
	"fmt"
	"slices"

	"github.com/certsync/certsync/inventory"
)

// Lifts are the names for which somebody lifts a conflict. The zero value lifts none.
type Lifts struct {
	// Reinstate has users who were removed and come back: each is said to be the same person, so that the certificates
	// which they still hold do no harm.
	Reinstate []string
}

// UnknownName is a lift for a name that stands nowhere: a typing error, which would else lift nothing in silence.
type UnknownName struct{ Flag, Name string }

func (u UnknownName) Error() string {
	return fmt.Sprintf("%s %q: neither inventory nor ledger knows that name", u.Flag, u.Name)
}

// unknown returns an UnknownName for the first lift that is one, or nil.
func (l Lifts) unknown(inv *inventory.Inventory, o Observed) error {
	for _, name := range l.Reinstate {
		_, recorded := o.Ledger[name]
		if !recorded && !slices.ContainsFunc(inv.Users, func(u inventory.User) bool { return u.Name == name }) {
			return UnknownName{"--reinstate", name}
		}
	}
	return nil
}

// guard looks at the whole plan before the first write and reports everything that forbids it at once.
func (a *Apply) guard(inv *inventory.Inventory, p Plan) error {
	var violations []string
	if len(inv.Users) == 0 && !a.AllowEmpty {
		violations = append(violations, "the inventory has no users: everybody would lose access (--allow-empty)")
	}
	if p.stateCluster != "" && p.stateCluster != p.ClusterUID && !a.MoveToThisCluster {
		violations = append(violations, fmt.Sprintf(
			"owner %s belongs to another cluster (its kube-system has UID %s, this one's %s): every credential would be replaced (--move-to-this-cluster)",
			p.Owner, p.stateCluster, p.ClusterUID))
	}
	for _, s := range p.Held() {
		violations = append(violations, fmt.Sprintf("%s: %s", s.subject(), s.Held))
	}
	if len(violations) > 0 {
		return Refused{violations}
	}
	return nil
}

// subject is what a step is about, for a message.
func (s Step) subject() string {
	switch {
	case s.Object != "":
		return s.Object
	case s.User != "":
		return "user " + s.User
	}
	return "group " + s.Group
}
