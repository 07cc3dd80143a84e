package granted

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// TestEffective: selectors become entries of namespaces, and the inventory that they stand in stays as it is.
func TestEffective(t *testing.T) {
	team := map[string]string{"team": "payments"}
	namespaces := map[string]reconcile.Namespace{
		"a": {Labels: team, Open: true}, "b": {Labels: team}, "c": {Open: true}, "kube-system": {Labels: team}, "certsync": {Labels: team}, "locks": {Labels: team},
	}
	until := func(hours int) inventory.Grant {
		return inventory.Grant{ClusterRole: "edit", Until: noon.Add(time.Duration(hours) * time.Hour)}
	}
	edit, role := inventory.Grant{ClusterRole: "edit"}, inventory.Grant{Role: "edit"}
	for sentence, tt := range map[string]struct {
		named, selected []inventory.Grant
		want            []inventory.Grant // in namespace a; in b it is what the selector gives
	}{
		"only the selector":             {nil, []inventory.Grant{edit, role}, []inventory.Grant{edit, role}},
		"a Role beside a ClusterRole":   {[]inventory.Grant{role}, []inventory.Grant{edit}, []inventory.Grant{role, edit}},
		"one without an end":            {[]inventory.Grant{until(1)}, []inventory.Grant{edit}, []inventory.Grant{edit}},
		"the name has no end":           {[]inventory.Grant{edit}, []inventory.Grant{until(1)}, []inventory.Grant{edit}},
		"the later end":                 {[]inventory.Grant{until(1)}, []inventory.Grant{until(2)}, []inventory.Grant{until(2)}},
		"one that has ended":            {[]inventory.Grant{until(-1)}, []inventory.Grant{until(1)}, []inventory.Grant{until(1)}},
		"the selector's has ended":      {[]inventory.Grant{until(1)}, []inventory.Grant{until(-1)}, []inventory.Grant{until(1)}},
		"both have ended, at two times": {[]inventory.Grant{until(-2)}, []inventory.Grant{until(-1)}, []inventory.Grant{until(-1)}},
	} {
		t.Run(sentence, func(t *testing.T) {
			inv := &inventory.Inventory{Owner: "o", Users: []inventory.User{{Name: "alice", ByLabel: []inventory.Selection{{Selector: inventory.Selector{Labels: team}, Grants: tt.selected}}}}}
			if tt.named != nil {
				inv.Users[0].Namespaces = map[string][]inventory.Grant{"a": tt.named}
			}
			digest := inv.Digest()
			got, ok := Effective(inv, namespaces, noon, "certsync", "locks")
			want := map[string][]inventory.Grant{"a": tt.want, "b": tt.selected}
			if diff := cmp.Diff(want, got.Users[0].Namespaces); diff != "" || !ok || got.Users[0].ByLabel != nil || inv.Digest() != digest {
				t.Errorf("%s%t, %+v", diff, ok, inv)
			}
		})
	}
	plain := &inventory.Inventory{Users: []inventory.User{{Name: "alice"}}}
	if got, ok := Effective(plain, namespaces, noon); got != plain || !ok {
		t.Errorf("%+v", got)
	}
}
