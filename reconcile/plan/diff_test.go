package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestDifferences starts from a settled world, changes one thing in the world or in the inventory, and looks at the
// plan; then applies it, and expects nothing to be left, unless the plan says "held".
func TestDifferences(t *testing.T) {
	const view, admin, edit = "ClusterRoleBinding certsync:test:group:devs:view", "ClusterRoleBinding certsync:test:user:alice:admin", "RoleBinding staging/certsync:test:group:devs:edit"
	change := func(w *reconciletest.World, object string, f func(*reconcile.Binding)) {
		b := w.Bindings[object]
		f(&b)
		b.ResourceVersion = w.Next()
		w.Bindings[object] = b
	}
	tests := map[string]struct {
		inventory string // default: team
		rules     reconcile.Rules
		world     func(w *reconciletest.World)
		want      []string
		notes     []string
	}{
		"nothing": {},
		"a user's binding is deleted": {
			world: func(w *reconciletest.World) { delete(w.Bindings, admin) },
			want:  []string{"bind alice ClusterRoleBinding user:alice:admin [missing]"},
		},
		"a group's binding is deleted": {
			world: func(w *reconciletest.World) { delete(w.Bindings, view) },
			want:  []string{"bind devs ClusterRoleBinding group:devs:view [missing] +alice +bob"},
		},
		"an extra User": {
			world: func(w *reconciletest.World) {
				change(w, view, func(b *reconcile.Binding) { b.Subjects = append(b.Subjects, reconcile.UserSubject("eve")) })
			},
			want: []string{"update devs ClusterRoleBinding group:devs:view [drifted] -eve"},
		},
		"an extra user who belongs to another grant": {
			world: func(w *reconciletest.World) {
				change(w, view, func(b *reconcile.Binding) { b.Subjects = append(b.Subjects, reconcile.UserSubject("carol")) })
			},
			want: []string{"update devs ClusterRoleBinding group:devs:view [drifted] -carol"},
		},
		"an extra Group": {
			world: func(w *reconciletest.World) {
				change(w, admin, func(b *reconcile.Binding) {
					b.Subjects = append(b.Subjects, reconcile.Subject{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: "devs"})
				})
			},
			want: []string{"update alice ClusterRoleBinding user:alice:admin [drifted] -Group/devs"},
		},
		"an extra ServiceAccount": {
			world: func(w *reconciletest.World) {
				change(w, admin, func(b *reconcile.Binding) {
					b.Subjects = append(b.Subjects, reconcile.Subject{Kind: "ServiceAccount", Namespace: "default", Name: "eve"})
				})
			},
			want: []string{"update alice ClusterRoleBinding user:alice:admin [drifted] -ServiceAccount/default/eve"},
		},
		"emptied subjects": {
			world: func(w *reconciletest.World) { change(w, admin, func(b *reconcile.Binding) { b.Subjects = nil }) },
			want:  []string{"update alice ClusterRoleBinding user:alice:admin [drifted] +alice"},
		},
		"the subject exchanged for another": {
			world: func(w *reconciletest.World) {
				change(w, admin, func(b *reconcile.Binding) { b.Subjects = []reconcile.Subject{reconcile.UserSubject("eve")} })
			},
			want: []string{"update alice ClusterRoleBinding user:alice:admin [drifted] +alice -eve"},
		},
		"a stripped label on a binding that is wanted": {
			world: func(w *reconciletest.World) { change(w, admin, func(b *reconcile.Binding) { b.Owner = "" }) },
			want:  []string{"update alice ClusterRoleBinding user:alice:admin [labels-missing]"},
		},
		"our name without our labels, which nobody wants": {
			world: func(w *reconciletest.World) {
				b := reconcile.NewBinding("test", reconcile.Grant{For: reconcile.ForUser, Subject: "eve", Role: "admin", Part: 1}, []string{"eve"})
				b.ManagedBy = ""
				w.Plant(b)
			},
			want: []string{"unbind eve ClusterRoleBinding user:eve:admin [unexpected]"},
		},
		"our labels without our name": {
			world: func(w *reconciletest.World) {
				w.Bindings["ClusterRoleBinding x"] = reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Name: "x", ManagedBy: reconcile.ManagedByValue, Owner: "test"}
			},
		},
		"a name that begins like ours, and is none": {
			world: func(w *reconciletest.World) {
				w.Plant(reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Name: "certsync:test:group:devs:view#02", Subjects: []reconcile.Subject{reconcile.UserSubject("eve")}})
			},
			notes: []string{"unknown-binding  ClusterRoleBinding certsync:test:group:devs:view#02"},
		},
		"our binding re-made with another roleRef": {
			world: func(w *reconciletest.World) {
				change(w, admin, func(b *reconcile.Binding) { b.RoleRef.Name = "cluster-admin" })
			},
			want: []string{
				"unbind alice ClusterRoleBinding user:alice:admin [drifted]",
				"bind alice ClusterRoleBinding user:alice:admin [drifted]",
			},
		},
		"a group's binding re-made with another roleRef": {
			world: func(w *reconciletest.World) { change(w, edit, func(b *reconcile.Binding) { b.RoleRef.Kind = "Role" }) },
			want: []string{
				"unbind devs RoleBinding staging/group:devs:edit [drifted] -alice -bob",
				"bind devs RoleBinding staging/group:devs:edit [drifted] +alice +bob",
			},
		},
		"a binding of ours that no grant wants": {
			world: func(w *reconciletest.World) {
				b := reconcile.NewBinding("test", reconcile.Grant{For: reconcile.ForUser, Subject: "bob", Role: "admin", Part: 1}, []string{"bob"})
				b.UID = "9"
				w.Bindings[b.Object()] = b
			},
			want: []string{"unbind bob ClusterRoleBinding user:bob:admin [unexpected]"},
		},
		"a deleted secret": {
			world: func(w *reconciletest.World) { delete(w.Users, "bob") },
			want:  []string{"reissue bob [credential-missing]"},
		},
		"a soft-deleted version": {
			world: func(w *reconciletest.World) { w.Users["bob"].Versions[1].Deleted = true },
			want:  []string{"reissue bob [credential-missing]"},
		},
		"a destroyed version": {
			world: func(w *reconciletest.World) { w.Users["bob"].Versions[1] = &reconciletest.KVVersion{Destroyed: true} },
			want:  []string{"reissue bob [credential-missing]"},
		},
		"a version written by someone else": {
			world: func(w *reconciletest.World) { _, _ = w.Put(w.Users, "bob", reconciletest.KVVersion{}, 1) },
			want:  []string{"reissue bob [foreign-credential] held"},
		},
		"a deleted ledger record": {
			world: func(w *reconciletest.World) { delete(w.Ledger, "bob") },
			want:  []string{"reissue bob [ledger-missing]"},
			notes: []string{"unknown-certificate bob"},
		},
		"a soft-deleted ledger record": {
			world: func(w *reconciletest.World) { w.Ledger["bob"].Versions[1].Deleted = true },
			want:  []string{"reissue bob [ledger-missing]"},
			notes: []string{"unknown-certificate bob"},
		},
		"a ledger record of somebody else": {
			world: func(w *reconciletest.World) {
				w.Ledger["bob"].Versions[1].Record = w.Ledger["carol"].Versions[1].Record
			},
			want: []string{"reissue bob [ledger-unreadable] held"},
		},
		"an older version of the credential left": {
			world: func(w *reconciletest.World) {
				w.Users["bob"].Versions[0] = &reconciletest.KVVersion{Deleted: true}
			},
			want: []string{"purge bob [old-versions] versions [0]"},
		},
		"another group": {
			inventory: strings.Replace(reconciletest.Team, "name: bob, groups: [devs]", "name: bob", 1),
			want: []string{
				"update devs ClusterRoleBinding group:devs:view [members-changed] -bob",
				"update devs RoleBinding staging/group:devs:edit [members-changed] -bob",
				"reissue bob [groups-changed]",
			},
			notes: []string{"inventory-changed"},
		},
		"a new role": {
			inventory: strings.Replace(reconciletest.Team, "[admin]}", "[edit]}", 1),
			want: []string{
				"bind alice ClusterRoleBinding user:alice:edit [roles-changed]",
				"unbind alice ClusterRoleBinding user:alice:admin [roles-changed]",
			},
			notes: []string{"inventory-changed"},
		},
		"a grant that has ended": {
			inventory: strings.Replace(reconciletest.Team, "[admin]}", "[{name: admin, until: 2026-02-01}]}", 1),
			want:      []string{"unbind alice ClusterRoleBinding user:alice:admin [until-passed]"},
			notes:     []string{"inventory-changed"},
		},
		"a user who leaves": {
			inventory: strings.Replace(reconciletest.Team, "  - {name: bob, groups: [devs]}\n", "", 1),
			want: []string{
				"remove bob [not-in-inventory]",
				"update devs ClusterRoleBinding group:devs:view [members-changed] -bob",
				"update devs RoleBinding staging/group:devs:edit [members-changed] -bob",
			},
			notes: []string{"inventory-changed", "live-certificate bob"},
		},
		"all members of a group leave": {
			rules:     reconcile.Rules{MaxRemovals: reconciletest.Limit(t, "100%")},
			inventory: "groups: [{name: devs, clusterRoles: [view], namespaces: {staging: [edit]}}]\nusers: [{name: carol, namespaces: {payments: [edit]}}]",
			want: []string{
				"remove alice [not-in-inventory]", "remove bob [not-in-inventory]",
				"unbind alice ClusterRoleBinding user:alice:admin [not-in-inventory]",
				"unbind devs ClusterRoleBinding group:devs:view [members-changed] -alice -bob",
				"unbind devs RoleBinding staging/group:devs:edit [members-changed] -alice -bob",
			},
			notes: []string{"inventory-changed", "live-certificate alice", "live-certificate bob"},
		},
		"a member leaves and a new one comes": {
			inventory: strings.Replace(reconciletest.Team, "name: bob,", "name: dan,", 1),
			want: []string{
				"remove bob [not-in-inventory]",
				"update devs ClusterRoleBinding group:devs:view [members-changed] -bob",
				"update devs RoleBinding staging/group:devs:edit [members-changed] -bob",
				"issue dan [new-user]",
				"update devs ClusterRoleBinding group:devs:view [members-changed] +dan",
				"update devs RoleBinding staging/group:devs:edit [members-changed] +dan",
			},
			notes: []string{"inventory-changed", "live-certificate bob"},
		},
		"another key algorithm and server": {
			inventory: "defaults: {keyAlgorithm: ECDSA-P384}\ncluster: {server: 'https://other:6443', name: other}" + reconciletest.Team,
			want: []string{
				"reissue alice [key-algorithm-changed server-changed cluster-name-changed]",
				"reissue bob [key-algorithm-changed server-changed cluster-name-changed]",
				"reissue carol [key-algorithm-changed server-changed cluster-name-changed]",
			},
			notes: []string{"inventory-changed"},
		},
		"a certificate about to expire": {
			world: func(w *reconciletest.World) { w.Now = w.Now.Add(167 * time.Hour) },
			want:  []string{"renew alice [expiring]", "renew bob [expiring]", "renew carol [expiring]"},
		},
		"a role and a namespace that don't exist": {
			inventory: strings.Replace(reconciletest.Team, "namespaces: {payments: [edit]}", "clusterRoles: [nope], namespaces: {nowhere: [edit]}", 1),
			want: []string{
				"bind carol ClusterRoleBinding user:carol:nope [roles-changed]",
				"unbind carol RoleBinding payments/user:carol:edit [roles-changed]",
			},
			notes: []string{"inventory-changed", "clusterrole-missing carol ClusterRole nope", "namespace-missing carol Namespace nowhere"},
		},
		"somebody else's binding serves a user": {
			inventory: reconciletest.Team + "  - {name: dan, groups: [devs]}\n",
			world: func(w *reconciletest.World) {
				w.Bindings["RoleBinding payments/x"] = reconcile.Binding{Kind: reconcile.RoleBinding, Namespace: "payments", Name: "x", RoleRef: reconcile.RoleRef{Kind: "Role", Name: "payer"}, Subjects: []reconcile.Subject{reconcile.UserSubject("dan")}}
				w.Bindings["ClusterRoleBinding y"] = reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Name: "y", ManagedBy: reconcile.ManagedByValue, Owner: "other", RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: "admin"}, Subjects: []reconcile.Subject{{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: "devs"}}}
			},
			want: []string{
				"issue dan [new-user]",
				"update devs ClusterRoleBinding group:devs:view [members-changed] +dan",
				"update devs RoleBinding staging/group:devs:edit [members-changed] +dan",
			},
			notes: []string{"inventory-changed", "existing-access devs ClusterRoleBinding y", "existing-access dan RoleBinding payments/x"},
		},
		"somebody else's binding serves a user by a subject with a namespace, which the authorizer ignores": {
			inventory: reconciletest.Team + "  - {name: dan}\n",
			world: func(w *reconciletest.World) {
				w.Bindings["ClusterRoleBinding y"] = reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Name: "y", RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: "cluster-admin"},
					Subjects: []reconcile.Subject{{Kind: "User", APIGroup: reconcile.RBACGroup, Namespace: "x", Name: "dan"}}}
			},
			want:  []string{"issue dan [new-user]"},
			notes: []string{"inventory-changed", "existing-access dan ClusterRoleBinding y"},
		},
		"a leaver whom somebody else's bindings serve, by name and by group": {
			inventory: strings.Replace(reconciletest.Team, "  - {name: bob, groups: [devs]}\n", "", 1),
			world: func(w *reconciletest.World) {
				w.Bindings["RoleBinding payments/x"] = reconcile.Binding{Kind: reconcile.RoleBinding, Namespace: "payments", Name: "x", RoleRef: reconcile.RoleRef{Kind: "Role", Name: "payer"}, Subjects: []reconcile.Subject{reconcile.UserSubject("bob")}}
				w.Bindings["ClusterRoleBinding y"] = reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Name: "y", RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: "admin"}, Subjects: []reconcile.Subject{{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: "devs"}}}
				w.RoleRules = map[reconcile.Role][]reconcile.Rule{{Namespace: "payments", Name: "payer"}: {reconciletest.Rule("create", "", "payments")}}
			},
			want: []string{
				"remove bob [not-in-inventory]",
				"update devs ClusterRoleBinding group:devs:view [members-changed] -bob",
				"update devs RoleBinding staging/group:devs:edit [members-changed] -bob",
			},
			notes: []string{"inventory-changed", "live-certificate bob", "residual-access bob"},
		},
		"a member leaves who is bound in a terminating namespace, where nobody can be added": {
			inventory: strings.Replace(reconciletest.Team, "name: bob,", "name: dan,", 1),
			world:     func(w *reconciletest.World) { w.Spaces["staging"] = false },
			want: []string{
				"remove bob [not-in-inventory]",
				"update devs ClusterRoleBinding group:devs:view [members-changed] -bob",
				"update devs RoleBinding staging/group:devs:edit [members-changed] -bob",
				"issue dan [new-user]",
				"update devs ClusterRoleBinding group:devs:view [members-changed] +dan",
			},
			notes: []string{"inventory-changed", "namespace-missing devs Namespace staging", "live-certificate bob"},
		},
		"a leaver's binding that a finalizer keeps": {
			inventory: strings.Replace(reconciletest.Team, "  - {name: alice, groups: [devs], clusterRoles: [admin]}\n", "", 1),
			world:     func(w *reconciletest.World) { change(w, admin, func(b *reconcile.Binding) { b.Terminating = true }) },
			want: []string{
				"remove alice [not-in-inventory]",
				"unbind alice ClusterRoleBinding user:alice:admin [not-in-inventory]",
				"update devs ClusterRoleBinding group:devs:view [members-changed] -alice",
				"update devs RoleBinding staging/group:devs:edit [members-changed] -alice",
			},
			notes: []string{"inventory-changed", "live-certificate alice"},
		},
		"a foreign secret at a new user's place": {
			inventory: reconciletest.Team + "  - {name: dan, groups: [devs]}\n",
			world:     func(w *reconciletest.World) { _, _ = w.Put(w.Users, "dan", reconciletest.KVVersion{}, 0) },
			want:      []string{"issue dan [new-user] held"},
			notes:     []string{"inventory-changed"},
		},
		"a record that is deleted, and an index that knows of it": {
			world: func(w *reconciletest.World) { w.Ledger["bob"].Versions[1].Deleted = true },
			want:  []string{"reissue bob [ledger-missing]"},
			notes: []string{"unknown-certificate bob"},
		},
		"a record and a credential that are gone, and an index that knows of them": {
			world: func(w *reconciletest.World) { delete(w.Ledger, "bob"); delete(w.Users, "bob") },
			want:  []string{"reissue bob [ledger-missing]"},
			notes: []string{"unknown-certificate bob"},
		},
		"a record without a version, of which nobody else knows": {
			inventory: reconciletest.Team + "  - {name: dan}\n",
			world:     func(w *reconciletest.World) { w.Ledger["dan"] = &reconciletest.Secret{} },
			want:      []string{"reissue dan [ledger-missing]"},
			notes:     []string{"inventory-changed", "unknown-certificate dan"},
		},
		"a record without a version, of nobody": {
			world: func(w *reconciletest.World) { w.Ledger["eve"] = &reconciletest.Secret{} },
			notes: []string{"unknown-certificate eve"},
		},
		"a credential without a version": {
			world: func(w *reconciletest.World) { w.Users["bob"] = &reconciletest.Secret{} },
			want:  []string{"reissue bob [credential-missing]"},
		},
		"a credential that was deleted by time": {
			world: func(w *reconciletest.World) { w.Users["bob"].Versions[1].Deleted = true },
			want:  []string{"reissue bob [credential-missing]"},
		},
		"credentials and records that Vault deletes after a time": {
			inventory: reconciletest.Team + "  - {name: dan}\n",
			world: func(w *reconciletest.World) {
				w.Users["alice"].DeleteAfter = time.Hour // it is good, so nothing is written
				w.Users["bob"].DeleteAfter, w.Users["bob"].Versions[1].Deleted = time.Hour, true
				w.Ledger["dan"] = &reconciletest.Secret{DeleteAfter: time.Hour}
			},
			want:  []string{"reissue bob [credential-missing] held", "reissue dan [ledger-missing] held"},
			notes: []string{"inventory-changed", "unknown-certificate dan"},
		},
		"a foreign secret at nobody's place": {
			world: func(w *reconciletest.World) { _, _ = w.Put(w.Users, "eve", reconciletest.KVVersion{}, 0) },
			want:  []string{"remove eve [foreign-credential not-in-inventory] held"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			if tt.world != nil {
				tt.world(w)
			}
			if tt.inventory == "" {
				tt.inventory = reconciletest.Team
			}
			inv := reconciletest.Parse(t, tt.inventory)
			w.Rules = tt.rules
			p := w.Plan(inv)
			if diff := cmp.Diff(reconcile.OrEmpty(tt.want), reconciletest.Lines(p)); diff != "" {
				t.Errorf("plan: %s", diff)
			}
			if diff := cmp.Diff(reconcile.OrEmpty(tt.notes), reconciletest.Kinds(p)); diff != "" {
				t.Errorf("notes: %s", diff)
			}
			if len(p.Held()) > 0 {
				w.Skips(inv, p)
				return
			}
			w.MustApply(inv)
			if diff := cmp.Diff([]string{}, reconciletest.Lines(w.Plan(inv))); diff != "" {
				t.Errorf("after apply: %s", diff)
			}
			if w.MustApply(inv); len(w.Writes()) > 0 {
				t.Errorf("the second apply wrote: %q", w.Writes())
			}
		})
	}
}

// TestGroupsOutOfCertificates: turning them off reissues everybody who has some, once. Afterwards a change of groups touches
// bindings alone.
func TestGroupsOutOfCertificates(t *testing.T) {
	const off = "defaults: {groupsInCertificate: false}\n"
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	if diff := cmp.Diff([]string{"reissue alice [groups-changed]", "reissue bob [groups-changed]"}, reconciletest.Lines(w.Plan(reconciletest.Parse(t, off+reconciletest.Team)))); diff != "" {
		t.Error(diff)
	}
	w.MustApply(reconciletest.Parse(t, off+reconciletest.Team))
	if groups := w.Ledger["bob"].Versions[w.Ledger["bob"].Current].Record.Current().Groups; len(groups) > 0 {
		t.Errorf("bob's certificate carries %q", groups)
	}
	left := reconciletest.Parse(t, off+strings.Replace(reconciletest.Team, "name: bob, groups: [devs]", "name: bob", 1))
	want := []string{"update devs ClusterRoleBinding group:devs:view [members-changed] -bob", "update devs RoleBinding staging/group:devs:edit [members-changed] -bob"}
	if diff := cmp.Diff(want, reconciletest.Lines(w.Plan(left))); diff != "" {
		t.Error(diff)
	}
}
