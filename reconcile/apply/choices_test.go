package apply_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certsync/certsync/reconcile/reconciletest"
)

// choices turns the bytes of a fuzzer into decisions. When they are used up, the first of what there is gets chosen, so
// that less input is a simpler case.
type choices struct{ bytes []byte }

// below returns a number from 0 to n-1.
func (c *choices) below(n int) int {
	if len(c.bytes) == 0 {
		return 0
	}
	b := c.bytes[0]
	c.bytes = c.bytes[1:]
	return int(b) % n
}

func choose[T any](c *choices, of ...T) T { return of[c.below(len(of))] }

// some returns a part of at most eight values, in their order: each bit of one byte is for one of them.
func (c *choices) some(of ...string) []string {
	bits := c.below(1 << len(of))
	var some []string
	for i, v := range of {
		if bits>>i&1 == 1 {
			some = append(some, v)
		}
	}
	return some
}

// Few names, so that grants meet: in two groups, in a group and by themselves, in this inventory and in the one before.
// Role system:node does not exist, and of namespace staging there may be none.
var (
	persons    = []string{"alice", "bob", "carol", "dave"}
	teams      = []string{"devs", "ops"}
	rolesToUse = []string{"view", "edit", "system:node"}
	spaces     = []string{"staging", "payments"}
)

// inventory chooses an inventory, as what follows its header. It is a legal one.
func (c *choices) inventory(now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "defaults: {expiration: %s, renewBefore: %s}\n", choose(c, "168h", "24h", "10m"), choose(c, "33%", "90%", "5m"))
	if server := choose(c, "", "", "https://other.example.com"); server != "" {
		fmt.Fprintf(&b, "cluster: {server: %s}\n", server)
	}
	groups := c.some(teams...)
	b.WriteString("groups:" + none(groups) + "\n")
	for _, g := range groups {
		fmt.Fprintf(&b, "  - {name: %s, %s}\n", g, c.grants(now))
	}
	users := c.some(persons...)
	former := slices.DeleteFunc(slices.Clone(persons), func(n string) bool { return slices.Contains(users, n) })
	b.WriteString("users:" + none(users) + "\n")
	for _, u := range users {
		fmt.Fprintf(&b, "  - {name: %s, groups: [%s], %s", u, strings.Join(c.some(groups...), ", "), c.grants(now))
		if expiration := choose(c, "", "1h"); expiration != "" {
			b.WriteString(", expiration: " + expiration)
		}
		b.WriteString(c.term(now))
		b.WriteString(choose(c, "", "", "", ", reason: on call", ", ticket: '#7 | <b>'"))
		b.WriteString(choose(c, "", "", "", "", "", ", protected: true"))
		if len(former) > 0 && c.below(4) == 1 {
			b.WriteString(", previously: [" + former[0] + "]")
			former = former[1:]
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func none(list []string) string {
	if len(list) == 0 {
		return " []"
	}
	return ""
}

// grants chooses the roles of a user or group: in one namespace, in those with a label, or in both. What one byte decides, it
// decides as it did when there was less to choose, so that what the fuzzer has found stays in use.
func (c *choices) grants(now time.Time) string {
	everywhere, _ := c.roles(now, "name")
	n := c.below(8)
	space, form := spaces[n%len(spaces)], n/len(spaces)
	if form < 2 {
		clusterRoles, roles := c.roles(now, "role")
		return fmt.Sprintf("clusterRoles: [%s], namespaces: {%s: [%s]}", everywhere, space, strings.Join(slices.DeleteFunc([]string{clusterRoles, roles}, func(s string) bool { return s == "" }), ", "))
	}
	clusterRoles, roles := c.roles(now, "name")
	list := fmt.Sprintf("{selector: {team: %s}, clusterRoles: [%s], roles: [%s]}", space, clusterRoles, roles)
	if form == 3 {
		clusterRoles, roles = c.roles(now, "name")
		list += fmt.Sprintf(", {name: %s, clusterRoles: [%s], roles: [%s]}", space, clusterRoles, roles)
	}
	return fmt.Sprintf("clusterRoles: [%s], namespaces: [%s]", everywhere, list)
}

// roles chooses ClusterRoles, and Roles under a key.
func (c *choices) roles(now time.Time, key string) (clusterRoles, roles string) {
	bits := c.below(64)
	list := func(bits int, key string) string {
		var grants []string
		for i, r := range rolesToUse {
			if bits>>i&1 == 1 {
				grants = append(grants, fmt.Sprintf("{%s: '%s'%s}", key, r, c.term(now)))
			}
		}
		return strings.Join(grants, ", ")
	}
	return list(bits, "name"), list(bits>>len(rolesToUse), key)
}

// relabel gives a namespace another label than it has, the other namespace's, or none.
func relabel(w *reconciletest.World, namespace string) {
	next := map[string]string{spaces[0]: spaces[1], spaces[1]: "", "": spaces[0]}
	if label := next[w.Labels[namespace]["team"]]; label == "" {
		delete(w.Labels, namespace)
	} else {
		w.Labels[namespace] = map[string]string{"team": label}
	}
}

// term chooses an end, which may have passed already or come too soon for a certificate, or none, and a beginning before it, which may
// have come already, come before the next run or after it, or none.
func (c *choices) term(now time.Time) string {
	text := ""
	end := choose(c, 0, 0, 0, 0, -time.Hour, 5*time.Minute, 2*time.Hour, 72*time.Hour)
	if end != 0 {
		text = ", until: " + now.Add(end).Format(time.RFC3339)
	}
	begin := choose(c, 0, 0, 0, 0, 0, -2*time.Hour, time.Minute, time.Hour, 48*time.Hour)
	if begin != 0 && (end == 0 || begin < end) {
		text += ", from: " + now.Add(begin).Format(time.RFC3339)
	}
	return text
}
