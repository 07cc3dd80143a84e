package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestManyPlantedSubjects: a plan costs a pass over the subjects that a tenant has planted, and not one for each member whom the binding
// lacks, which would take many minutes.
func TestManyPlantedSubjects(t *testing.T) {
	const members, planted = 9_000, 300_000
	w := reconciletest.NewWorld(t)
	var text strings.Builder
	text.WriteString("groups: [{name: devs, namespaces: {staging: [edit]}}]\nusers:\n")
	for i := range members {
		fmt.Fprintf(&text, "- {name: user%d, groups: [devs]}\n", i)
	}
	inv := reconciletest.Parse(t, text.String())
	o := w.Observed()
	b := reconcile.NewBinding("test", reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Namespace: "staging", Role: "edit", Part: 1}, nil)
	b.UID, b.ResourceVersion = "1", "1"
	for i := range planted {
		b.Subjects = append(b.Subjects, reconcile.UserSubject(fmt.Sprintf("planted%d", i)))
	}
	o.Bindings = append(o.Bindings, b)
	removed, added := 0, 0
	for _, s := range plan.Diff(inv, o, reconcile.Rules{}).Steps {
		if s.Detail != nil {
			removed, added = removed+len(s.Detail.Remove), added+len(s.Detail.Add)
		}
	}
	if removed == 0 || added != members {
		t.Errorf("%d subjects are named that go, and %d that come", removed, added)
	}
}
