package reconcile

import (
	"fmt"

	"github.com/certsync/certsync/inventory"
)

// guard looks at the whole plan before the first write and reports everything that forbids it at once.
func (a *Apply) guard(inv *inventory.Inventory, p Plan) error {
	var violations []string
	if len(inv.Users) == 0 && !a.AllowEmpty {
		violations = append(violations, "the inventory has no users: everybody would lose access (--allow-empty)")
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
