package reconcile

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWhoseBinding: access that a name has already says whose binding gives it: another owner's, as far as labels tell, or
// none of certsync's.
func TestWhoseBinding(t *testing.T) {
	for sentence, tt := range map[string]struct {
		managedBy, owner string
		want             string
	}{
		"nobody labelled it":                        {"", "", `gives User "dan" Role "payer" in namespace "payments", and is not certsync's`},
		"its labels are those of another inventory": {ManagedByValue, "other", `gives User "dan" Role "payer" in namespace "payments", and is owner "other"'s by its labels`},
		"it has this owner's labels, not its name":  {ManagedByValue, "test", `gives User "dan" Role "payer" in namespace "payments", and is not certsync's`},
		"another tool has a label of that name":     {"helm", "other", `gives User "dan" Role "payer" in namespace "payments", and is not certsync's`},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			w.bindings["RoleBinding payments/x"] = Binding{Kind: RoleBinding, Namespace: "payments", Name: "x", ManagedBy: tt.managedBy, Owner: tt.owner,
				RoleRef: RoleRef{Kind: "Role", Name: "payer"}, Subjects: []Subject{UserSubject("dan")}}
			var got []string
			for _, n := range w.plan(parse(t, "users: [{name: dan}]\n")).Notes {
				if n.Kind == ExistingAccess {
					got = append(got, n.Message)
				}
			}
			if diff := cmp.Diff([]string{tt.want}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
