package removals

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/inventory/shell"
	"github.com/certsync/certsync/reconcile"
)

// Emergency is `status --emergency`: how people take users out of everything that certsync gave, with kubectl alone.
type Emergency struct {
	FormatVersion string          `json:"formatVersion"`
	Owner         string          `json:"owner"`
	At            time.Time       `json:"at"` // when the bindings were read
	Users         []EmergencyUser `json:"users"`
}

// EmergencyUser has the commands for one user.
type EmergencyUser struct {
	Name        string   `json:"name"`
	InInventory bool     `json:"inInventory"` // the next apply gives the access back
	Commands    []string `json:"commands"`    // each one line of a shell
}

// ByHand returns the commands that take users out of the bindings of an inventory's owner that were read at a time, in every epoch.
// A name that neither the inventory nor these bindings know is an UnknownName.
func ByHand(inv *inventory.Inventory, bindings []reconcile.Binding, at time.Time, names []string) (Emergency, error) {
	e := Emergency{FormatVersion: reconcile.FormatVersion, Owner: inv.Owner, At: at}
	for _, name := range reconcile.SortedSet(names) {
		u := EmergencyUser{Name: name, Commands: []string{}}
		u.InInventory = slices.ContainsFunc(inv.Users, func(u inventory.User) bool { return u.Name == name || slices.Contains(u.Previously, name) })
		for _, b := range bindings {
			if grant, ours := reconcile.ParseBindingName(inv.Owner, b.Namespace, b.Name); ours {
				u.Commands = append(u.Commands, takeOutByHand(b, grant, name)...)
			}
		}
		if !u.InInventory && len(u.Commands) == 0 {
			return Emergency{}, reconcile.UnknownName{Flag: "--user", Name: name, WithoutVault: true}
		}
		e.Users = append(e.Users, u)
	}
	return e, nil
}

// takeOutByHand returns the command that takes a user out of a binding, or nothing if the user is not in it. The user's own
// ClusterRoleBinding is deleted. Elsewhere the user's subjects go, and the others stay. That is so for RoleBindings of the user's
// own too: after a delete, a finalizer of a tenant's could keep the binding and what it grants.
func takeOutByHand(b reconcile.Binding, g reconcile.Grant, user string) []string {
	var at []int
	for i, s := range b.Subjects {
		if s.Person() == user {
			at = append(at, i)
		}
	}
	own := g.For == reconcile.ForUser && g.Subject == user
	switch {
	case len(at) == 0:
		return nil
	case own && b.Kind == reconcile.ClusterRoleBinding && !b.Terminating:
		// By default kubectl waits a week for finalizers.
		return []string{"kubectl delete clusterrolebinding " + shell.Quote(b.Name) + " --timeout=30s"}
	case b.Kind == reconcile.ClusterRoleBinding:
		return []string{"kubectl patch clusterrolebinding " + shell.Quote(b.Name) + " --type=json -p " + shell.Quote(subjectsPatch(b, at))}
	}
	return []string{"kubectl patch rolebinding -n " + shell.Quote(b.Namespace) + " " + shell.Quote(b.Name) + " --type=json -p " + shell.Quote(subjectsPatch(b, at))}
}

// subjectsPatch is a JSON patch that removes the subjects at these indexes, from the highest down, so that the lower ones stay what
// they are. Each is tested first. Where the list has changed meanwhile, the API server refuses the patch, and nobody else is removed.
func subjectsPatch(b reconcile.Binding, at []int) string {
	var ops []string
	for _, i := range slices.Backward(at) {
		ops = append(ops, fmt.Sprintf(`{"op":"test","path":"/subjects/%d/name","value":%s},{"op":"remove","path":"/subjects/%d"}`, i, plainJSON(b.Subjects[i].Name), i))
	}
	return "[" + strings.Join(ops, ",") + "]"
}

// plainJSON is text as a JSON string of visible ASCII. Others choose names of subjects, and a shell must not see what is in them.
func plainJSON(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string
	}
	var b strings.Builder
	for _, r := range string(quoted) {
		if r > ' ' && r <= '~' {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}
