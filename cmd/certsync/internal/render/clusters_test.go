package render

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan"
)

// owned is the inventory of the team for an owner.
func owned(t *testing.T, owner, text string) *inventory.Inventory {
	t.Helper()
	inv := fixture.Inventory(t, text)
	inv.Owner = owner
	return inv
}

// inClusters are plans by the names of their files: of clusters that differ in a user, in the kubeconfig's server, in nothing or in everything,
// one that cannot be reached, one that refuses, and one with hostile names.
func inClusters(t *testing.T) map[string][]terminal.InCluster[reconcile.Plan] {
	first := func(cluster, owner, text, server string) terminal.InCluster[reconcile.Plan] {
		o := fixture.FirstRun()
		inv := owned(t, owner, text)
		inv.Cluster.Server = server
		return terminal.InCluster[reconcile.Plan]{Cluster: cluster, Owner: owner, Value: plan.Diff(inv, o, reconcile.Rules{})}
	}
	more := fixture.Team + "  - {name: dan@example.com, groups: [developers]}\n"
	down := terminal.InCluster[reconcile.Plan]{Cluster: "prod-us", Owner: "prod-us", Problem: "listing ClusterRoleBindings: reaching https://us.example.com:6443: connection refused"}
	settled := terminal.InCluster[reconcile.Plan]{Cluster: "settled", Owner: "prod-eu", Value: plans(t)["settled"]}
	named := func(cluster string, of string) terminal.InCluster[reconcile.Plan] {
		return terminal.InCluster[reconcile.Plan]{Cluster: cluster, Owner: "prod-eu", Value: plans(t)[of]}
	}
	many := []terminal.InCluster[reconcile.Plan]{}
	for n := range 12 {
		name := fmt.Sprintf("c%02d", n)
		many = append(many, first(name, name, fixture.Team, "https://"+name+".example.com"))
	}
	return map[string][]terminal.InCluster[reconcile.Plan]{
		"clusters-same":    {first("dev", "dev", fixture.Team, "https://dev.example.com"), first("stage", "stage", fixture.Team, "https://stage.example.com"), first("prod-eu", "prod", fixture.Team, "https://eu.example.com")},
		"clusters-differ":  {first("dev", "dev", more, "https://dev.example.com"), first("prod-eu", "prod-eu", fixture.Team, "https://eu.example.com"), down},
		"clusters-refused": {named("prod-eu", "guarded"), named("prod-ap", "held"), settled},
		"clusters-hostile": {named("prod-eu", "hostile"), named("prod-ap", "hostile"), {Cluster: fixture.Hostile, Owner: fixture.Hostile, Problem: fixture.Hostile}},
		"clusters-settled": {settled, settled},
		"clusters-failed":  {down, down},
		"clusters-twelve":  many,
	}
}

const someDigest = "sha256:4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce"

// TestPlansText compares the plans of several clusters as text, and as text in colour.
func TestPlansText(t *testing.T) {
	for name, all := range inClusters(t) {
		t.Run(name, func(t *testing.T) {
			text := string(Plans(all, someDigest, false))
			fixture.Harmless(t, text)
			fixture.Golden(t, filepath.Join("testdata/text", name+".txt"), text)
			if plain := fixture.Colours.ReplaceAllString(string(Plans(all, someDigest, true)), ""); plain != text {
				t.Errorf("colour changes more than the colour:\n%s", plain)
			}
		})
	}
}

// TestPlansMarkdown compares the plans of several clusters as comments.
func TestPlansMarkdown(t *testing.T) {
	for name, all := range inClusters(t) {
		t.Run(name, func(t *testing.T) {
			text := PlansMarkdown(all, someDigest)
			fixture.Golden(t, filepath.Join("testdata/markdown", name+".md"), string(text))
			c := readComment(t, text)
			if c.marker+"\n" != clustersMarker {
				t.Errorf("the marker is %q", c.marker)
			}
			for i, in := range all {
				if got := c.table[i][0]; got != visibleInCell(in.Cluster) {
					t.Errorf("row %d of the table of clusters is for %q", i, got)
				}
				for _, s := range in.Value.Steps {
					if s.Action == reconcile.Remove && s.Held == "" {
						says(t, strings.Join(c.first, "\n"), "Removed", visible(s.User))
					}
					if s.Held != "" && s.HeldBy != reconcile.ByPolicy {
						says(t, strings.Join(c.first, "\n"), "Held")
					}
				}
			}
		})
	}
}

// TestPlansMarkdownLimit: 256 clusters with long names, and clusters with thousands of changes each, fit into a comment with the whole table
// of clusters. The comment says what it leaves out.
func TestPlansMarkdownLimit(t *testing.T) {
	large := thousandsOf(t, 5000, "r")
	other := thousandsOf(t, 4000, "日")
	refused := plans(t)["guarded"]
	all := []terminal.InCluster[reconcile.Plan]{}
	for n := range 256 {
		in := terminal.InCluster[reconcile.Plan]{Cluster: fmt.Sprintf("c%03d-%s", n, strings.Repeat("x", 58)), Owner: fmt.Sprintf("o%03d-%s", n, strings.Repeat("y", 35))}
		switch {
		case n == 0:
			in.Value = large
		case n == 1:
			in.Value = other
		case n%64 == 2:
			in.Value = refused
		case n%64 == 3:
			in.Value = hostilePlan(t, uint64(n))
		case n%64 == 4:
			in.Problem = strings.Repeat("long ", 300)
		}
		all = append(all, in)
	}
	for _, n := range []int{3, 256} {
		c := readComment(t, PlansMarkdown(all[:n], someDigest))
		for i, in := range all[:n] {
			if c.table[i][0] != in.Cluster {
				t.Fatalf("of %d clusters, row %d is for %q", n, i, c.table[i][0])
			}
		}
		paras := strings.Join(c.paras, "\n")
		says(t, paras, "Shortened to fit a comment", fmt.Sprintf("certsync plan for %d clusters", n))
		says(t, strings.Join(c.fences, "\n"), "certsync apply --expect "+someDigest)
	}
}

// TestPlansMarkdownIsSafe: hostile names and texts of several clusters cannot break the comment.
func TestPlansMarkdownIsSafe(t *testing.T) {
	for seed := range uint64(20) {
		one, two := hostilePlan(t, seed), hostilePlan(t, seed+100)
		all := []terminal.InCluster[reconcile.Plan]{{Cluster: "a", Owner: "prod-eu", Value: one}, {Cluster: "b", Owner: "prod-eu", Value: two}, {Cluster: "c", Owner: "prod-eu", Value: one},
			{Cluster: "d", Owner: "d", Problem: strings.Join(fragments, "") + fixture.Hostile}}
		readComment(t, PlansMarkdown(all, someDigest))
		fixture.Harmless(t, string(Plans(all, someDigest, false)))
	}
}

// TestSharedPlansLoseNothing: each step, note and refusal of each plan is in exactly one part of that cluster.
func TestSharedPlansLoseNothing(t *testing.T) {
	for name, all := range inClusters(t) {
		for i, in := range all {
			steps, notes, forbidden, guards := 0, 0, 0, 0
			for _, part := range sharedPlans(all) {
				if slices.Contains(part.in, i) {
					steps, notes = steps+len(part.plan.Steps), notes+len(part.plan.Notes)
					forbidden, guards = forbidden+len(part.plan.Forbidden), guards+len(part.plan.Guards)
				}
			}
			if steps != len(in.Value.Steps) || notes != len(in.Value.Notes) || forbidden != len(in.Value.Forbidden) || guards != len(in.Value.Guards) {
				t.Errorf("%s, %s: %d of %d steps, %d of %d notes", name, in.Cluster, steps, len(in.Value.Steps), notes, len(in.Value.Notes))
			}
		}
	}
}

// TestSeriousFirst: many bindings in the namespaces of one cluster do not push a powerful one of another cluster out of the comment.
func TestSeriousFirst(t *testing.T) {
	access := func(binding string, power ...string) reconcile.Note {
		return reconcile.Note{User: "alice", Kind: reconcile.ExistingAccess, Object: binding, Message: "gives something", Power: power}
	}
	var many []reconcile.Note
	for n := range 100 {
		many = append(many, access(fmt.Sprintf("RoleBinding ns-%d/spam", n)))
	}
	all := []terminal.InCluster[reconcile.Plan]{
		{Cluster: "dev", Owner: "dev", Value: reconcile.Plan{Owner: "dev", Notes: many}},
		{Cluster: "stage", Owner: "stage", Value: reconcile.Plan{Owner: "stage", Notes: many}},
		{Cluster: "prod-eu", Owner: "prod-eu", Value: reconcile.Plan{Owner: "prod-eu", Notes: []reconcile.Note{access("ClusterRoleBinding backdoor", "may read Secrets")}}},
	}
	c := readComment(t, PlansMarkdown(all, someDigest))
	if len(c.first) == 0 || !strings.HasPrefix(c.first[0], "In prod-eu: Existing access") {
		t.Errorf("the first item is not the most serious: %q", c.first[:min(len(c.first), 2)])
	}
}
