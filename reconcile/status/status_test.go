package status

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// status is what Status says of the world as it is.
func statusOf(w *reconciletest.World, inv *inventory.Inventory) Report {
	w.T.Helper()
	o, err := reconcile.Observe(w.T.Context(), "test", w, w, func() time.Time { return w.Now })
	if err != nil {
		w.T.Fatal(err)
	}
	return Of(inv, o, reconcile.Rules{})
}

// sketch is a user's status in one line: "name state (detail) in groups: binding grant, …; live certificates".
func sketch(u User) string {
	text := fmt.Sprintf("%s %s", u.Name, u.State)
	if u.Detail != "" {
		text += " (" + strings.SplitN(u.Detail, ":", 2)[0] + ")"
	}
	if len(u.Groups) > 0 {
		text += " in " + strings.Join(u.Groups, ",")
	}
	for _, g := range u.Grants {
		text += fmt.Sprintf("; %s %s", g.Binding, strings.TrimPrefix(g.Group+":"+g.Namespace+"/"+g.Role, ":/"))
		if g.Until != nil {
			text += " until " + g.Until.Format(time.DateOnly)
		}
	}
	for _, c := range u.Certificates {
		text += "; " + string(c.Status)
	}
	return text
}

func TestStatus(t *testing.T) {
	settled := map[string]string{
		"alice": "alice active in devs; bound admin; bound devs:/view; bound devs:staging/edit; current",
		"bob":   "bob active in devs; bound devs:/view; bound devs:staging/edit; current",
		"carol": "carol active; bound :payments/edit; current",
	}
	change := func(w *reconciletest.World, object string, f func(*reconcile.Binding)) {
		b := w.Bindings[object]
		f(&b)
		w.Bindings[object] = b
	}
	const view, admin = "ClusterRoleBinding certsync:test:group:devs:view", "ClusterRoleBinding certsync:test:user:alice:admin"
	without := strings.Replace(reconciletest.Team, "  - {name: bob, groups: [devs]}\n", "", 1)
	tests := map[string]struct {
		inventory string // default: team
		world     func(w *reconciletest.World)
		want      map[string]string // by user, where it differs from the settled world; "": not there
	}{
		"all is as it should be": {},
		"nothing was applied yet": {
			world: func(w *reconciletest.World) { *w = *reconciletest.NewWorld(w.T) },
			want: map[string]string{
				"alice": "alice no-credential (new-user) in devs; missing admin; missing devs:/view; missing devs:staging/edit",
				"bob":   "bob no-credential (new-user) in devs; missing devs:/view; missing devs:staging/edit",
				"carol": "carol no-credential (new-user); missing :payments/edit",
			},
		},
		"the credential was deleted": {
			world: func(w *reconciletest.World) { delete(w.Users, "carol") },
			want:  map[string]string{"carol": "carol no-credential (credential-missing); bound :payments/edit; current"},
		},
		"the certificate has expired": {
			world: func(w *reconciletest.World) { w.Now = w.Now.Add(8 * 24 * time.Hour) },
			want: map[string]string{
				"alice": "alice no-credential (expiring) in devs; bound admin; bound devs:/view; bound devs:staging/edit",
				"bob":   "bob no-credential (expiring) in devs; bound devs:/view; bound devs:staging/edit",
				"carol": "carol no-credential (expiring); bound :payments/edit",
			},
		},
		"a user begins later": {
			inventory: strings.Replace(reconciletest.Team, "name: carol,", "name: carol, from: 2026-05-01, until: 2026-05-31,", 1),
			want:      map[string]string{"carol": "carol leaving (from-ahead); unwanted :payments/edit; current"},
		},
		"a user who had nothing begins later": {
			inventory: reconciletest.Team + "  - {name: dora, from: 2026-05-01, groups: [devs], clusterRoles: [view]}\n",
			want:      map[string]string{"dora": "dora not-begun (from-ahead) in devs; not-begun view; not-begun devs:/view; not-begun devs:staging/edit"},
		},
		"a grant begins later": {
			inventory: strings.Replace(reconciletest.Team, "[admin]", "[admin, {name: edit, from: 2026-05-01}]", 1),
			want:      map[string]string{"alice": "alice active in devs; bound admin; not-begun edit; bound devs:/view; bound devs:staging/edit; current"},
		},
		"a denied request": {
			world: func(w *reconciletest.World) {
				v := w.Ledger["carol"].Versions[1].Record
				v.State, v.Reason, v.Certificates = reconcile.Denied, "CertificateSigningRequest x was denied", nil
			},
			want: map[string]string{"carol": "carol denied (CertificateSigningRequest x was denied); bound :payments/edit"},
		},
		"somebody else's secret": {
			world: func(w *reconciletest.World) {
				w.Ledger["carol"].Versions[1].Record.Certificates[0].CredentialVersion = 0
			},
			want: map[string]string{"carol": "carol conflict (users/carol is at version 1, and certsync wrote version 0); bound :payments/edit; current"},
		},
		"a leaver, before apply": {
			inventory: without,
			want:      map[string]string{"bob": "bob leaving (not-in-inventory); unwanted devs:/view; unwanted devs:staging/edit; current"},
		},
		"a leaver, after apply": {
			inventory: without,
			world:     func(w *reconciletest.World) { w.MustApply(reconciletest.Parse(w.T, without)) },
			want:      map[string]string{"bob": "bob left (not-in-inventory); revoked"},
		},
		"a leaver whom somebody bound again": {
			inventory: without,
			world: func(w *reconciletest.World) {
				w.MustApply(reconciletest.Parse(w.T, without))
				change(w, view, func(b *reconcile.Binding) { b.Subjects = append(b.Subjects, reconcile.UserSubject("bob")) })
			},
			want: map[string]string{"bob": "bob leaving (not-in-inventory); unwanted devs:/view; revoked"},
		},
		"a leaver whose certificate has expired": {
			inventory: without,
			world: func(w *reconciletest.World) {
				w.MustApply(reconciletest.Parse(w.T, without))
				w.Now = w.Now.Add(167 * time.Hour)
				w.MustApply(reconciletest.Parse(w.T, without))
				w.Now = w.Now.Add(2 * time.Hour)
			},
			want: map[string]string{"bob": "bob left (not-in-inventory)"},
		},
		"a leaver who comes back": {
			world: func(w *reconciletest.World) { w.MustApply(reconciletest.Parse(w.T, without)) },
			want:  map[string]string{"bob": "bob no-credential (new-user) in devs; missing devs:/view; missing devs:staging/edit; revoked"},
		},
		"an end that has come, before apply": {
			inventory: strings.Replace(reconciletest.Team, "{name: bob,", "{name: bob, until: 2026-02-28,", 1),
			want:      map[string]string{"bob": "bob leaving (until-passed) in devs; unwanted devs:/view; unwanted devs:staging/edit; current"},
		},
		"an end that has come, after apply": {
			inventory: strings.Replace(reconciletest.Team, "{name: bob,", "{name: bob, until: 2026-02-28,", 1),
			world: func(w *reconciletest.World) {
				w.MustApply(reconciletest.Parse(w.T, strings.Replace(reconciletest.Team, "{name: bob,", "{name: bob, until: 2026-02-28,", 1)))
			},
			want: map[string]string{"bob": "bob lapsed (until-passed) in devs; ended devs:/view; ended devs:staging/edit; revoked"},
		},
		"grants that end and have ended": {
			inventory: strings.Replace(reconciletest.Team, "clusterRoles: [admin]", "clusterRoles: [{name: admin, until: 2026-02-01}, {name: view, until: 2026-02-01}, {name: edit, until: 2026-12-31}]", 1),
			want: map[string]string{"alice": "alice active in devs; unwanted admin until 2026-02-02; missing edit until 2027-01-01; ended view until 2026-02-02; " +
				"bound devs:/view; bound devs:staging/edit; current"},
		},
		"a subject taken out": {
			world: func(w *reconciletest.World) {
				change(w, view, func(b *reconcile.Binding) { b.Subjects = b.Subjects[1:] })
			},
			want: map[string]string{"alice": "alice active in devs; bound admin; missing devs:/view; bound devs:staging/edit; current"},
		},
		"a subject with a namespace, which RBAC ignores": {
			world: func(w *reconciletest.World) {
				change(w, admin, func(b *reconcile.Binding) { b.Subjects[0].Namespace = "x" })
			},
		},
		"a stranger in a binding": {
			world: func(w *reconciletest.World) {
				change(w, view, func(b *reconcile.Binding) {
					b.Subjects = append(b.Subjects, reconcile.UserSubject("eve"), reconcile.UserSubject("eve"))
				})
			},
			want: map[string]string{"eve": "eve leaving (not-in-inventory); unwanted devs:/view"},
		},
		"another role under a binding's name": {
			world: func(w *reconciletest.World) {
				change(w, admin, func(b *reconcile.Binding) { b.RoleRef = reconcile.RoleRef{Kind: "Role", Name: "root"} })
			},
			want: map[string]string{"alice": "alice active in devs; missing admin; unwanted root; bound devs:/view; bound devs:staging/edit; current"},
		},
		"a stripped label": {
			world: func(w *reconciletest.World) { change(w, admin, func(b *reconcile.Binding) { b.Owner = "" }) },
		},
		"a member in two parts": {
			world: func(w *reconciletest.World) {
				b := reconcile.NewBinding("test", reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Role: "view", Part: 2}, []string{"alice"})
				w.Bindings[b.Object()] = b
			},
			want: map[string]string{"alice": "alice active in devs; bound admin; bound devs:/view; unwanted devs:/view; bound devs:staging/edit; current"},
		},
	}
	for sentence, tt := range tests {
		t.Run(sentence, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			if tt.world != nil {
				tt.world(w)
			}
			text := tt.inventory
			if text == "" {
				text = reconciletest.Team
			}
			want := []string{}
			for _, name := range []string{"alice", "bob", "carol", "dora", "eve"} {
				line, told := tt.want[name]
				if !told {
					line = settled[name]
				}
				if line != "" {
					want = append(want, line)
				}
			}
			got := []string{}
			for _, u := range statusOf(w, reconciletest.Parse(t, text)).Users {
				got = append(got, sketch(u))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestStatusOfARename: who has another name now is leaving under the old one.
func TestStatusOfARename(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	inv := reconciletest.Parse(t, strings.Replace(reconciletest.Team, "name: carol", "name: karla", 1))
	inv.Users[2].Previously = []string{"carol"}
	got := statusOf(w, inv).Users[2]
	if got.Name != "carol" || got.State != IsLeaving || got.Detail != "is karla now: there is still the credential, and a place in 1 of certsync's bindings" {
		t.Errorf("%+v", got)
	}
}

// TestStatusOfCertificates: what a report says of certificates is what the ledger says, the current one first.
func TestStatusOfCertificates(t *testing.T) {
	w := reconciletest.NewWorld(t)
	inv := reconciletest.Parse(t, reconciletest.Team)
	w.MustApply(inv)
	w.Now = w.Now.Add(6 * 24 * time.Hour)
	w.MustApply(inv)
	u := statusOf(w, inv).Users[0]
	var want []AcceptedCertificate
	for _, c := range w.Ledger["alice"].Versions[len(w.Ledger["alice"].Versions)].Record.Certificates {
		want = append(want, AcceptedCertificate{c.Status, c.Serial, c.SHA256, c.NotAfter, []string{"devs"}, "", "alice", nil})
		if c.Status != reconcile.Current {
			want[len(want)-1].ResidualAccess = []access.Given{}
		}
	}
	if len(want) != 2 {
		t.Fatalf("%d certificates", len(want))
	}
	if want[0].Status != reconcile.Current {
		slices.Reverse(want)
	}
	if diff := cmp.Diff(want, u.Certificates); diff != "" || u.CertificatesUntil == nil || !u.CertificatesUntil.Equal(want[0].NotAfter) {
		t.Error(diff, u.CertificatesUntil)
	}
}

// TestStatusIsTheSameEveryTime: the world hands out its bindings in map order.
func TestStatusIsTheSameEveryTime(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	inv := reconciletest.Parse(t, strings.Replace(reconciletest.Team, "{payments: [edit]}", "{payments: [edit, view], staging: [admin]}", 1))
	first, err := json.Marshal(statusOf(w, inv))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if again, err := json.Marshal(statusOf(w, inv)); err != nil || string(again) != string(first) {
			t.Fatalf("%s\n%s %v", first, again, err)
		}
	}
}

func TestStatusOnly(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	report := statusOf(w, reconciletest.Parse(t, reconciletest.Team))
	got, err := report.Only([]string{"carol", "alice"})
	if err != nil || len(got.Users) != 2 || got.Users[0].Name != "alice" || got.Users[1].Name != "carol" || len(report.Users) != 3 {
		t.Errorf("%+v, %v", got.Users, err)
	}
	if _, err := report.Only([]string{"alice", "eve"}); err == nil || !strings.Contains(err.Error(), `--user "eve"`) {
		t.Error(err)
	}
}

// TestStatusOfEverybody: what others give to everybody reaches each certificate, so the report has it beside the users.
func TestStatusOfEverybody(t *testing.T) {
	w := reconciletest.NewWorld(t)
	inv := reconciletest.Parse(t, "users: [{name: dan}]")
	if r := statusOf(w, inv); r.Everybody != nil {
		t.Errorf("%+v", r.Everybody)
	}
	for _, role := range []string{"cluster-admin", "view"} {
		w.Plant(reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Name: "open-" + role, RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: role},
			Subjects: []reconcile.Subject{{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: access.Authenticated}}})
	}
	r := statusOf(w, inv)
	if len(r.Everybody) != 1 || r.Everybody[0].Object != "ClusterRoleBinding open-cluster-admin" || r.Everybody[0].Group != access.Authenticated {
		t.Errorf("%+v", r.Everybody)
	}
}
