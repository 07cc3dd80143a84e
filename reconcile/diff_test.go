package reconcile

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFirstPlan(t *testing.T) {
	w := newWorld(t)
	p := w.plan(parse(t, team))
	want := []string{
		"issue alice [new-user]", "issue bob [new-user]", "issue carol [new-user]",
		"bind devs ClusterRoleBinding group:devs:view [roles-changed] +alice +bob",
		"bind devs RoleBinding staging/group:devs:edit [roles-changed] +alice +bob",
		"bind alice ClusterRoleBinding user:alice:admin [new-user]",
		"bind carol RoleBinding payments/user:carol:edit [new-user]",
	}
	if diff := cmp.Diff(want, lines(p)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]int{"issue": 3, "bind": 4, "unchanged": 0}, p.Summary()); diff != "" {
		t.Error(diff)
	}
}

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
		world     func(w *world)
		want      []string
		notes     []string
		after     []string // the plan after apply; default: nothing
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
			after: []string{},
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
			after: []string{},
		},
		"a new role": {
			inventory: strings.Replace(team, "[admin]}", "[edit]}", 1),
			want: []string{
				"bind alice ClusterRoleBinding user:alice:edit [roles-changed]",
				"unbind alice ClusterRoleBinding user:alice:admin [roles-changed]",
			},
			notes: []string{"inventory-changed"},
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
			after: []string{},
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
			notes: []string{"inventory-changed", "existing-access dan ClusterRoleBinding y", "existing-access dan RoleBinding payments/x"},
		},
		"a foreign secret at a new user's place": {
			inventory: team + "  - {name: dan, groups: [devs]}\n",
			world:     func(w *world) { _, _ = w.put(w.users, "dan", kvVersion{}, 0) },
			want:      []string{"issue dan [new-user] held"},
			notes:     []string{"inventory-changed"},
		},
		"a foreign secret at nobody's place": {
			world: func(w *world) { _, _ = w.put(w.users, "eve", kvVersion{}, 0) },
			notes: []string{"unknown-entry eve users/eve"},
			after: []string{},
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
			p := w.plan(inv)
			if diff := cmp.Diff(orEmpty(tt.want), lines(p)); diff != "" {
				t.Errorf("plan: %s", diff)
			}
			if diff := cmp.Diff(orEmpty(tt.notes), kinds(p)); diff != "" {
				t.Errorf("notes: %s", diff)
			}
			if len(p.Held()) > 0 {
				if _, err := w.apply(inv); !isRefused(err) || len(w.writes()) > 0 {
					t.Errorf("apply with a conflict: %v, wrote %q", err, w.writes())
				}
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

func isRefused(err error) bool {
	_, ok := err.(Refused)
	return ok
}

// TestQuarantine: a removed name must not hand its access to the old certificate.
func TestQuarantine(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, team))
	without := parse(t, strings.Replace(team, "  - {name: bob, groups: [devs]}\n", "", 1))
	w.mustApply(without)
	rec := w.ledger["bob"].versions[w.ledger["bob"].current].record
	if rec.State != Removed || rec.Certificates[0].Status != Revoked {
		t.Errorf("the record of a leaver says %s, %s", rec.State, rec.Certificates[0].Status)
	}
	if w.users["bob"] != nil {
		t.Error("the credential of a leaver is still there")
	}
	if diff := cmp.Diff([]string{"issue bob [new-user] held"}, lines(w.plan(parse(t, team)))); diff != "" {
		t.Errorf("while the certificate lives: %s", diff)
	}
	w.lifts.Reinstate = []string{"bob"}
	if got := lines(w.plan(parse(t, team))); !slices.Contains(got, "reissue bob [reinstated]") {
		t.Errorf("reinstated: %q", got)
	}
	w.lifts.Reinstate = []string{"bobby"}
	if _, err := w.apply(parse(t, team)); !errors.As(err, new(UnknownName)) {
		t.Errorf("a name that stands nowhere: %v", err)
	}
	w.lifts = Lifts{}
	w.now = w.now.Add(169 * time.Hour)
	if got := lines(w.plan(parse(t, team))); !slices.Contains(got, "issue bob [new-user]") {
		t.Errorf("after it has expired: %q", got)
	}
	if got := lines(w.plan(without)); !slices.Contains(got, "purge bob [certificates-expired]") {
		t.Errorf("after it has expired, without the user: %q", got)
	}
	w.mustApply(without)
	if w.ledger["bob"] != nil {
		t.Error("a record with nothing to account for is still there")
	}
}

// TestReinstate: the same person comes back, also after a removal that was cut off; what they hold is accounted for.
func TestReinstate(t *testing.T) {
	without := strings.Replace(team, "  - {name: bob, groups: [devs]}\n", "", 1)
	for _, fault := range []string{"nothing", "erase bob", "record bob removed", "update ClusterRoleBinding"} {
		t.Run(fault, func(t *testing.T) {
			w := newWorld(t)
			w.mustApply(parse(t, team))
			w.fail = func(call string) error {
				if strings.HasPrefix(call, fault) {
					return errBoom
				}
				return nil
			}
			if _, err := w.apply(parse(t, without)); err != nil {
				t.Fatal(err)
			}
			w.fail = nil
			if _, err := w.apply(parse(t, team)); !isRefused(err) {
				t.Errorf("without --reinstate: %v", err)
			}
			w.lifts.Reinstate = []string{"bob", "alice"} // alice needs nothing: ignored
			w.mustApply(parse(t, team))
			w.lifts = Lifts{}
			if p := w.plan(parse(t, team)); p.Changes() {
				t.Errorf("left: %q", lines(p))
			}
			rec := w.ledger["bob"].versions[w.ledger["bob"].current].record
			if rec.State != Active || rec.Certificates[0].Status != Superseded || rec.Certificates[1].Status != Current {
				t.Errorf("record: %+v", rec)
			}
		})
	}
}

// TestUntil: access ends with its day, and the name is not quarantined while it stays in the file.
func TestUntil(t *testing.T) {
	w := newWorld(t)
	until := func(day string) string {
		return strings.Replace(team, "name: bob,", "name: bob, until: "+day+",", 1)
	}
	w.mustApply(parse(t, until("2026-03-03")))
	cur := w.ledger["bob"].versions[1].record.Certificates[0]
	if want := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC); !cur.NotAfter.Equal(want) {
		t.Errorf("the certificate ends %s, not with the access", cur.NotAfter)
	}
	if got := kinds(w.plan(parse(t, until("2026-03-03")))); !slices.Contains(got, "until-soon bob") {
		t.Errorf("notes: %q", got)
	}
	w.now = time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	ended := parse(t, until("2026-03-03"))
	if got := lines(w.plan(ended)); !slices.Contains(got, "remove bob [until-passed]") {
		t.Errorf("at the end: %q", got)
	}
	w.mustApply(ended)
	if got := lines(w.plan(ended)); len(got) > 0 {
		t.Errorf("after the end: %q", got)
	}
	if got := lines(w.plan(parse(t, until("2026-04-03")))); !slices.Contains(got, "issue bob [new-user]") {
		t.Errorf("extended: %q", got)
	}
	w.now = time.Date(2026, 4, 3, 23, 55, 0, 0, time.UTC)
	late := w.plan(parse(t, until("2026-04-03")))
	if got := kinds(late); !slices.Contains(got, "too-short bob") {
		t.Errorf("notes 5 minutes before the end: %q", got)
	}
	for _, l := range lines(late) {
		if strings.Contains(l, "+bob") || strings.Contains(l, "issue bob") {
			t.Errorf("5 minutes before the end: %q", l)
		}
	}
}

// TestParts: members stay in their part, new ones go to the first with room, and no part passes MaxSubjects.
func TestParts(t *testing.T) {
	w := newWorld(t)
	members := func(numbers ...int) string {
		text := "defaults: {renewBefore: 10%}\ngroups: [{name: devs, clusterRoles: [view]}]\nusers:\n"
		for _, n := range numbers {
			text += fmt.Sprintf("  - {name: u%04d, groups: [devs]}\n", n)
		}
		return text
	}
	var all []int
	for n := range 2100 {
		all = append(all, n)
	}
	w.mustApply(parse(t, members(all...)))
	size := func(suffix string) int {
		return len(w.bindings["ClusterRoleBinding certsync:test:group:devs:view"+suffix].Subjects)
	}
	if size("") != 1000 || size("#2") != 1000 || size("#3") != 100 {
		t.Fatalf("parts of %d, %d and %d", size(""), size("#2"), size("#3"))
	}
	got := lines(w.plan(parse(t, members(append(slices.Delete(slices.Clone(all), 1500, 1501), 3000)...))))
	want := []string{
		"remove u1500 [not-in-inventory]",
		"update devs ClusterRoleBinding group:devs:view#2 [members-changed] -u1500",
		"issue u3000 [new-user]",
		"update devs ClusterRoleBinding group:devs:view#2 [members-changed] +u3000",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestSameBytes: the order of what was observed and of the inventory changes nothing.
func TestSameBytes(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, team))
	inv := parse(t, strings.Replace(team, "name: bob,", "name: dan,", 1))
	o, err := Observe(t.Context(), "test", w, w, func() time.Time { return w.now })
	if err != nil {
		t.Fatal(err)
	}
	first, _ := json.Marshal(Diff(inv, o, Lifts{}))
	for range 20 {
		rand.Shuffle(len(o.Bindings), func(i, j int) { o.Bindings[i], o.Bindings[j] = o.Bindings[j], o.Bindings[i] })
		rand.Shuffle(len(inv.Users), func(i, j int) { inv.Users[i], inv.Users[j] = inv.Users[j], inv.Users[i] })
		again, _ := json.Marshal(Diff(inv, o, Lifts{}))
		if diff := cmp.Diff(string(first), string(again)); diff != "" {
			t.Fatal(diff)
		}
	}
}

// TestDigest: what time alone decides is not in it, what a reviewer agreed to is.
func TestDigest(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, team))
	dan := parse(t, team+"  - {name: dan}\n")
	before := w.plan(dan)
	w.now = w.now.Add(167 * time.Hour)
	if after := w.plan(dan); after.Digest() != before.Digest() || len(after.Steps) == len(before.Steps) {
		t.Errorf("renewals changed the digest:\n%q\n%q", lines(before), lines(after))
	}
	w.bindings["ClusterRoleBinding y"] = Binding{Kind: ClusterRoleBinding, Name: "y", RoleRef: RoleRef{Kind: "ClusterRole", Name: "admin"}, Subjects: []Subject{UserSubject("dan")}}
	if w.plan(dan).Digest() == before.Digest() {
		t.Error("access that dan inherits is not in the digest")
	}
}
