package apply_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

const groupEdit = "RoleBinding staging/certsync:test:group:devs:edit"

// TestTerminatingIsMadeAnew: a wanted binding that was deleted, and that a finalizer keeps, is ended and made anew at once,
// for whom it should serve.
func TestTerminatingIsMadeAnew(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil     func(w *reconciletest.World)
		inventory string
		want      []string // the plan
		writes    []string // of bindings
	}{
		"as it should be": {
			inventory: reconciletest.Team,
			want:      []string{"update devs ClusterRoleBinding group:devs:view [drifted]", "update devs RoleBinding staging/group:devs:edit [drifted]"},
			writes: []string{"delete " + reconciletest.GroupView, "create " + reconciletest.GroupView + "[alice bob]",
				"delete " + groupEdit, "create " + groupEdit + "[alice bob]"},
		},
		"another role under its name": {
			spoil: func(w *reconciletest.World) {
				w.Terminate(groupEdit)
				w.Changed(reconciletest.GroupView, func(b *reconcile.Binding) { b.RoleRef.Name = "admin" })
				w.Changed(groupEdit, func(b *reconcile.Binding) { b.RoleRef.Kind = "Role" })
			},
			inventory: reconciletest.Team,
			want: []string{"unbind devs ClusterRoleBinding group:devs:view [drifted] -alice -bob", "unbind devs RoleBinding staging/group:devs:edit [drifted] -alice -bob",
				"bind devs ClusterRoleBinding group:devs:view [drifted] +alice +bob", "bind devs RoleBinding staging/group:devs:edit [drifted] +alice +bob"},
			writes: []string{"delete " + reconciletest.GroupView, "delete " + groupEdit, "create " + reconciletest.GroupView + "[alice bob]", "create " + groupEdit + "[alice bob]"},
		},
		"emptied": {
			spoil: func(w *reconciletest.World) {
				w.Changed(reconciletest.GroupView, func(b *reconcile.Binding) { b.Subjects = nil })
			},
			inventory: reconciletest.Team,
			want:      []string{"update devs ClusterRoleBinding group:devs:view [drifted] +alice +bob", "update devs RoleBinding staging/group:devs:edit [drifted]"},
			writes: []string{"delete " + reconciletest.GroupView, "create " + reconciletest.GroupView + "[alice bob]",
				"delete " + groupEdit, "create " + groupEdit + "[alice bob]"},
		},
		"somebody leaves, and somebody comes whose certificate does": {
			inventory: strings.Replace(reconciletest.Team, "name: bob,", "name: dan,", 1),
			want: []string{"remove bob [not-in-inventory]", "update devs ClusterRoleBinding group:devs:view [members-changed] -bob", "update devs RoleBinding staging/group:devs:edit [members-changed] -bob",
				"issue dan [new-user]", "update devs ClusterRoleBinding group:devs:view [members-changed] +dan", "update devs RoleBinding staging/group:devs:edit [members-changed] +dan"},
			writes: []string{"delete " + reconciletest.GroupView, "create " + reconciletest.GroupView + "[alice]", "delete " + groupEdit, "create " + groupEdit + "[alice]",
				"update " + reconciletest.GroupView + "[alice dan]", "update " + groupEdit + "[alice dan]"},
		},
		"nobody wants it any more, and nobody is in one": {
			spoil:     func(w *reconciletest.World) { w.Changed(groupEdit, func(b *reconcile.Binding) { b.Subjects = nil }) },
			inventory: strings.NewReplacer(", clusterRoles: [view], namespaces: {staging: [edit]}", "").Replace(reconciletest.Team),
			want:      []string{"unbind devs ClusterRoleBinding group:devs:view [roles-changed] -alice -bob", "unbind devs RoleBinding staging/group:devs:edit [roles-changed]"},
			writes:    []string{"delete " + reconciletest.GroupView, "delete " + groupEdit},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			w.Terminate(reconciletest.GroupView, groupEdit)
			if tt.spoil != nil {
				tt.spoil(w)
			}
			w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
			inv := reconciletest.Parse(t, tt.inventory)
			if p := w.Plan(inv); !slices.Equal(tt.want, reconciletest.Lines(p)) || slices.ContainsFunc(reconciletest.Kinds(p), func(k string) bool { return strings.HasPrefix(k, "terminating") }) {
				t.Errorf("plan: %s, notes %q", cmp.Diff(tt.want, reconciletest.Lines(p)), reconciletest.Kinds(p))
			}
			w.MustApply(inv)
			if diff := cmp.Diff(tt.writes, w.BindingWrites()); diff != "" {
				t.Errorf("writes: %s", diff)
			}
			if w.MustApply(inv); len(w.Writes()) > 0 {
				t.Errorf("the second apply wrote: %q", w.Writes())
			}
		})
	}
}

// TestTerminatingServesOn: where nothing can be made in its place, or nothing may be deleted, a wanted binding that a
// finalizer keeps serves on, loses who should not be in it, and is noted. So is one that may be what lets apply write.
func TestTerminatingServesOn(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(w *reconciletest.World)
		lost  bool // bob leaves it
	}{
		"its namespace goes":   {func(w *reconciletest.World) { w.Spaces["staging"] = false }, true},
		"upsert only":          {func(w *reconciletest.World) { w.Rules.Policy = reconcile.UpsertOnly }, false},
		"create only":          {func(w *reconciletest.World) { w.Rules.Policy = reconcile.CreateOnly }, false},
		"who applies is in it": {func(w *reconciletest.World) { w.Rules.Self = "alice" }, true},
		"who applies is in it, in a later epoch": {func(w *reconciletest.World) {
			w.Changed(groupEdit, func(b *reconcile.Binding) { b.Terminating = false })
			w.Rules.Revoke = []string{"alice"}
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			w.Terminate(groupEdit)
			w.Rules = reconcile.Rules{Self: "alice"}
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			w.Terminate(groupEdit)
			tt.spoil(w)
			before := w.Bindings[groupEdit]
			if o, err := w.Apply(reconciletest.Parse(t, reconciletest.WithoutBob)); err != nil || o.Failed() > 0 {
				t.Fatalf("%v, %q", err, reconciletest.Results(o))
			}
			after := w.Bindings[groupEdit]
			if slices.Contains(w.Subjects(groupEdit), "bob") == tt.lost || after.Subjects[0].Person() != "alice" && after.Subjects[len(after.Subjects)-1].Person() != "alice" || after.UID != before.UID {
				t.Errorf("%+v became %+v", before, after)
			}
			if p := w.Plan(reconciletest.Parse(t, reconciletest.WithoutBob)); !slices.Contains(reconciletest.Kinds(p), "terminating  "+groupEdit) {
				t.Errorf("notes %q", reconciletest.Kinds(p))
			}
		})
	}
}

// TestFinalizerThatStays: what admission keeps from being deleted is one failed step. It serves who was in it before, and
// everybody else's steps are done.
func TestFinalizerThatStays(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.Terminate(groupEdit)
	w.Fail = reconciletest.Failing("delete "+groupEdit, reconciletest.ErrBoom)
	o, err := w.Apply(reconciletest.Parse(t, reconciletest.WithoutBob))
	if err != nil || o.Failed() != 2 { // bob stays bound, so the removal waits
		t.Errorf("%v, %q", err, reconciletest.Results(o))
	}
	if got := w.Subjects(reconciletest.GroupView); slices.Contains(got, "bob") {
		t.Errorf("%s serves %q", reconciletest.GroupView, got)
	}
	if got := w.Subjects(groupEdit); len(got) != 2 {
		t.Errorf("%s serves %q", groupEdit, got)
	}
	w.Fail = nil
	w.MustApply(reconciletest.Parse(t, reconciletest.WithoutBob))
	if got := w.Subjects(groupEdit); !slices.Equal(got, []string{"alice"}) {
		t.Errorf("%s serves %q", groupEdit, got)
	}
}

// TestTerminatingCutOff: a run that dies between the end of a binding and the new one is finished by the next, and an old
// name keeps what the new one may have lost with it.
func TestTerminatingCutOff(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.Terminate(reconciletest.GroupView)
	w.Fail = reconciletest.Failing("create "+reconciletest.GroupView, reconciletest.ErrBoom)
	if o, err := w.Apply(reconciletest.Renamed(t)); err != nil || o.Failed() == 0 {
		t.Fatal(err)
	}
	if w.Users["alice"] == nil {
		t.Error("alice lost the credential")
	}
	w.Fail = nil
	w.MustApply(reconciletest.Renamed(t))
	if got := w.Subjects(reconciletest.GroupView); w.Users["alice"] != nil || slices.Contains(got, "alice") || len(got) != 2 {
		t.Errorf("%s serves %q", reconciletest.GroupView, got)
	}
}

// TestTerminatingPermissions: what it takes is asked for before anything is written.
func TestTerminatingPermissions(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.Terminate(groupEdit, "ClusterRoleBinding certsync:test:user:alice:admin")
	p := w.Plan(reconciletest.Parse(t, strings.Replace(reconciletest.Team, ", clusterRoles: [admin]", "", 1)))
	var got []string
	for _, perm := range p.Permissions(nil) {
		got = append(got, perm.String())
	}
	want := []string{
		"create rolebindings.rbac.authorization.k8s.io in namespace \"staging\"", "delete clusterrolebindings.rbac.authorization.k8s.io",
		"delete rolebindings.rbac.authorization.k8s.io in namespace \"staging\"", "patch clusterrolebindings.rbac.authorization.k8s.io",
		"patch rolebindings.rbac.authorization.k8s.io in namespace \"staging\"",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
