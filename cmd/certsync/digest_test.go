package main

import (
	"regexp"
	"strings"
	"testing"
)

// TestInventoryDigestIsNoPlanDigest gives the digest that validate prints to apply --expect. certsync refuses it before it
// connects to any server, and says which digest it takes.
func TestInventoryDigestIsNoPlanDigest(t *testing.T) {
	const file = "testdata/plan/users.yaml"
	validated := within(t, t.Context(), "validate", "-f", file)
	digest := regexp.MustCompile(`Inventory digest: (sha256:[0-9a-f]{64})\n$`).FindStringSubmatch(validated.stdout)
	if digest == nil {
		t.Fatalf("validate: exit %d, %q %q", validated.code, validated.stdout, validated.stderr)
	}
	for _, flags := range [][]string{nil, {"--removals-only"}, {"--yes"}} {
		r := within(t, t.Context(), append([]string{"apply", "-f", file, "--expect", digest[1]}, flags...)...)
		want := "certsync: refused, nothing was written:\n  - " + digest[1] + " is the digest of the inventory; --expect takes the digest of a plan"
		if r.code != exitRefused || !strings.HasPrefix(r.stderr, want) || r.stdout != "" {
			t.Errorf("%q: exit %d, %q %q", flags, r.code, r.stdout, r.stderr)
		}
	}
}
