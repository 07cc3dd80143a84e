package preflight

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// AuthMethods are the auth methods that Vault shows to a token.
type AuthMethods struct {
	Folding []string // those that turn names into lower case, such as "userpass at corp/"
	Others  bool     // there are others by which people log in
}

// names warns of users who cannot read their credential because Vault knows them in lower case. Nobody is warned whose names have
// no capitals, or whose Vault shows other methods only.
func (in *inspection) names(ctx context.Context) []Check {
	capitals := Capitals(in.Inventory)
	if in.Store == nil || len(capitals) == 0 {
		return nil
	}
	methods := in.Store.AuthMethods(ctx)
	by := strings.Join(methods.Folding, " and ")
	switch {
	case by != "":
		by = "users who log in with " + by
	case methods.Others:
		return nil
	default:
		by = "if users log in with userpass or LDAP, they"
	}
	err := LowerCased(capitals, by)
	return []Check{warning(err.Error(), reconcile.Hint(err)).of("users' names")}
}

// Capitals lists the users whose names have capital letters, sorted.
func Capitals(inv *inventory.Inventory) (names []string) {
	for _, u := range inv.Users {
		if strings.ToLower(u.Name) != u.Name {
			names = append(names, u.Name)
		}
	}
	slices.Sort(names)
	return names
}

// LowerCased says that users with capitals in their names, of whom there is one, cannot read their credential. who begins the
// sentence.
func LowerCased(names []string, who string) error {
	const shown = 5
	var list []string
	for _, name := range names[:min(len(names), shown)] {
		list = append(list, strconv.Quote(name))
	}
	if more := len(names) - shown; more > 0 {
		list = append(list, fmt.Sprintf("%d more", more))
	}
	err := fmt.Errorf("%s have names in lower case in Vault, so with one policy for all users a name with capitals cannot read its credential: %s",
		who, strings.Join(list, ", "))
	lower := strings.ToLower(names[0])
	return reconcile.WithHint(err, fmt.Sprintf("rename them in the inventory (name: %s, previously: [%s]), give each a policy of their own, or set case_sensitive_names in Vault's LDAP method",
		lower, names[0]))
}
