//go:build unix

package inventory

import (
	"context"
	"crypto/elliptic"
	"encoding/asn1"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certsync/certsync/inventory/clusters"
	"github.com/certsync/certsync/inventory/selector"
	"github.com/certsync/certsync/inventory/strict"
)

// hostileInventory names, for a child process of these tests, the inventory to load.
const hostileInventory = "TEST_HOSTILE_INVENTORY"

func TestMain(m *testing.M) {
	path := os.Getenv(hostileInventory)
	if path == "" {
		os.Exit(m.Run())
	}
	f, err := LoadFile(path)
	if err == nil { // as validate does
		for _, m := range f.Members {
			f.Effective(m).Digest()
		}
	}
	message := fmt.Sprint(err)
	var problems strict.Problems
	errors.As(err, &problems)
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	// All memory that Go had of the system, which it does not give back: the most that it had at once. The race detector's
	// own memory is not in it.
	fmt.Println(memory.Sys, len(message), len(problems))
	fmt.Println(message[:min(len(message), 1000)])
	os.Exit(0)
}

// hostileMemory is what a load may take. The binary's code and the tables of the Go runtime are in it, and what the garbage
// collector lags behind on a busy machine.
const hostileMemory = 256 << 20

// many repeats a text up to a number of bytes.
func many(text string, bytes int) string { return strings.Repeat(text, bytes/len(text)) }

// each writes numbered lines up to a number of bytes.
func each(bytes int, format string) string {
	var b strings.Builder
	for i := 0; b.Len() < bytes; i++ {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// hostileClusters is the beginning of an inventory with as many clusters and labels as there can be.
func hostileClusters() string {
	var b strings.Builder
	b.WriteString("apiVersion: certsync.dev/v1\nkind: Inventory\nclusters:\n")
	for i := range clusters.Max {
		fmt.Fprintf(&b, "- {name: c%d, owner: o%d, labels: {", i, i)
		for j := range selector.MaxRequirements {
			fmt.Fprintf(&b, "l%d: v%d, ", j, i)
		}
		b.WriteString("}}\n")
	}
	return b.String()
}

// TestHostileInventories: whatever the files hold, loading them takes little memory, ends soon and says little. The
// sizes are those of the whole file, and those that just pass for parsing.
func TestHostileInventories(t *testing.T) {
	alike := []string{
		"keys in the root, one a line", "a list of users without names", "a block list as long as passes", "users in groups that nobody declares",
		"the same key again and again", "a comment for each item", "a mapping of keys without values", "complex keys", "anchors", "tag directives",
		"an inventory without users, of links", "a long text", "empty lines", "selectors of values that are not there",
	}
	harmless := []string{"roles with selectors", "users in one cluster each"}
	const whole, room = maxSize - 1<<10, maxMarks
	for sentence, text := range map[string]string{
		"a mapping of keys without values":        header + "users: {" + many("a,", whole) + "}",
		"as many keys as pass, in the root":       "{kind: Inventory, " + each(7*room/2, "a%05d,") + "}",
		"keys in the root, one a line":            header + each(4*room, "a%d:\n"),
		"a list of users without names":           header + "users: [" + many("{},", room/4*3-100) + "]",
		"a block list as long as passes":          header + "users:\n" + many("-\n", 2*room-100),
		"anchors":                                 header + "users:\n" + each(whole, "- &a%d x\n"),
		"as many anchors as pass":                 header + "users:\n" + each(room*9, "- &a%d x\n"),
		"a comment for each item":                 header + "users:\n" + many("- a #\n", whole),
		"as many comments as pass":                header + "users:\n" + many("- a #\n", 6*room/4-100),
		"complex keys":                            header + "users: {" + many("?,", whole) + "}",
		"nested items":                            header + "users:\n" + many(strings.Repeat(" -", 9000)+"\n", room*2-1<<15),
		"tag directives":                          each(whole, "%%TAG !a%d! b\n") + "---\n" + header,
		"as many tag directives as pass":          each(room/10, "%%TAG !%d! b\n") + "---\n" + header,
		"a long number":                           header + "users: " + many("1", whole),
		"a long text":                             header + "users: \"" + many(`\U0001F600`, whole) + "\"",
		"a long name of a team":                   header + "users: []\ngroups: [{name: g}]\nteams: [{name: " + many("a", whole/2) + ", groups: [" + many("a,", room/2) + "]}]",
		"empty lines":                             header + many("\n", whole),
		"many documents":                          many("---\n", whole),
		"users in groups that nobody declares":    header + "groups: [" + each(4000, "{name: g%d},") + "]\nusers:\n" + each(18*room/8, "- {name: a%d, groups: [h]}\n"),
		"users whose groups differ by one letter": header + "groups: [" + each(room, "{name: g%063d},") + "]\nusers:\n" + each(room, "- {name: a%d, groups: [g"+strings.Repeat("0", 62)+"x]}\n"),
		"the same key again and again":            header + many("a: b\n", 5*room/2-100),
		"an inventory without users, of links":    header + "users: []\nteams: [" + each(whole, "{file: a%d.yaml},") + "]",
		"selectors of what no cluster has":        hostileClusters() + "users: [" + each(2*room, "{name: a%d, clusters: {x: y}},") + "]",
		"selectors of values that are not there":  hostileClusters() + "users: [{name: a, clusters: {l0: [" + each(3*room-200_000, "v%d,") + "]}}]",
		"roles in all clusters":                   hostileClusters() + "users: [{name: a, clusterRoles: [" + each(3*room-200_000, "r%d,") + "]}]",
		"roles with selectors":                    hostileClusters() + "users: [{name: a, clusterRoles: [" + each(2*room, "{name: r%d, clusters: {l1: v1, name: [c1, c2]}},") + "]}]",
		"users in one cluster each":               hostileClusters() + "users: [" + each(9*room/4, "{name: a%d, clusters: {name: c9}},") + "]",
		"base64":                                  header + "users: []\ncluster: {certificateAuthorityData: " + many("QQ", whole) + "}",
	} {
		if left(sentence, alike) {
			continue
		}
		t.Run(sentence, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "users.yaml"), text)
			loadHostile(t, dir, slices.Contains(harmless, sentence))
		})
	}
}

// TestHostileFolders: the same for what lies around an inventory, where one blob may have any number of names.
func TestHostileFolders(t *testing.T) {
	teams := func(n int) string {
		var b strings.Builder
		b.WriteString(header + "users: []\ngroups: [{name: g}]\nteams:\n")
		for i := range n {
			fmt.Fprintf(&b, "- {name: t%d, file: teams/%d.yaml, groups: [g]}\n", i, i)
		}
		return b.String()
	}
	requests := func(n int) string {
		var b strings.Builder
		b.WriteString(header + "users:\n")
		for i := range n {
			fmt.Fprintf(&b, "- {name: u%d, request: teams/%d.yaml}\n", i, i)
		}
		return b.String()
	}
	for sentence, c := range map[string]struct {
		root, blob string
		names      int
		harmless   bool
	}{
		"a blob that mentions teams' files":      {header + "users: []", "users: [" + many("a,", maxTeamFile-100) + "] # TeamInventory", 300, false},
		"such a blob without many nodes":         {header + "users: []", many("a: b # TeamInventory\n", 500) + many("#", maxTeamFile-15000), 500, false},
		"a team's file that nobody declares":     {header + "users: []", otherTeam + many("#", maxTeamFile-100), 500, false},
		"a large blob of another kind":           {header + "users: []", many("a: b\n", maxTeamFile), 500, true},
		"one file of many teams":                 {teams(500), teamHeader + "users: [" + many("a,", maxTeamFile-1000) + "]", 500, false},
		"one file of many teams, nearly empty":   {teams(500), teamHeader + "users: [] " + many("#", maxTeamFile-1000), 500, false},
		"more files than are searched":           {header + "users: []", "", maxEntries + 1, false},
		"one request for many users":             {requests(maxNamed + 1), csr(t, nil), maxEntries, false},
		"one large file instead of each request": {requests(3000), many("#", maxFile), 3000, false},
	} {
		if left(sentence, []string{"one file of many teams", "one large file instead of each request", "a team's file that nobody declares"}) {
			continue
		}
		t.Run(sentence, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "users.yaml"), c.root)
			write(t, filepath.Join(dir, "blob"), c.blob)
			if err := os.Mkdir(filepath.Join(dir, "teams"), 0o755); err != nil {
				t.Fatal(err)
			}
			for i := range c.names {
				if err := os.Link(filepath.Join(dir, "blob"), filepath.Join(dir, "teams", fmt.Sprint(i)+".yaml")); err != nil {
					t.Fatal(err)
				}
			}
			loadHostile(t, dir, c.harmless)
		})
	}
}

// left reports whether a case is left to make soak: make test has another one that meets the same bound.
func left(sentence string, alike []string) bool {
	return os.Getenv("CERTSYNC_SOAK") == "" && slices.Contains(alike, sentence)
}

// loadHostile loads the inventory in a folder in a process of its own.
func loadHostile(t *testing.T, dir string, harmless bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // it takes seconds, on a machine that has nothing else to do
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), "GOGC=", hostileInventory+"="+filepath.Join(dir, "users.yaml")) // as much memory as users need
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v, %s", err, out)
	}
	var memory, length, problems int
	if _, err := fmt.Sscan(string(out), &memory, &length, &problems); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	t.Logf("%d MiB, %s, %d bytes in %d problems: %.300s", memory>>20, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime(), length, problems, out)
	if memory > hostileMemory {
		t.Errorf("it took %d MiB", memory>>20)
	}
	if harmless != (problems == 0) || problems > strict.MaxProblems+1 || length > 64<<10 {
		t.Errorf("%d bytes in %d problems", length, problems)
	}
}

// TestLargeInventory: 10,000 users with groups, roles and requests of their own are within every limit.
func TestLargeInventory(t *testing.T) {
	const users = 10_000
	dir := t.TempDir()
	var root strings.Builder
	root.WriteString(header + "groups:\n")
	for i := range 300 {
		fmt.Fprintf(&root, "  - name: team-%d\n    clusterRoles: [view]\n    namespaces: {team-%d: [edit]}\n", i, i)
	}
	root.WriteString("users:\n")
	for i := range users {
		user, group := fmt.Sprintf("user-%d@example.com", i), fmt.Sprintf("team-%d", i%300)
		fmt.Fprintf(&root, "  - name: %s\n    groups: [%s]\n    clusterRoles: [node-reader, {name: admin, until: 2027-01-31}]\n"+
			"    namespaces: {payments: [admin, edit]}\n    until: 2027-06-30 # leaves\n    request: requests/%d.csr\n", user, group, i)
		write(t, filepath.Join(dir, fmt.Sprintf("requests/%d.csr", i)), csrOf(t, newKey(t, elliptic.P256()), name(t, one(oidCommonName, asn1.TagUTF8String, user), one(oidOrganization, asn1.TagUTF8String, group))))
	}
	write(t, filepath.Join(dir, "users.yaml"), root.String())
	inv, err := Load(filepath.Join(dir, "users.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(inv.Users) != users || inv.Users[users-1].Request == nil {
		t.Errorf("%d users", len(inv.Users))
	}
}
