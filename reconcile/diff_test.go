package reconcile

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestDifferences starts from a settled world, changes one thing in the world or in the inventory, and looks at the
// plan; then applies it, and expects nothing to be left, unless the plan says "held".
func TestDifferences(t *testing.T) {
	const view, admin, edit = "ClusterRoleBinding certsync:test:group:devs:view", "ClusterRoleBinding certsync:test:user:alice:admin", "RoleBinding staging/certsync:test:group:devs:edit"
	change := func(w *world, object string, f func(*Binding)) {
		b := w.bindings[object]
		f(&b)
		b.ResourceVersion = w.next()
		w.bindings[object] = b
	}
	tests := map[string]struct {
		inventory string // default: team
		rules     Rules
		world     func(w *world)
		want      []string
		notes     []string
	}{
		"nothing": {},
		"a user's binding is deleted": {
			world: func(w *world) { delete(w.bindings, admin) },
			want:  []string{"bind alice ClusterRoleBinding user:alice:admin [drifted]"},
		},
		"a group's binding is deleted": {
			world: func(w *world) { delete(w.bindings, view) },
			want:  []string{"bind devs ClusterRoleBinding group:devs:view [drifted] +alice +bob"},
		},
		"an extra User": {
			world: func(w *world) {
				change(w, view, func(b *Binding) { b.Subjects = append(b.Subjects, UserSubject("eve")) })
			},
			want: []string{"update devs ClusterRoleBinding group:devs:view [drifted] -eve"},
		},
		"an extra user who belongs to another grant": {
			world: func(w *world) {
				change(w, view, func(b *Binding) { b.Subjects = append(b.Subjects, UserSubject("carol")) })
			},
			want: []string{"update devs ClusterRoleBinding group:devs:view [drifted] -carol"},
		},
		"an extra Group": {
			world: func(w *world) {
				change(w, admin, func(b *Binding) {
					b.Subjects = append(b.Subjects, Subject{Kind: "Group", APIGroup: RBACGroup, Name: "devs"})
				})
			},
			want: []string{"update alice ClusterRoleBinding user:alice:admin [drifted] -Group/devs"},
		},
		"an extra ServiceAccount": {
			world: func(w *world) {
				change(w, admin, func(b *Binding) {
					b.Subjects = append(b.Subjects, Subject{Kind: "ServiceAccount", Namespace: "default", Name: "eve"})
				})
			},
			want: []string{"update alice ClusterRoleBinding user:alice:admin [drifted] -ServiceAccount/default/eve"},
		},
		"emptied subjects": {
			world: func(w *world) { change(w, admin, func(b *Binding) { b.Subjects = nil }) },
			want:  []string{"update alice ClusterRoleBinding user:alice:admin [drifted] +alice"},
		},
		"the subject exchanged for another": {
			world: func(w *world) { change(w, admin, func(b *Binding) { b.Subjects = []Subject{UserSubject("eve")} }) },
			want:  []string{"update alice ClusterRoleBinding user:alice:admin [drifted] +alice -eve"},
		},
		"a stripped label on a binding that is wanted": {
			world: func(w *world) { change(w, admin, func(b *Binding) { b.Owner = "" }) },
			want:  []string{"bind alice ClusterRoleBinding user:alice:admin [labels-missing] held"},
			notes: []string{"existing-access alice ClusterRoleBinding certsync:test:user:alice:admin"},
		},
		"our name without our labels, which nobody wants": {
			world: func(w *world) {
				b := newBinding("test", Grant{For: ForUser, Subject: "eve", Role: "admin", Part: 1}, []string{"eve"})
				b.ManagedBy = ""
				w.bindings[b.Object()] = b
			},
			want: []string{"unbind eve ClusterRoleBinding user:eve:admin [labels-missing] held"},
		},
		"our labels without our name": {
			world: func(w *world) {
				w.bindings["ClusterRoleBinding x"] = Binding{Kind: ClusterRoleBinding, Name: "x", ManagedBy: ManagedByValue, Owner: "test"}
			},
			notes: []string{"copied-labels  ClusterRoleBinding x"},
		},
		"our binding re-made with another roleRef": {
			world: func(w *world) { change(w, admin, func(b *Binding) { b.RoleRef.Name = "cluster-admin" }) },
			want: []string{
				"unbind alice ClusterRoleBinding user:alice:admin [drifted]",
				"bind alice ClusterRoleBinding user:alice:admin [drifted]",
			},
		},
		"a group's binding re-made with another roleRef": {
			world: func(w *world) { change(w, edit, func(b *Binding) { b.RoleRef.Kind = "Role" }) },
			want: []string{
				"unbind devs RoleBinding staging/group:devs:edit [drifted] -alice -bob",
				"bind devs RoleBinding staging/group:devs:edit [drifted] +alice +bob",
			},
		},
		"a binding of ours that no grant wants": {
			world: func(w *world) {
				b := newBinding("test", Grant{For: ForUser, Subject: "bob", Role: "admin", Part: 1}, []string{"bob"})
				b.UID = "9"
				w.bindings[b.Object()] = b
			},
			want: []string{"unbind bob ClusterRoleBinding user:bob:admin [drifted]"},
		},
		"a deleted secret": {
			world: func(w *world) { delete(w.users, "bob") },
			want:  []string{"reissue bob [credential-missing]"},
		},
		"a soft-deleted version": {
			world: func(w *world) { w.users["bob"].versions[1].deleted = true },
			want:  []string{"reissue bob [credential-missing]"},
		},
		"a destroyed version": {
			world: func(w *world) { w.users["bob"].versions[1] = &kvVersion{destroyed: true} },
			want:  []string{"reissue bob [credential-missing]"},
		},
		"a version written by someone else": {
			world: func(w *world) { _, _ = w.put(w.users, "bob", kvVersion{}, 1) },
			want:  []string{"reissue bob [foreign-credential] held"},
		},
		"a deleted ledger record": {
			world: func(w *world) { delete(w.ledger, "bob") },
			want:  []string{"reissue bob [ledger-missing]"},
			notes: []string{"unknown-certificate bob"},
		},
		"a soft-deleted ledger record": {
			world: func(w *world) { w.ledger["bob"].versions[1].deleted = true },
			want:  []string{"reissue bob [ledger-missing]"},
			notes: []string{"unknown-certificate bob"},
		},
		"a ledger record of somebody else": {
			world: func(w *world) { w.ledger["bob"].versions[1].record = w.ledger["carol"].versions[1].record },
			want:  []string{"reissue bob [ledger-unreadable] held"},
		},
		"an older version of the credential left": {
			world: func(w *world) {
				w.users["bob"].versions[0] = &kvVersion{deleted: true}
			},
			want: []string{"purge bob [old-versions] versions [0]"},
		},
		"another group": {
			inventory: strings.Replace(team, "name: bob, groups: [devs]", "name: bob", 1),
			want: []string{
				"update devs ClusterRoleBinding group:devs:view [members-changed] -bob",
				"update devs RoleBinding staging/group:devs:edit [members-changed] -bob",
				"reissue bob [groups-changed]",
			},
			notes: []string{"inventory-changed"},
		},
		"a new role": {
			inventory: strings.Replace(team, "[admin]}", "[edit]}", 1),
			want: []string{
				"bind alice ClusterRoleBinding user:alice:edit [roles-changed]",
				"unbind alice ClusterRoleBinding user:alice:admin [roles-changed]",
			},
			notes: []string{"inventory-changed"},
		},
		"a grant that has ended": {
			inventory: strings.Replace(team, "[admin]}", "[{name: admin, until: 2026-02-01}]}", 1),
			want:      []string{"unbind alice ClusterRoleBinding user:alice:admin [until-passed]"},
			notes:     []string{"inventory-changed"},
		},
		"a user who leaves": {
			inventory: strings.Replace(team, "  - {name: bob, groups: [devs]}\n", "", 1),
			want: []string{
				"remove bob [not-in-inventory]",
				"update devs ClusterRoleBinding group:devs:view [members-changed] -bob",
				"update devs RoleBinding staging/group:devs:edit [members-changed] -bob",
			},
			notes: []string{"inventory-changed", "live-certificate bob"},
		},
		"all members of a group leave": {
			rules:     Rules{MaxRemovals: limit(t, "100%")},
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
			inventory: strings.Replace(team, "name: bob,", "name: dan,", 1),
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
			inventory: "defaults: {keyAlgorithm: ECDSA-P384}\ncluster: {server: 'https://other:6443', name: other}" + team,
			want: []string{
				"reissue alice [key-algorithm-changed server-changed cluster-name-changed]",
				"reissue bob [key-algorithm-changed server-changed cluster-name-changed]",
				"reissue carol [key-algorithm-changed server-changed cluster-name-changed]",
			},
			notes: []string{"inventory-changed"},
		},
		"a certificate about to expire": {
			world: func(w *world) { w.now = w.now.Add(167 * time.Hour) },
			want:  []string{"renew alice [expiring]", "renew bob [expiring]", "renew carol [expiring]"},
		},
		"a role and a namespace that don't exist": {
			inventory: strings.Replace(team, "namespaces: {payments: [edit]}", "clusterRoles: [nope], namespaces: {nowhere: [edit]}", 1),
			want: []string{
				"bind carol ClusterRoleBinding user:carol:nope [roles-changed]",
				"unbind carol RoleBinding payments/user:carol:edit [roles-changed]",
			},
			notes: []string{"inventory-changed", "clusterrole-missing carol ClusterRole nope", "namespace-missing carol Namespace nowhere"},
		},
		"somebody else's binding serves a user": {
			inventory: team + "  - {name: dan, groups: [devs]}\n",
			world: func(w *world) {
				w.bindings["RoleBinding payments/x"] = Binding{Kind: RoleBinding, Namespace: "payments", Name: "x", RoleRef: RoleRef{Kind: "Role", Name: "payer"}, Subjects: []Subject{UserSubject("dan")}}
				w.bindings["ClusterRoleBinding y"] = Binding{Kind: ClusterRoleBinding, Name: "y", ManagedBy: ManagedByValue, Owner: "other", RoleRef: RoleRef{Kind: "ClusterRole", Name: "admin"}, Subjects: []Subject{{Kind: "Group", APIGroup: RBACGroup, Name: "devs"}}}
			},
			want: []string{
				"issue dan [new-user]",
				"update devs ClusterRoleBinding group:devs:view [members-changed] +dan",
				"update devs RoleBinding staging/group:devs:edit [members-changed] +dan",
			},
			notes: []string{"inventory-changed", "existing-access devs ClusterRoleBinding y", "existing-access dan RoleBinding payments/x"},
		},
		"somebody else's binding serves a user by a subject with a namespace, which the authorizer ignores": {
			inventory: team + "  - {name: dan}\n",
			world: func(w *world) {
				w.bindings["ClusterRoleBinding y"] = Binding{Kind: ClusterRoleBinding, Name: "y", RoleRef: RoleRef{Kind: "ClusterRole", Name: "cluster-admin"},
					Subjects: []Subject{{Kind: "User", APIGroup: RBACGroup, Namespace: "x", Name: "dan"}}}
			},
			want:  []string{"issue dan [new-user]"},
			notes: []string{"inventory-changed", "existing-access dan ClusterRoleBinding y"},
		},
		"a leaver whom somebody else's bindings serve, by name and by group": {
			inventory: strings.Replace(team, "  - {name: bob, groups: [devs]}\n", "", 1),
			world: func(w *world) {
				w.bindings["RoleBinding payments/x"] = Binding{Kind: RoleBinding, Namespace: "payments", Name: "x", RoleRef: RoleRef{Kind: "Role", Name: "payer"}, Subjects: []Subject{UserSubject("bob")}}
				w.bindings["ClusterRoleBinding y"] = Binding{Kind: ClusterRoleBinding, Name: "y", RoleRef: RoleRef{Kind: "ClusterRole", Name: "admin"}, Subjects: []Subject{{Kind: "Group", APIGroup: RBACGroup, Name: "devs"}}}
			},
			want: []string{
				"remove bob [not-in-inventory]",
				"update devs ClusterRoleBinding group:devs:view [members-changed] -bob",
				"update devs RoleBinding staging/group:devs:edit [members-changed] -bob",
			},
			notes: []string{"inventory-changed", "existing-access devs ClusterRoleBinding y",
				"existing-access bob RoleBinding payments/x", "live-certificate bob"},
		},
		"a member leaves who is bound in a terminating namespace, where nobody can be added": {
			inventory: strings.Replace(team, "name: bob,", "name: dan,", 1),
			world:     func(w *world) { w.spaces["staging"] = false },
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
			inventory: strings.Replace(team, "  - {name: alice, groups: [devs], clusterRoles: [admin]}\n", "", 1),
			world:     func(w *world) { change(w, admin, func(b *Binding) { b.Terminating = true }) },
			want: []string{
				"remove alice [not-in-inventory]",
				"unbind alice ClusterRoleBinding user:alice:admin [not-in-inventory]",
				"update devs ClusterRoleBinding group:devs:view [members-changed] -alice",
				"update devs RoleBinding staging/group:devs:edit [members-changed] -alice",
			},
			notes: []string{"inventory-changed", "live-certificate alice"},
		},
		"a foreign secret at a new user's place": {
			inventory: team + "  - {name: dan, groups: [devs]}\n",
			world:     func(w *world) { _, _ = w.put(w.users, "dan", kvVersion{}, 0) },
			want:      []string{"issue dan [new-user] held"},
			notes:     []string{"inventory-changed"},
		},
		"a foreign secret at nobody's place": {
			world: func(w *world) { _, _ = w.put(w.users, "eve", kvVersion{}, 0) },
			want:  []string{"remove eve [foreign-credential not-in-inventory] held"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.mustApply(parse(t, team))
			if tt.world != nil {
				tt.world(w)
			}
			if tt.inventory == "" {
				tt.inventory = team
			}
			inv := parse(t, tt.inventory)
			w.rules = tt.rules
			p := w.plan(inv)
			if diff := cmp.Diff(orEmpty(tt.want), lines(p)); diff != "" {
				t.Errorf("plan: %s", diff)
			}
			if diff := cmp.Diff(orEmpty(tt.notes), kinds(p)); diff != "" {
				t.Errorf("notes: %s", diff)
			}
			if len(p.Held()) > 0 {
				w.skips(inv, p)
				return
			}
			w.mustApply(inv)
			if diff := cmp.Diff([]string{}, lines(w.plan(inv))); diff != "" {
				t.Errorf("after apply: %s", diff)
			}
			if w.mustApply(inv); len(w.writes()) > 0 {
				t.Errorf("the second apply wrote: %q", w.writes())
			}
		})
	}
}
