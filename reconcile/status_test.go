package reconcile

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
)

// status is what Status says of the world as it is.
func statusOf(w *world, inv *inventory.Inventory) StatusReport {
	w.t.Helper()
	o, err := Observe(w.t.Context(), "test", w, w, func() time.Time { return w.now })
	if err != nil {
		w.t.Fatal(err)
	}
	return Status(inv, o)
}

// sketch is a user's status in one line: "name state (detail) in groups: binding grant, …; live certificates".
func sketch(u UserStatus) string {
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
	change := func(w *world, object string, f func(*Binding)) {
		b := w.bindings[object]
		f(&b)
		w.bindings[object] = b
	}
	const view, admin = "ClusterRoleBinding certsync:test:group:devs:view", "ClusterRoleBinding certsync:test:user:alice:admin"
	without := strings.Replace(team, "  - {name: bob, groups: [devs]}\n", "", 1)
	tests := map[string]struct {
		inventory string // default: team
		world     func(w *world)
		want      map[string]string // by user, where it differs from the settled world; "": not there
	}{
		"all is as it should be": {},
		"nothing was applied yet": {
			world: func(w *world) { *w = *newWorld(w.t) },
			want: map[string]string{
				"alice": "alice no-credential (new-user) in devs; missing admin; missing devs:/view; missing devs:staging/edit",
				"bob":   "bob no-credential (new-user) in devs; missing devs:/view; missing devs:staging/edit",
				"carol": "carol no-credential (new-user); missing :payments/edit",
			},
		},
		"the credential was deleted": {
			world: func(w *world) { delete(w.users, "carol") },
			want:  map[string]string{"carol": "carol no-credential (credential-missing); bound :payments/edit; current"},
		},
		"the certificate has expired": {
			world: func(w *world) { w.now = w.now.Add(8 * 24 * time.Hour) },
			want: map[string]string{
				"alice": "alice no-credential (expiring) in devs; bound admin; bound devs:/view; bound devs:staging/edit",
				"bob":   "bob no-credential (expiring) in devs; bound devs:/view; bound devs:staging/edit",
				"carol": "carol no-credential (expiring); bound :payments/edit",
			},
		},
		"a denied request": {
			world: func(w *world) {
				v := w.ledger["carol"].versions[1].record
				v.State, v.Reason, v.Certificates = Denied, "CertificateSigningRequest x was denied", nil
			},
			want: map[string]string{"carol": "carol denied (CertificateSigningRequest x was denied); bound :payments/edit"},
		},
		"somebody else's secret": {
			world: func(w *world) { w.ledger["carol"].versions[1].record.Certificates[0].CredentialVersion = 0 },
			want:  map[string]string{"carol": "carol conflict (users/carol is at version 1, and certsync wrote version 0); bound :payments/edit; current"},
		},
		"a leaver, before apply": {
			inventory: without,
			want:      map[string]string{"bob": "bob leaving (not-in-inventory); unwanted devs:/view; unwanted devs:staging/edit; current"},
		},
		"a leaver, after apply": {
			inventory: without,
			world:     func(w *world) { w.mustApply(parse(w.t, without)) },
			want:      map[string]string{"bob": "bob left (not-in-inventory); revoked"},
		},
		"a leaver whom somebody bound again": {
			inventory: without,
			world: func(w *world) {
				w.mustApply(parse(w.t, without))
				change(w, view, func(b *Binding) { b.Subjects = append(b.Subjects, UserSubject("bob")) })
			},
			want: map[string]string{"bob": "bob leaving (not-in-inventory); unwanted devs:/view; revoked"},
		},
		"a leaver whose certificate has expired": {
			inventory: without,
			world: func(w *world) {
				w.mustApply(parse(w.t, without))
				w.now = w.now.Add(167 * time.Hour)
				w.mustApply(parse(w.t, without))
				w.now = w.now.Add(2 * time.Hour)
			},
			want: map[string]string{"bob": "bob left (not-in-inventory)"},
		},
		"a leaver who comes back": {
			world: func(w *world) { w.mustApply(parse(w.t, without)) },
			want:  map[string]string{"bob": "bob conflict (the name is quarantined) in devs; missing devs:/view; missing devs:staging/edit; revoked"},
		},
		"an end that has come, before apply": {
			inventory: strings.Replace(team, "{name: bob,", "{name: bob, until: 2026-02-28,", 1),
			want:      map[string]string{"bob": "bob leaving (until-passed) in devs; unwanted devs:/view; unwanted devs:staging/edit; current"},
		},
		"an end that has come, after apply": {
			inventory: strings.Replace(team, "{name: bob,", "{name: bob, until: 2026-02-28,", 1),
			world: func(w *world) {
				w.mustApply(parse(w.t, strings.Replace(team, "{name: bob,", "{name: bob, until: 2026-02-28,", 1)))
			},
			want: map[string]string{"bob": "bob lapsed (until-passed) in devs; ended devs:/view; ended devs:staging/edit; revoked"},
		},
		"grants that end and have ended": {
			inventory: strings.Replace(team, "clusterRoles: [admin]", "clusterRoles: [{name: admin, until: 2026-02-01}, {name: view, until: 2026-02-01}, {name: edit, until: 2026-12-31}]", 1),
			want: map[string]string{"alice": "alice active in devs; unwanted admin until 2026-02-02; missing edit until 2027-01-01; ended view until 2026-02-02; " +
				"bound devs:/view; bound devs:staging/edit; current"},
		},
		"a subject taken out": {
			world: func(w *world) { change(w, view, func(b *Binding) { b.Subjects = b.Subjects[1:] }) },
			want:  map[string]string{"alice": "alice active in devs; bound admin; missing devs:/view; bound devs:staging/edit; current"},
		},
		"a subject with a namespace, which RBAC ignores": {
			world: func(w *world) { change(w, admin, func(b *Binding) { b.Subjects[0].Namespace = "x" }) },
		},
		"a stranger in a binding": {
			world: func(w *world) {
				change(w, view, func(b *Binding) { b.Subjects = append(b.Subjects, UserSubject("eve"), UserSubject("eve")) })
			},
			want: map[string]string{"eve": "eve leaving (not-in-inventory); unwanted devs:/view"},
		},
		"another role under a binding's name": {
			world: func(w *world) { change(w, admin, func(b *Binding) { b.RoleRef = RoleRef{"Role", "root"} }) },
			want:  map[string]string{"alice": "alice active in devs; missing admin; unwanted root; bound devs:/view; bound devs:staging/edit; current"},
		},
		"a stripped label": {
			world: func(w *world) { change(w, admin, func(b *Binding) { b.Owner = "" }) },
			want:  map[string]string{"alice": "alice active in devs; blocked admin; bound devs:/view; bound devs:staging/edit; current"},
		},
		"a member in two parts": {
			world: func(w *world) {
				b := newBinding("test", Grant{For: ForGroup, Subject: "devs", Role: "view", Part: 2}, []string{"alice"})
				w.bindings[b.Object()] = b
			},
			want: map[string]string{"alice": "alice active in devs; bound admin; bound devs:/view; unwanted devs:/view; bound devs:staging/edit; current"},
		},
	}
	for sentence, tt := range tests {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			w.mustApply(parse(t, team))
			if tt.world != nil {
				tt.world(w)
			}
			text := tt.inventory
			if text == "" {
				text = team
			}
			want := []string{}
			for _, name := range []string{"alice", "bob", "carol", "eve"} {
				line, told := tt.want[name]
				if !told {
					line = settled[name]
				}
				if line != "" {
					want = append(want, line)
				}
			}
			got := []string{}
			for _, u := range statusOf(w, parse(t, text)).Users {
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
	w := newWorld(t)
	w.mustApply(parse(t, team))
	inv := parse(t, strings.Replace(team, "name: carol", "name: karla", 1))
	inv.Users[2].Previously = []string{"carol"}
	got := statusOf(w, inv).Users[2]
	if got.Name != "carol" || got.State != IsLeaving || got.Detail != "is karla now" {
		t.Errorf("%+v", got)
	}
}

// TestStatusOfCertificates: what a report says of certificates is what the ledger says, the current one first.
func TestStatusOfCertificates(t *testing.T) {
	w := newWorld(t)
	inv := parse(t, team)
	w.mustApply(inv)
	w.now = w.now.Add(6 * 24 * time.Hour)
	w.mustApply(inv)
	u := statusOf(w, inv).Users[0]
	var want []AcceptedCertificate
	for _, c := range w.ledger["alice"].versions[len(w.ledger["alice"].versions)].record.Certificates {
		want = append(want, AcceptedCertificate{c.Status, c.Serial, c.SHA256, c.NotAfter, []string{"devs"}, ""})
	}
	if len(want) != 2 {
		t.Fatalf("%d certificates", len(want))
	}
	if want[0].Status != Current {
		slices.Reverse(want)
	}
	if diff := cmp.Diff(want, u.Certificates); diff != "" || u.CertificatesUntil == nil || !u.CertificatesUntil.Equal(want[0].NotAfter) {
		t.Error(diff, u.CertificatesUntil)
	}
}

// TestStatusIsTheSameEveryTime: the world hands out its bindings in map order.
func TestStatusIsTheSameEveryTime(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, team))
	inv := parse(t, strings.Replace(team, "{payments: [edit]}", "{payments: [edit, view], staging: [admin]}", 1))
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
	w := newWorld(t)
	w.mustApply(parse(t, team))
	report := statusOf(w, parse(t, team))
	got, err := report.Only([]string{"carol", "alice"})
	if err != nil || len(got.Users) != 2 || got.Users[0].Name != "alice" || got.Users[1].Name != "carol" || len(report.Users) != 3 {
		t.Errorf("%+v, %v", got.Users, err)
	}
	if _, err := report.Only([]string{"alice", "eve"}); err == nil || !strings.Contains(err.Error(), `--user "eve"`) {
		t.Error(err)
	}
}
