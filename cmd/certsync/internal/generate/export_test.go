package generate

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/export"
)

// exports are the exports in testdata/text, by the names of the files.
func exports(t *testing.T) map[string]export.Result {
	subject := func(kind, name string) reconcile.Subject {
		return reconcile.Subject{Kind: kind, APIGroup: reconcile.RBACGroup, Name: name}
	}
	mixed := fixture.Settled(fixture.Inventory(t, fixture.Team)).Bindings
	for n := range 8 {
		mixed = append(mixed, reconcile.Binding{Kind: reconcile.RoleBinding, Namespace: "payments", Name: fmt.Sprint("legacy-", n),
			RoleRef: reconcile.RoleRef{Kind: "Role", Name: "payer"}, Subjects: []reconcile.Subject{subject("User", fmt.Sprintf("u%d@example.com", n))}})
	}
	mixed[0].Subjects = append(mixed[0].Subjects, subject("Group", "system:masters"), subject("Group", "auditors"), subject("User", "oidc:bob"), subject("User", "Bob@example.com"),
		reconcile.Subject{Kind: "ServiceAccount", Namespace: "ci", Name: "bot"})
	for _, b := range mixed {
		if b.Namespace == "staging" {
			b.Namespace = "qa"
			mixed = append(mixed, b)
		}
	}
	for i := range mixed {
		if mixed[i].Object() == fixture.DevsView {
			mixed[i].Subjects = mixed[i].Subjects[1:]
		}
	}
	joined := export.Bindings("prod-eu", mixed)
	labels := map[string]string{"example.com/team": "payments"}
	joined.JoinByLabel("example.com/team", map[string]reconcile.Namespace{"staging": {Labels: labels}, "qa": {Labels: labels}})
	return map[string]export.Result{
		"export-by-label": joined,
		"export-nothing":  export.Bindings("prod-eu", nil),
		"export-mixed":    export.Bindings("prod-eu", mixed),
		"export-hostile":  export.Bindings("prod-eu", fixture.Hostilities(fixture.Inventory(t, fixture.Team)).Bindings),
	}
}

// TestExportText: certsync reads an exported text as the same inventory, and no text from the cluster has a line of its own.
func TestExportText(t *testing.T) {
	for name, export := range exports(t) {
		t.Run(name, func(t *testing.T) {
			for _, cluster := range []string{fixture.Hostile, "prod-eu"} {
				text := string(Export(export, cluster))
				fixture.Harmless(t, text)
				inv, err := inventory.Parse("users.yaml", []byte(text), nil)
				if err != nil {
					t.Fatal(err)
				}
				if len(inv.Users) != len(export.Inventory.Users) || len(inv.Groups) != len(export.Inventory.Groups) {
					t.Errorf("%d users, %d groups", len(inv.Users), len(inv.Groups))
				}
				if cluster != fixture.Hostile {
					fixture.Golden(t, filepath.Join("testdata/text", name+".txt"), text)
				}
			}
		})
	}
}
