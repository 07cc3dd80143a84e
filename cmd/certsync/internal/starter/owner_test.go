package starter

import (
	"strings"
	"testing"
)

// TestOwnerFor: an owner is made from a cluster's name, or none.
func TestOwnerFor(t *testing.T) {
	for cluster, want := range map[string]string{
		"prod-eu": "prod-eu", "": "", "Prod_EU.example.com": "prod-eu-example-com", "arn:aws:eks:eu-west-1:1234:cluster/prod": "prod", "gke_project_zone_name": "gke-project-zone-name",
		"--": "", "日本": "", "x/": "", strings.Repeat("a", 50): strings.Repeat("a", 40), strings.Repeat("a", 39) + "-b": strings.Repeat("a", 39), "kubernetes-admin@kubernetes": "kubernetes-admin-kubernetes",
	} {
		if got := OwnerFor(cluster); got != want {
			t.Errorf("%q became %q, want %q", cluster, got, want)
		}
	}
}
