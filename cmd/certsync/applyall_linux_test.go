package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
)

// TestConsentForClusters: there is one question for all clusters, below what keeps any of them out, and one bar.
func TestConsentForClusters(t *testing.T) {
	for keys, want := range map[string]struct {
		code int
		text string
	}{
		"yes\n": {exitError, "\r\x1b[Kdev: issue alice@example.com: failed: issuing a certificate"},
		"y\n":   {exitRefused, `the answer was not "yes"`},
		"\x03":  {exitInterrupted, "certsync: interrupted"},
	} {
		t.Run(fmt.Sprintf("%q", keys), func(t *testing.T) {
			t.Parallel()
			dir, closed := t.TempDir(), fixture.ClosedAddress(t)
			cluster, ca := newCluster(t)
			copyFolder(t, "testdata/apply-clusters", dir, map[string]string{"$CLUSTER": cluster, "$CA": ca, "$VAULT": newVault(t), "$CLOSED": closed})
			r := onTTY(t, process(t, dir, append(linesOf(t, dir, "env"), "NO_COLOR=1"), []string{"apply"})).answer(keys)
			before, after, asked := strings.Cut(r.stdout, "\r\nApply these plans in 1 of 2 clusters? Only \"yes\" is accepted: ")
			if !asked || !strings.Contains(before, "Plan for 2 clusters: ") || !strings.Contains(before, "certsync: cluster prod-eu: ") {
				t.Errorf("it does not show everything and ask: %q", r.stdout)
			}
			if r.code != want.code || !strings.Contains(after, want.text) || strings.Contains(after, "prod-eu") {
				t.Errorf("exit %d, want %d and %q: %q", r.code, want.code, want.text, after)
			}
		})
	}
}
