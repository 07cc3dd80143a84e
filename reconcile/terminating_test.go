package reconcile

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const groupEdit = "RoleBinding staging/certsync:test:group:devs:edit"

// TestTerminatingIsMadeAnew: a wanted binding that was deleted, and that a finalizer keeps, is ended and made anew at once,
// for whom it should serve.
func TestTerminatingIsMadeAnew(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil     func(w *world)
		inventory string
		want      []string // the plan
		writes    []string // of bindings
	}{
		"as it should be": {
			inventory: team,
			want:      []string{"update devs ClusterRoleBinding group:devs:view [drifted]", "update devs RoleBinding staging/group:devs:edit [drifted]"},
			writes: []string{"delete " + groupView, "create " + groupView + "[alice bob]",
				"delete " + groupEdit, "create " + groupEdit + "[alice bob]"},
		},
		"another role under its name": {
			spoil: func(w *world) {
				w.terminate(groupEdit)
				w.changed(groupView, func(b *Binding) { b.RoleRef.Name = "admin" })
				w.changed(groupEdit, func(b *Binding) { b.RoleRef.Kind = "Role" })
			},
			inventory: team,
			want: []string{"unbind devs ClusterRoleBinding group:devs:view [drifted] -alice -bob", "unbind devs RoleBinding staging/group:devs:edit [drifted] -alice -bob",
				"bind devs ClusterRoleBinding group:devs:view [drifted] +alice +bob", "bind devs RoleBinding staging/group:devs:edit [drifted] +alice +bob"},
			writes: []string{"delete " + groupView, "delete " + groupEdit, "create " + groupView + "[alice bob]", "create " + groupEdit + "[alice bob]"},
		},
		"emptied": {
			spoil:     func(w *world) { w.changed(groupView, func(b *Binding) { b.Subjects = nil }) },
			inventory: team,
			want:      []string{"update devs ClusterRoleBinding group:devs:view [drifted] +alice +bob", "update devs RoleBinding staging/group:devs:edit [drifted]"},
			writes: []string{"delete " + groupView, "create " + groupView + "[alice bob]",
				"delete " + groupEdit, "create " + groupEdit + "[alice bob]"},
		},
		"somebody leaves, and somebody comes whose certificate does": {
			inventory: strings.Replace(team, "name: bob,", "name: dan,", 1),
			want: []string{"remove bob [not-in-inventory]", "update devs ClusterRoleBinding group:devs:view [members-changed] -bob", "update devs RoleBinding staging/group:devs:edit [members-changed] -bob",
				"issue dan [new-user]", "update devs ClusterRoleBinding group:devs:view [members-changed] +dan", "update devs RoleBinding staging/group:devs:edit [members-changed] +dan"},
			writes: []string{"delete " + groupView, "create " + groupView + "[alice]", "delete " + groupEdit, "create " + groupEdit + "[alice]",
				"update " + groupView + "[alice dan]", "update " + groupEdit + "[alice dan]"},
		},
		"nobody wants it any more, and nobody is in one": {
			spoil:     func(w *world) { w.changed(groupEdit, func(b *Binding) { b.Subjects = nil }) },
			inventory: strings.NewReplacer(", clusterRoles: [view], namespaces: {staging: [edit]}", "").Replace(team),
			want:      []string{"unbind devs ClusterRoleBinding group:devs:view [roles-changed] -alice -bob", "unbind devs RoleBinding staging/group:devs:edit [roles-changed]"},
			writes:    []string{"delete " + groupView, "delete " + groupEdit},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.mustApply(parse(t, team))
			w.terminate(groupView, groupEdit)
			if tt.spoil != nil {
				tt.spoil(w)
			}
			w.rules.MaxRemovals = limit(t, "100%")
			inv := parse(t, tt.inventory)
			if p := w.plan(inv); !slices.Equal(tt.want, lines(p)) || slices.ContainsFunc(kinds(p), func(k string) bool { return strings.HasPrefix(k, "terminating") }) {
				t.Errorf("plan: %s, notes %q", cmp.Diff(tt.want, lines(p)), kinds(p))
			}
			w.mustApply(inv)
			if diff := cmp.Diff(tt.writes, w.bindingWrites()); diff != "" {
				t.Errorf("writes: %s", diff)
			}
			if w.mustApply(inv); len(w.writes()) > 0 {
				t.Errorf("the second apply wrote: %q", w.writes())
			}
		})
	}
}

// TestTerminatingServesOn: where nothing can be made in its place, or nothing may be deleted, a wanted binding that a
// finalizer keeps serves on, loses who should not be in it, and is noted. So is one that may be what lets apply write.
func TestTerminatingServesOn(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(w *world)
		lost  bool // bob leaves it
	}{
		"its namespace goes":   {func(w *world) { w.spaces["staging"] = false }, true},
		"upsert only":          {func(w *world) { w.rules.Policy = UpsertOnly }, false},
		"create only":          {func(w *world) { w.rules.Policy = CreateOnly }, false},
		"who applies is in it": {func(w *world) { w.rules.Self = "alice" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.mustApply(parse(t, team))
			w.terminate(groupEdit)
			tt.spoil(w)
			before := w.bindings[groupEdit]
			if o, err := w.apply(parse(t, withoutBob)); err != nil || o.Failed() > 0 {
				t.Fatalf("%v, %q", err, results(o))
			}
			after := w.bindings[groupEdit]
			if slices.Contains(w.subjects(groupEdit), "bob") == tt.lost || !slices.Contains(w.subjects(groupEdit), "alice") || after.UID != before.UID {
				t.Errorf("%+v became %+v", before, after)
			}
			if p := w.plan(parse(t, withoutBob)); !slices.Contains(kinds(p), "terminating  "+groupEdit) {
				t.Errorf("notes %q", kinds(p))
			}
		})
	}
}

// TestFinalizerThatStays: what admission keeps from being deleted is one failed step. It serves who was in it before, and
// everybody else's steps are done.
func TestFinalizerThatStays(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, team))
	w.terminate(groupEdit)
	w.fail = failing("delete "+groupEdit, errBoom)
	o, err := w.apply(parse(t, withoutBob))
	if err != nil || o.Failed() != 2 { // bob stays bound, so the removal waits
		t.Errorf("%v, %q", err, results(o))
	}
	if got := w.subjects(groupView); slices.Contains(got, "bob") {
		t.Errorf("%s serves %q", groupView, got)
	}
	if got := w.subjects(groupEdit); len(got) != 2 {
		t.Errorf("%s serves %q", groupEdit, got)
	}
	w.fail = nil
	w.mustApply(parse(t, withoutBob))
	if got := w.subjects(groupEdit); !slices.Equal(got, []string{"alice"}) {
		t.Errorf("%s serves %q", groupEdit, got)
	}
}

// TestTerminatingCutOff: a run that dies between the end of a binding and the new one is finished by the next, and an old
// name keeps what the new one may have lost with it.
func TestTerminatingCutOff(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, team))
	w.terminate(groupView)
	w.fail = failing("create "+groupView, errBoom)
	if o, err := w.apply(renamed(t)); err != nil || o.Failed() == 0 {
		t.Fatal(err)
	}
	if w.users["alice"] == nil {
		t.Error("alice lost the credential")
	}
	w.fail = nil
	w.mustApply(renamed(t))
	if got := w.subjects(groupView); w.users["alice"] != nil || slices.Contains(got, "alice") || len(got) != 2 {
		t.Errorf("%s serves %q", groupView, got)
	}
}

// TestTerminatingPermissions: what it takes is asked for before anything is written.
func TestTerminatingPermissions(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, team))
	w.terminate(groupEdit, "ClusterRoleBinding certsync:test:user:alice:admin")
	p := w.plan(parse(t, strings.Replace(team, ", clusterRoles: [admin]", "", 1)))
	var got []string
	for _, perm := range p.permissions(nil) {
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
