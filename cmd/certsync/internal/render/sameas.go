package render

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/inventory"
)

// Same says that two inventories mean the same.
func Same(other string, inv *inventory.Inventory) []byte {
	return fmt.Appendf(nil, "The inventory is the same as %s: owner %s sees no change. Inventory digest: %s\n", terminal.Clean(other), inv.Owner, inv.Digest())
}

// maxDifferences bounds the parts that Differences shows.
const maxDifferences = 200

// Differences lists in which parts two inventories differ, with the lines that only one of them has. Orders do not matter.
func Differences(before, after *inventory.Inventory) []byte {
	var out bytes.Buffer
	old, now := partsOf(before), partsOf(after)
	names := slices.Sorted(maps.Keys(old))
	for name := range now {
		if _, both := old[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	shown, more := 0, 0
	for _, name := range names {
		if slices.Equal(old[name], now[name]) {
			continue
		}
		if shown++; shown > maxDifferences {
			more++
			continue
		}
		fmt.Fprintf(&out, "%s:\n", strings.TrimPrefix(name, headPart))
		for _, line := range missingFrom(now[name], old[name]) {
			fmt.Fprintf(&out, "  - %s\n", line)
		}
		for _, line := range missingFrom(old[name], now[name]) {
			fmt.Fprintf(&out, "  + %s\n", line)
		}
	}
	if more > 0 {
		fmt.Fprintf(&out, "and %s\n", terminal.Plural(more, "further difference"))
	}
	return out.Bytes()
}

// headPart sorts what is neither a group nor a user before them.
const headPart = " "

// missingFrom returns the lines that others lack. Where only their order differs, these are all lines.
func missingFrom(others, lines []string) []string {
	known := map[string]bool{}
	for _, line := range others {
		known[line] = true
	}
	var missing []string
	for _, line := range lines {
		if !known[line] {
			missing = append(missing, line)
		}
	}
	if len(missing) == 0 && len(lines) >= len(others) {
		return lines
	}
	return missing
}

// partsOf returns the lines of the parts of an inventory: of owner, cluster and defaults, and of each group and user. A default
// stands with each user that it is for.
func partsOf(inv *inventory.Inventory) map[string][]string {
	defaults := inv.Defaults
	defaults.Expiration, defaults.RevokedBefore = 0, time.Time{}
	parts := map[string][]string{
		headPart + "owner and cluster": linesOf(&inventory.Inventory{Owner: inv.Owner, Cluster: inv.Cluster, Defaults: defaults}, "owner: "),
	}
	for _, g := range inv.Groups {
		g.ClusterRoles, g.Namespaces, g.ByLabel = sortedGrants(g.ClusterRoles), sortedNamespaces(g.Namespaces), sortedSelections(g.ByLabel)
		parts["group "+g.Name] = linesOf(&inventory.Inventory{Groups: []inventory.Group{g}}, "  - name: ")
	}
	for _, u := range inv.Users {
		u.ClusterRoles, u.Namespaces, u.ByLabel = sortedGrants(u.ClusterRoles), sortedNamespaces(u.Namespaces), sortedSelections(u.ByLabel)
		u.Groups, u.Previously = slices.Sorted(slices.Values(u.Groups)), slices.Sorted(slices.Values(u.Previously))
		lines := linesOf(&inventory.Inventory{Users: []inventory.User{u}}, "  - name: ")
		if u.Request != nil {
			lines = append(lines, fmt.Sprintf("request with SHA-256 %x", sha256.Sum256(u.Request)))
		}
		parts["user "+u.Name] = lines
	}
	return parts
}

// linesOf returns the lines of an inventory from the first that begins with a text, without the blanks that they share.
func linesOf(inv *inventory.Inventory, first string) []string {
	lines := strings.Split(strings.TrimSuffix(string(inv.Encode(inventory.Comments{})), "\n"), "\n")
	lines = lines[slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, first) }):]
	var kept []string
	for _, line := range lines {
		if line != "users: []" {
			kept = append(kept, strings.TrimPrefix(strings.TrimPrefix(line, "  - "), "    "))
		}
	}
	return kept
}

func sortedGrants(grants []inventory.Grant) []inventory.Grant {
	return slices.SortedFunc(slices.Values(grants), func(a, b inventory.Grant) int {
		return cmp.Or(cmp.Compare(a.ClusterRole, b.ClusterRole), cmp.Compare(a.Role, b.Role))
	})
}

func sortedNamespaces(namespaces map[string][]inventory.Grant) map[string][]inventory.Grant {
	sorted := map[string][]inventory.Grant{}
	for name, grants := range namespaces {
		sorted[name] = sortedGrants(grants)
	}
	return sorted
}

func sortedSelections(selections []inventory.Selection) []inventory.Selection {
	var sorted []inventory.Selection
	for _, s := range selections {
		s.Grants = sortedGrants(s.Grants)
		sorted = append(sorted, s)
	}
	slices.SortFunc(sorted, func(a, b inventory.Selection) int { return cmp.Compare(a.Selector.String(), b.Selector.String()) })
	return sorted
}
