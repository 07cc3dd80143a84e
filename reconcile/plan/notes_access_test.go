package plan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestWhoseBinding: access that a name has already says whose binding gives it: another owner's, as far as labels tell, or
// none of certsync's.
func TestWhoseBinding(t *testing.T) {
	for sentence, tt := range map[string]struct {
		managedBy, owner string
		want             string
	}{
		"nobody labelled it":                        {"", "", `gives User "dan" Role "payer" in namespace "payments", and is not certsync's`},
		"its labels are those of another inventory": {reconcile.ManagedByValue, "other", `gives User "dan" Role "payer" in namespace "payments", and is owner "other"'s by its labels`},
		"it has this owner's labels, not its name":  {reconcile.ManagedByValue, "test", `gives User "dan" Role "payer" in namespace "payments", and is not certsync's`},
		"another tool has a label of that name":     {"helm", "other", `gives User "dan" Role "payer" in namespace "payments", and is not certsync's`},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.Bindings["RoleBinding payments/x"] = reconcile.Binding{Kind: reconcile.RoleBinding, Namespace: "payments", Name: "x", ManagedBy: tt.managedBy, Owner: tt.owner,
				RoleRef: reconcile.RoleRef{Kind: "Role", Name: "payer"}, Subjects: []reconcile.Subject{reconcile.UserSubject("dan")}}
			var got []string
			for _, n := range w.Plan(reconciletest.Parse(t, "users: [{name: dan}]\n")).Notes {
				if n.Kind == reconcile.ExistingAccess {
					got = append(got, n.Message)
				}
			}
			if diff := cmp.Diff([]string{tt.want}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
