package show

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/reconcile/preflight"
	"github.com/certsync/certsync/reconcile/revocation"
	"github.com/certsync/certsync/reconcile/status"
)

// TestStatusesText compares the users of several clusters.
func TestStatusesText(t *testing.T) {
	reports := statuses(t)
	of := func(cluster, name string, outstanding ...string) terminal.InCluster[status.Report] {
		return terminal.InCluster[status.Report]{Cluster: cluster, Owner: "prod-eu", Value: reports[name], Outstanding: outstanding}
	}
	down := terminal.InCluster[status.Report]{Cluster: "prod-us", Owner: "prod-us", Problem: "reaching https://us.example.com:6443: connection refused", Outstanding: []string{"dan@example.com", "erin@example.com"}}
	evil := down
	evil.Problem, evil.Outstanding = fixture.Hostile, []string{fixture.Hostile}
	for name, all := range map[string][]terminal.InCluster[status.Report]{
		"statuses-same":    {of("dev", "status-settled"), of("prod-eu", "status-settled")},
		"statuses-differ":  {of("dev", "status-settled"), of("prod-eu", "status-mixed", "erin@example.com"), of("prod-ap", "status-open"), down},
		"statuses-hostile": {of("dev", "status-hostile"), of("prod-eu", "status-hostile"), evil},
		"statuses-failed":  {down},
		"statuses-nobody":  {of("dev", "status-nobody"), of("prod-eu", "status-nobody")},
	} {
		t.Run(name, func(t *testing.T) {
			for suffix, render := range map[string]func(terminal.Palette) []byte{
				".txt":      func(c terminal.Palette) []byte { return Statuses(all, c, false) },
				"-wide.txt": func(c terminal.Palette) []byte { return Statuses(all, c, true) },
				"-user.txt": func(c terminal.Palette) []byte { return UsersInClusters(all, c) },
			} {
				text := string(render(false))
				fixture.Harmless(t, text)
				if plain := fixture.Colours.ReplaceAllString(string(render(true)), ""); plain != text {
					t.Errorf("colour changes more than the colour:\n%s", plain)
				}
				fixture.Golden(t, filepath.Join("testdata/text", name+suffix), text)
				for line := range strings.Lines(text) {
					if suffix == ".txt" && name != "statuses-hostile" && utf8.RuneCountInString(line) > terminal.LineWidth+1 {
						t.Errorf("too wide: %q", line)
					}
				}
			}
		})
	}
}

// TestPreflightsText compares the checks of several clusters.
func TestPreflightsText(t *testing.T) {
	report := func(cluster string, checks ...preflight.Check) terminal.InCluster[preflight.Report] {
		return terminal.InCluster[preflight.Report]{Cluster: cluster, Owner: cluster + "-owner", Value: preflight.Report{Owner: cluster + "-owner", Checks: checks}}
	}
	folder := func(owner string) preflight.Check {
		return preflight.Check{Name: "vault folder", Verdict: preflight.Passed, Detail: "secret/certsync/" + owner + " can be written"}
	}
	broken := preflight.Check{Name: "bindings", Verdict: preflight.Broken, Detail: "forbidden " + fixture.Hostile, Hint: "grant it"}
	all := []terminal.InCluster[preflight.Report]{
		report("dev", folder("dev-owner"), preflight.Check{Name: "version", Verdict: preflight.Passed, Detail: "v1.36.3"}),
		report("prod-eu", folder("prod-eu-owner"), broken),
	}
	text := string(Preflights(all, false))
	fixture.Harmless(t, text)
	fixture.Golden(t, "testdata/text/preflights.txt", text)
	fixture.Golden(t, "testdata/text/preflights-ok.txt", string(Preflights(all[:1], false)))
}

// TestRevocationsInClusters compares the revoked certificates of several clusters.
func TestRevocationsInClusters(t *testing.T) {
	var all []terminal.InCluster[revocation.Report]
	for name, r := range fixture.Revocations() {
		all = append(all, terminal.InCluster[revocation.Report]{Cluster: name, Owner: r.Owner, Value: r})
	}
	slices.SortFunc(all, func(a, b terminal.InCluster[revocation.Report]) int { return strings.Compare(a.Cluster, b.Cluster) })
	all = append(all, terminal.InCluster[revocation.Report]{Cluster: "down", Owner: "down", Problem: "connection refused\n" + fixture.Hostile})
	text := string(RevocationsInClusters(all, false))
	fixture.Harmless(t, text)
	fixture.Golden(t, "testdata/text/revocations-clusters.txt", text)
}
