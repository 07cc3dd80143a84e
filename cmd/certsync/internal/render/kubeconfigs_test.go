package render

import (
	"fmt"
	"strings"
	"testing"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan"
)

// TestMarkdownShowsWhereKubeconfigsLead: a reviewer sees the new server and the new proxy of users' kubeconfigs, however much else a
// plan changes.
func TestMarkdownShowsWhereKubeconfigsLead(t *testing.T) {
	var before, after strings.Builder
	for n := range 500 {
		fmt.Fprintf(&before, "  - {name: user%04d}\n", n)
		fmt.Fprintf(&after, "  - {name: user%04d, clusterRoles: [%s%04d]}\n", n, strings.Repeat("r", 60), n)
	}
	o := fixture.Settled(fixture.Inventory(t, "users:\n"+before.String()))
	for cluster, want := range map[string]string{
		"{server: 'https://elsewhere.example.net:6443'}":     "at https://elsewhere.example.net:6443 (server-changed)",
		"{proxyURL: 'http://proxy.example.net:3128'}":        "at https://k8s.example.com:6443 through the proxy http://proxy.example.net:3128 (server-changed)",
		"{tlsServerName: elsewhere.example.net, name: prod}": "for prod at https://k8s.example.com:6443 with the TLS name elsewhere.example.net (server-changed, cluster-name-changed)",
	} {
		p := plan.Diff(fixture.Inventory(t, "cluster: "+cluster+"\nusers:\n"+after.String()), o, reconcile.Rules{})
		all := []terminal.InCluster[reconcile.Plan]{{Cluster: "one", Owner: fixture.Owner, Value: p}, {Cluster: "two", Owner: "two", Value: p}}
		for name, text := range map[string][]byte{"one cluster": PlanMarkdown(p), "two clusters": PlansMarkdown(all, "sha256:0")} {
			t.Run(name, func(t *testing.T) {
				says(t, strings.Join(readComment(t, text).first, "\n"), "Kubeconfigs lead elsewhere: user0000, ", "and 490 more: for ", want)
			})
		}
	}
}

// TestManyGroupsDoNotFillTheComment: a user in a thousand groups hides no other change, and no group.
func TestManyGroupsDoNotFillTheComment(t *testing.T) {
	var groups, names strings.Builder
	for n := range 1000 {
		fmt.Fprintf(&groups, "  - {name: %s%04d, clusterRoles: [view]}\n", strings.Repeat("g", 50), n)
		fmt.Fprintf(&names, "%s%04d, ", strings.Repeat("g", 50), n)
	}
	inv := "groups:\n" + groups.String() + "  - {name: zadmins, clusterRoles: [cluster-admin]}\nusers:\n  - {name: zed}\n"
	o := fixture.Settled(fixture.Inventory(t, inv))
	o.Rules[reconcile.Role{Name: "cluster-admin"}] = []reconcile.Rule{{Verbs: []string{"*"}, Groups: []string{"*"}, Resources: []string{"*"}}}
	o.Credentials["eve"] = reconcile.CredentialMeta{CurrentVersion: 4} // a conflict holds eve
	after := strings.Replace(inv, "{name: zed}", "{name: zed, clusterRoles: [edit]}", 1)
	for name, user := range map[string]string{"issued": "adam", "held": "eve"} {
		p := plan.Diff(fixture.Inventory(t, after+"  - {name: "+user+", groups: ["+names.String()+"zadmins]}\n"), o, reconcile.Rules{})
		for kind, text := range map[string][]byte{
			"one cluster":  PlanMarkdown(p),
			"two clusters": PlansMarkdown([]terminal.InCluster[reconcile.Plan]{{Cluster: "one", Owner: fixture.Owner, Value: p}, {Cluster: "two", Owner: "two", Value: p}}, "sha256:0"),
		} {
			t.Run(name+" "+kind, func(t *testing.T) {
				c := readComment(t, text)
				says(t, strings.Join(c.first, "\n"), "As good as cluster-admin", "zed: bind edit cluster-wide")
				if name == "issued" {
					says(t, strings.Join(c.first, "\n"), "group zadmins: update cluster-admin cluster-wide, adds adam")
				}
				var rows []string
				for _, r := range c.table {
					rows = append(rows, strings.Join(r, " "))
				}
				says(t, strings.Join(rows, "\n"), "zed")
			})
		}
	}
}
