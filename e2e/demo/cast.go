package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/certsync/certsync/inventory"
)

// cast is the user whom the demo follows: one who may read the whole cluster, write in a namespace, and no more.
type cast struct {
	user       string
	namespace  string
	kubeconfig string // below $DEMO
}

func castFrom(inv *inventory.Inventory) (cast, error) {
	groups := map[string]inventory.Group{}
	for _, group := range inv.Groups {
		groups[group.Name] = group
	}
	for _, user := range inv.Users {
		clusterRoles := roles(user.ClusterRoles)
		inNamespaces := maps.Clone(user.Namespaces)
		for _, name := range user.Groups {
			clusterRoles = append(clusterRoles, roles(groups[name].ClusterRoles)...)
			if inNamespaces == nil {
				inNamespaces = map[string][]inventory.Grant{}
			}
			maps.Copy(inNamespaces, groups[name].Namespaces)
		}
		slices.Sort(clusterRoles)
		if !slices.Equal(slices.Compact(clusterRoles), []string{"view"}) || inNamespaces["kube-system"] != nil {
			continue
		}
		for _, namespace := range slices.Sorted(maps.Keys(inNamespaces)) {
			granted := roles(inNamespaces[namespace])
			if slices.Contains(granted, "edit") || slices.Contains(granted, "admin") {
				local, _, _ := strings.Cut(user.Name, "@")
				return cast{user.Name, namespace, "$DEMO/" + local + ".kubeconfig"}, nil
			}
		}
	}
	return cast{}, errors.New("nobody has just view in the cluster, and edit or admin in a namespace")
}

func roles(grants []inventory.Grant) []string {
	var names []string
	for _, grant := range grants {
		names = append(names, grant.ClusterRole)
	}
	return names
}

// namespaces is every namespace in which the inventory grants something.
func namespaces(inv *inventory.Inventory) []string {
	all := map[string]bool{}
	for _, group := range inv.Groups {
		for namespace := range group.Namespaces {
			all[namespace] = true
		}
	}
	for _, user := range inv.Users {
		for namespace := range user.Namespaces {
			all[namespace] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// takeOut copies an inventory without one user, as an editor would: comments and order stay. It shows the lines.
func takeOut(from, to, user string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var kept, removed []string
	depth := -1 // of the user's entry, while inside of it
	for line := range strings.Lines(string(content)) {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		if indent <= depth && strings.TrimSpace(line) != "" {
			depth = -1
		}
		if words := strings.Fields(line); len(words) > 2 && slices.Equal(words[:3], []string{"-", "name:", user}) {
			depth = indent
		}
		if depth < 0 {
			kept = append(kept, line)
		} else {
			removed = append(removed, line)
		}
	}
	for _, line := range removed {
		fmt.Print("-" + line)
	}
	if err := os.WriteFile(to, []byte(strings.Join(kept, "")), 0o600); err != nil {
		return err
	}
	return checkTakenOut(from, to)
}

// checkTakenOut makes sure that the copy is an inventory with one user less.
func checkTakenOut(from, to string) error {
	before, err := inventory.Load(from)
	if err != nil {
		return err
	}
	after, err := inventory.Load(to)
	if err != nil {
		return err
	}
	if len(after.Users) != len(before.Users)-1 {
		return fmt.Errorf("%d users are left of %d", len(after.Users), len(before.Users))
	}
	return nil
}
