package render

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/certsync/certsync/inventory"
)

// Validated sums up an inventory without problems: in one line, or with a line for each of the clusters that are chosen. The digest is
// labelled, because apply --expect takes another one.
func Validated(name string, file *inventory.File, chosen []inventory.Member) []byte {
	if len(chosen) == 1 {
		inv := file.Effective(chosen[0])
		return fmt.Appendf(nil, "%s: owner %s, %s, %s. Inventory digest: %s\n",
			Clean(name), inv.Owner, plural(len(inv.Users), "user"), plural(len(inv.Groups), "group"), inv.Digest())
	}
	rows := [][]string{{"CLUSTER", "OWNER", "USERS", "GROUPS", "INVENTORY DIGEST"}}
	for _, m := range chosen {
		inv := file.Effective(m)
		rows = append(rows, []string{m.Name, m.Owner, strconv.Itoa(len(inv.Users)), strconv.Itoa(len(inv.Groups)), inv.Digest()})
	}
	out := bytes.NewBuffer(fmt.Appendf(nil, "%s: %s\n\n", Clean(name), plural(len(chosen), "cluster")))
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, text := range row {
			widths[i] = max(widths[i], len(text))
		}
	}
	for _, row := range rows {
		for i, text := range row[:len(row)-1] {
			fmt.Fprintf(out, "%-*s", widths[i]+columnGap, text)
		}
		fmt.Fprintln(out, row[len(row)-1])
	}
	return out.Bytes()
}

// Effective writes what an inventory says for one of its clusters, as an inventory for that cluster alone.
func Effective(name, cluster string, inv *inventory.Inventory) []byte {
	c := inventory.Comments{Head: comment("", fmt.Sprintf("The inventory of cluster %s, from %s.", cluster, name)), Users: map[string][]string{}}
	for _, u := range inv.Users {
		if u.Request != nil {
			c.Users[u.Name] = comment("", "This user has a signing request of their own, which is not shown here.")
		}
	}
	return inv.Encode(c)
}
