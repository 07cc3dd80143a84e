package render

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/inventory"
)

// Validated sums up an inventory without problems: in one line, or with a line for each of the clusters that are chosen. The digest is
// labelled, because apply --expect takes another one.
func Validated(name string, file *inventory.File, chosen []inventory.Member) []byte {
	if len(chosen) == 1 {
		inv := file.Effective(chosen[0])
		return fmt.Appendf(nil, "%s: owner %s, %s, %s. Inventory digest: %s\n",
			terminal.Clean(name), inv.Owner, terminal.Plural(len(inv.Users), "user"), terminal.Plural(len(inv.Groups), "group"), inv.Digest())
	}
	rows := [][]string{{"CLUSTER", "OWNER", "USERS", "GROUPS", "INVENTORY DIGEST"}}
	for _, m := range chosen {
		inv := file.Effective(m)
		rows = append(rows, []string{m.Name, m.Owner, strconv.Itoa(len(inv.Users)), strconv.Itoa(len(inv.Groups)), inv.Digest()})
	}
	out := bytes.NewBuffer(fmt.Appendf(nil, "%s: %s\n\n", terminal.Clean(name), terminal.Plural(len(chosen), "cluster")))
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, text := range row {
			widths[i] = max(widths[i], len(text))
		}
	}
	for _, row := range rows {
		for i, text := range row[:len(row)-1] {
			fmt.Fprintf(out, "%-*s", widths[i]+terminal.ColumnGap, text)
		}
		fmt.Fprintln(out, row[len(row)-1])
	}
	return out.Bytes()
}
