package fleet

import (
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestNames: an empty name is refused, also between others, and never asks for all clusters.
func TestNames(t *testing.T) {
	for line, want := range map[string]string{
		"":                          "",
		"--cluster=dev":             "dev",
		"--cluster dev,env=prod":    "dev env=prod",
		"--cluster=a --cluster=b,c": "a b c",
		"--cluster=":                "refused",
		"--cluster=,":               "refused",
		"--cluster=dev,,prod":       "refused",
		"--cluster=dev --cluster=":  "refused",
	} {
		var c struct{ Flags }
		parser, err := kong.New(&c)
		if err != nil {
			t.Fatal(err)
		}
		_, err = parser.Parse(strings.Fields(line))
		if refused := err != nil && strings.HasPrefix(err.Error(), "--cluster: a name is empty"); refused != (want == "refused") || err != nil && !refused {
			t.Errorf("%q: %v", line, err)
		}
		if err == nil && !slices.Equal(c.Cluster, strings.Fields(want)) {
			t.Errorf("%q: %q", line, c.Cluster)
		}
	}
	t.Setenv("CERTSYNC_CLUSTER", "")
	var c struct{ Flags }
	parser, err := kong.New(&c, kong.DefaultEnvars("CERTSYNC"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(nil); err == nil {
		t.Errorf("an empty variable asks for %q", c.Cluster)
	}
}
