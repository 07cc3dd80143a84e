package plan_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

const byLabel = `
groups: [{name: devs, namespaces: [{selector: {team: payments}, clusterRoles: [edit], roles: [deployer]}]}]
users: [{name: alice, groups: [devs]}, {name: bob, clusterRoles: [view], namespaces: [{name: staging, clusterRoles: [edit]}]}]
`

// labelled is a settled world in which namespace payments has the label, and so have namespaces that no selector matches.
func labelled(t *testing.T) *reconciletest.World {
	w := reconciletest.NewWorld(t)
	team := map[string]string{"team": "payments"}
	w.Labels = map[string]map[string]string{"payments": team, "kube-system": team, "certsync": team, "locks": team}
	for name := range w.Labels {
		w.Spaces[name] = true
	}
	for name := range w.Spaces {
		if w.RoleRules == nil {
			w.RoleRules = map[reconcile.Role][]reconcile.Rule{}
		}
		w.RoleRules[reconcile.Role{Namespace: name, Name: "deployer"}] = nil
	}
	w.Rules = reconcile.Rules{Namespace: "certsync", LockNamespace: "locks"}
	w.MustApply(reconciletest.Parse(t, byLabel))
	return w
}

func unbound(namespace string) []string {
	return []string{"unbind devs RoleBinding " + namespace + "/group:devs:edit [namespace-unselected] -alice", "unbind devs RoleBinding " + namespace + "/group-role:devs:deployer [namespace-unselected] -alice"}
}

func bound(namespace string) []string {
	return []string{"bind devs RoleBinding " + namespace + "/group-role:devs:deployer [namespace-selected] +alice", "bind devs RoleBinding " + namespace + "/group:devs:edit [namespace-selected] +alice"}
}

// TestSelectors starts from a settled world, changes labels, and looks at what comes and goes. Afterwards nothing is left.
func TestSelectors(t *testing.T) {
	label := func(name string) func(*reconciletest.World) {
		return func(w *reconciletest.World) {
			w.Spaces[name] = true
			w.Labels[name] = map[string]string{"team": "payments"}
		}
	}
	for sentence, tt := range map[string]struct {
		inventory string
		change    func(*reconciletest.World)
		rules     func(*reconcile.Rules)
		want      []string
		notes     []string
		guards    int
		held      bool // a conflict holds a step
	}{
		"nothing": {},
		"a namespace comes": {
			change: func(w *reconciletest.World) {
				label("new")(w)
				w.RoleRules[reconcile.Role{Namespace: "new", Name: "deployer"}] = nil
			},
			rules: func(r *reconcile.Rules) { r.Drift = true },
			want:  bound("new"),
		},
		"a namespace without the Role comes": {
			change: label("new"),
			want:   bound("new"), notes: []string{"role-missing devs Role new/deployer"},
		},
		"a namespace loses the label": {
			change: func(w *reconciletest.World) { w.Labels["payments"] = nil; label("staging")(w) },
			want:   append(bound("staging"), unbound("payments")...),
		},
		"the last one loses the label, and --max-removals holds that alone": {
			change: func(w *reconciletest.World) { delete(w.Labels, "payments") },
			rules:  func(r *reconcile.Rules) { r.MaxRemovals = reconciletest.Limit(t, "0") },
			want:   []string{unbound("payments")[0] + " held", unbound("payments")[1] + " held"},
			notes:  []string{"selector-empty devs"}, held: true,
		},
		"a protected user loses a namespace, which holds that user alone": {
			change: func(w *reconciletest.World) { delete(w.Labels, "payments") },
			rules:  func(r *reconcile.Rules) { r.Protect = []string{"alice"} },
			want:   []string{unbound("payments")[0] + " held", unbound("payments")[1] + " held"},
			notes:  []string{"selector-empty devs"}, held: true,
		},
		"a protected user loses the selector": {
			inventory: strings.Replace(byLabel, "clusterRoles: [edit], roles", "roles", 1),
			rules:     func(r *reconcile.Rules) { r.Protect = []string{"alice"} },
			want:      []string{strings.Replace(unbound("payments")[0], "namespace-unselected", "roles-changed", 1) + " held"},
			notes:     []string{"inventory-changed"}, guards: 1,
		},
		"a namespace is deleted, and made again without the label": {
			change: func(w *reconciletest.World) {
				delete(w.Labels, "payments")
				delete(w.Bindings, "RoleBinding payments/certsync:test:group:devs:edit")
				delete(w.Bindings, "RoleBinding payments/certsync:test:group-role:devs:deployer")
			},
			rules: func(r *reconcile.Rules) { r.Protect = []string{"alice"}; r.MaxRemovals = reconciletest.Limit(t, "0") },
			notes: []string{"selector-empty devs"},
		},
		"a namespace is deleted, which takes nothing from anybody": {
			change: func(w *reconciletest.World) {
				delete(w.Labels, "payments")
				delete(w.Spaces, "payments")
				for _, b := range unbound("payments") {
					delete(w.Bindings, strings.Replace(strings.Fields(strings.TrimPrefix(b, "unbind devs "))[0]+" "+strings.Fields(b)[3], "payments/", "payments/certsync:test:", 1))
				}
			},
			rules: func(r *reconcile.Rules) { r.Protect = []string{"alice"}; r.MaxRemovals = reconciletest.Limit(t, "0") },
			notes: []string{"selector-empty devs"},
		},
		"a namespace is being deleted": {
			change: func(w *reconciletest.World) { w.Spaces["payments"] = false },
			notes:  []string{"namespace-missing devs Namespace payments"},
		},
		"somebody deletes a binding": {
			change: func(w *reconciletest.World) {
				delete(w.Bindings, "RoleBinding payments/certsync:test:group:devs:edit")
			},
			want: []string{"bind devs RoleBinding payments/group:devs:edit [missing] +alice"},
		},
		"somebody plants one": {
			change: func(w *reconciletest.World) {
				w.Plant(reconcile.NewBinding("test", reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Namespace: "staging", Role: "edit", Part: 1}, []string{"alice"}))
			},
			want: []string{"unbind devs RoleBinding staging/group:devs:edit [unexpected] -alice"},
		},
		"the inventory names another label": {
			inventory: strings.Replace(byLabel, "payments", "billing", 1),
			change:    func(w *reconciletest.World) { w.Labels["staging"] = map[string]string{"team": "billing"} },
			want: []string{
				"bind devs RoleBinding staging/group-role:devs:deployer [roles-changed] +alice", "bind devs RoleBinding staging/group:devs:edit [roles-changed] +alice",
				"unbind devs RoleBinding payments/group:devs:edit [roles-changed] -alice", "unbind devs RoleBinding payments/group-role:devs:deployer [roles-changed] -alice",
			},
			notes: []string{"inventory-changed"},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := labelled(t)
			w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
			if tt.change != nil {
				tt.change(w)
			}
			if tt.rules != nil {
				tt.rules(&w.Rules)
			}
			if tt.inventory == "" {
				tt.inventory = byLabel
			}
			inv := reconciletest.Parse(t, tt.inventory)
			p := w.Plan(inv)
			if diff := cmp.Diff(reconciletest.SortedSetOf(tt.want), reconciletest.SortedSetOf(reconciletest.Lines(p))); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(reconcile.OrEmpty(tt.notes), reconciletest.Kinds(p)); diff != "" || len(p.Guards) != tt.guards {
				t.Errorf("%s%q", diff, p.Guards)
			}
			if tt.guards > 0 || tt.held {
				return
			}
			w.MustApply(inv)
			if got := reconciletest.Lines(w.Plan(inv)); len(got) > 0 {
				t.Errorf("after apply: %q", got)
			}
		})
	}
}

// TestLabelsAreCounted: --max-removals counts what goes with a label, also where another selector gives the same role and has ended,
// or gives another role. What it holds then refuses no plan. An `until` that has come is no loss.
func TestLabelsAreCounted(t *testing.T) {
	until := func(day string) string {
		return "{selector: {env: prod}, clusterRoles: [{name: edit, until: " + day + "}]}"
	}
	const weaker = "{selector: {team: other}, clusterRoles: [view]}"
	const why = "labels of namespaces would take 2 of 2 subjects out of their bindings, more than 0 (--max-removals)"
	unlabel := func(w *reconciletest.World) { w.Labels["payments"] = map[string]string{"env": "prod", "team": "other"} }
	days := func(n int) func(*reconciletest.World) {
		return func(w *reconciletest.World) { w.Now = w.Now.AddDate(0, 0, n) }
	}
	for sentence, tt := range map[string]struct {
		other  string // the second selection
		change func(*reconciletest.World)
		reason string
		held   string
	}{
		"a label goes":                         {"{selector: {env: none}, clusterRoles: [edit]}", unlabel, "namespace-unselected", why},
		"a label goes, the other has ended":    {until("2026-01-31"), unlabel, "namespace-unselected", why},
		"a label goes, and another one weaker": {weaker, unlabel, "namespace-unselected", why},
		"an end comes":                         {until("2026-03-02"), days(2), "", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := labelled(t)
			w.Labels["payments"] = map[string]string{"team": "payments", "env": "prod"}
			w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
			inv := reconciletest.Parse(t, "groups: [{name: devs, namespaces: [{selector: {team: payments}, clusterRoles: [edit]}, "+tt.other+"]}]\nusers: [{name: alice, groups: [devs]}, {name: bob, groups: [devs]}]")
			w.MustApply(inv)
			tt.change(w)
			w.Rules.MaxRemovals = reconciletest.Limit(t, "0")
			p := w.Plan(inv)
			reason, held := "", ""
			for _, s := range p.Steps {
				if s.Action == reconcile.Unbind {
					reason, held = string(s.Reason), s.Held
				}
			}
			if reason != tt.reason || held != tt.held || len(p.Guards) > 0 {
				t.Errorf("%q, %q, %q", reason, held, p.Guards)
			}
		})
	}
	w := labelled(t)
	w.Labels["payments"] = map[string]string{"env": "prod"}
	inv := reconciletest.Parse(t, "users: [{name: alice, namespaces: [{selector: {team: payments}, clusterRoles: [edit]}, "+until("2026-03-02")+"]}]")
	w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
	w.MustApply(inv)
	days(2)(w)
	w.Rules.MaxRemovals = reconciletest.Limit(t, "0")
	if p := w.Plan(inv); len(p.Guards) > 0 || !strings.Contains(fmt.Sprint(reconciletest.Lines(p)), "user:alice:edit [until-passed]") {
		t.Errorf("%q, %q", p.Guards, reconciletest.Lines(p))
	}
}

// TestLabelsHoldNothingElse: whoever takes labels away has --max-removals hold what goes with them, and nothing that the inventory
// takes, not even of the same binding.
func TestLabelsHoldNothingElse(t *testing.T) {
	w := labelled(t)
	w.Labels["payments"] = map[string]string{"team": "payments"}
	w.Rules.MaxRemovals = reconciletest.Limit(t, "50%")
	text := func(alice string) string {
		return "groups: [{name: devs, namespaces: [{selector: {team: payments}, clusterRoles: [edit, view]}]}, {name: ops, clusterRoles: [view]}]\n" +
			"users: [{name: alice, groups: [" + alice + "]}, {name: bob, groups: [devs, ops]}, {name: carol, groups: [devs, ops]}]"
	}
	w.MustApply(reconciletest.Parse(t, text("devs, ops")))
	w.Labels["payments"] = nil
	p := w.Plan(reconciletest.Parse(t, text("ops")))
	want := []string{
		"update devs RoleBinding payments/group:devs:edit [roles-changed] -alice", "update devs RoleBinding payments/group:devs:edit [roles-changed] -bob -carol held",
		"update devs RoleBinding payments/group:devs:view [roles-changed] -alice", "update devs RoleBinding payments/group:devs:view [roles-changed] -bob -carol held",
		"reissue alice [groups-changed]",
	}
	if diff := cmp.Diff(want, reconciletest.Lines(p)); diff != "" || len(p.Guards) > 0 {
		t.Error(p.Guards, diff)
	}
}

// TestDeletedBindingKeepsTheLimit: a tenant who takes a label away and deletes the binding that went with it does not lower what
// --max-removals allows for the others.
func TestDeletedBindingKeepsTheLimit(t *testing.T) {
	w := labelled(t)
	w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
	const zed = "  - {name: zed, namespaces: [{selector: {team: payments}, clusterRoles: [edit]}]}\n"
	text := func(roles string) string {
		return "users:\n" + zed + "  - {name: a, clusterRoles: [view, " + roles + "]}\n  - {name: b, clusterRoles: [view, " + roles + "]}\n  - {name: c, clusterRoles: [view, edit, admin]}\n"
	}
	w.MustApply(reconciletest.Parse(t, text("edit")))
	w.Rules.MaxRemovals = reconciletest.Limit(t, "25%")
	w.Labels["payments"] = nil
	for object, b := range w.Bindings {
		if b.Namespace == "payments" {
			delete(w.Bindings, object)
		}
	}
	p := w.Plan(reconciletest.Parse(t, text("")))
	if len(p.Guards) > 0 || len(p.Held()) > 0 || !strings.Contains(fmt.Sprint(reconciletest.Lines(p)), "unbind a ClusterRoleBinding user:a:edit") {
		t.Errorf("%q, %q", p.Guards, reconciletest.Lines(p))
	}
}

// TestSelectorAndName: where both give a role, the grant in force that lasts longest counts.
func TestSelectorAndName(t *testing.T) {
	text := func(named, selected string) string {
		return "users: [{name: alice, namespaces: [{name: payments, clusterRoles: [" + named + "]}, {selector: {team: payments}, clusterRoles: [" + selected + "]}]}]"
	}
	for _, tt := range []struct {
		named, selected string
		until           string
	}{
		{"edit", "{name: edit, until: 2026-02-01}", ""},
		{"{name: edit, until: 2026-02-01}", "edit", ""},
		{"{name: edit, until: 2026-03-02}", "{name: edit, until: 2026-03-03}", "2026-03-04"},
		{"{name: edit, until: 2026-03-03}", "{name: edit, until: 2026-03-02}", "2026-03-04"},
	} {
		w := labelled(t)
		p := w.Plan(reconciletest.Parse(t, text(tt.named, tt.selected)))
		until := ""
		for _, n := range p.Notes {
			if n.Kind == reconcile.UntilSoon {
				until += n.Until.Format("2006-01-02")
			}
		}
		binds := strings.Count(strings.Join(reconciletest.Lines(p), "\n"), "user:alice:edit")
		if binds != 1 || until != tt.until {
			t.Errorf("%s, %s: %d, %s", tt.named, tt.selected, binds, until)
		}
	}
}

// TestLabellers: a plan with selectors says who can change labels, without being as good as cluster-admin.
func TestLabellers(t *testing.T) {
	w := labelled(t)
	labels := []reconcile.Rule{reconciletest.Rule("patch", "", "namespaces")}
	w.RoleRules[reconcile.Role{Name: "labeller"}] = labels
	w.RoleRules[reconcile.Role{Name: "status"}] = []reconcile.Rule{reconciletest.Rule("update", "*", "namespaces/status")}
	w.RoleRules[reconcile.Role{Name: "one"}] = []reconcile.Rule{reconciletest.Rule("*", "", "*", "staging")}
	w.RoleRules[reconcile.Role{Name: "reads"}] = []reconcile.Rule{reconciletest.Rule("get", "", "namespaces")}
	w.RoleRules[reconcile.Role{Name: "cluster-admin"}] = []reconcile.Rule{reconciletest.Rule("*", "*", "*")}
	n := 0
	bind := func(namespace, role string, subjects ...reconcile.Subject) {
		n++
		b := reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Namespace: namespace, Name: fmt.Sprintf("b%02d", n), RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: role}, Subjects: subjects}
		if namespace != "" {
			b.Kind = reconcile.RoleBinding
		}
		w.Plant(b)
	}
	account := func(namespace string) reconcile.Subject {
		return reconcile.Subject{Kind: "ServiceAccount", Namespace: namespace, Name: "bot"}
	}
	bind("", "labeller", reconcile.UserSubject("carol"), reconcile.UserSubject("root"), reconcile.UserSubject("system:kube-controller-manager"), account("kube-system"), account("ci"))
	bind("", "cluster-admin", reconcile.UserSubject("root"))
	bind("", "reads", reconcile.UserSubject("dan"))
	bind("", "status", reconcile.Subject{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: "system:authenticated"})
	bind("staging", "one", reconcile.UserSubject("eve"))
	bind("payments", "one", reconcile.UserSubject("eve"))
	bind("locks", "labeller", reconcile.UserSubject("eve"))
	w.RoleRules[reconcile.Role{Name: "maker"}] = []reconcile.Rule{reconciletest.Rule("create", "", "namespaces")}
	w.RoleRules[reconcile.Role{Name: "system"}] = []reconcile.Rule{reconciletest.Rule("patch", "", "namespaces", "kube-system")}
	bind("", "maker", reconcile.UserSubject("fay"))
	bind("staging", "maker", reconcile.UserSubject("gus"))
	bind("", "one", reconcile.UserSubject("hal"))
	bind("", "system", reconcile.UserSubject("ida"))
	inv := reconciletest.Parse(t, strings.Replace(byLabel, "{name: bob, clusterRoles: [view]", "{name: root2, clusterRoles: [cluster-admin, labeller]}, {name: bob, clusterRoles: [view, labeller]", 1))
	got := map[string]bool{}
	for _, n := range w.Plan(inv).Notes {
		if n.Kind == reconcile.SelectorLabels {
			got[n.Object+" "+n.Message] = true
		}
	}
	want := map[string]bool{
		`ClusterRoleBinding certsync:test:user:bob:labeller User "bob" can label every namespace, and so change what the inventory grants by label: it has ClusterRole "labeller" cluster-wide`: true,
		`ClusterRoleBinding b01 User "carol" can label every namespace, and so change what the inventory grants by label: it has ClusterRole "labeller" cluster-wide`:                           true,
		`ClusterRoleBinding b01 ServiceAccount "ci/bot" can label every namespace, and so change what the inventory grants by label: it has ClusterRole "labeller" cluster-wide`:                true,
		`ClusterRoleBinding b04 Group "system:authenticated" can label every namespace, and so change what the inventory grants by label: it has ClusterRole "status" cluster-wide`:             true,
		`RoleBinding staging/b05 User "eve" can label namespace "staging", and so change what the inventory grants by label: it has ClusterRole "one" in namespace "staging"`:                   true,
		`ClusterRoleBinding b08 User "fay" can create namespaces with labels, and so change what the inventory grants by label: it has ClusterRole "maker" cluster-wide`:                        true,
		`ClusterRoleBinding b10 User "hal" can label some namespaces, and so change what the inventory grants by label: it has ClusterRole "one" cluster-wide`:                                  true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for i := range 30 {
		bind("", "labeller", reconcile.UserSubject(fmt.Sprint("user", i)))
	}
	count := strings.Count(fmt.Sprint(reconciletest.Kinds(w.Plan(inv))), "selector-labels")
	if without := reconciletest.Kinds(w.Plan(reconciletest.Parse(t, "users: [{name: alice}]"))); count != 21 || strings.Contains(fmt.Sprint(without), "selector") {
		t.Errorf("%d notes; without selectors %q", count, without)
	}
}

// TestSelectorsAreBounded: selectors that match too much give and take nothing. Each member of a group counts.
func TestSelectorsAreBounded(t *testing.T) {
	w := labelled(t)
	for i := range 100 {
		name := fmt.Sprint("n", i)
		w.Spaces[name], w.Labels[name] = true, map[string]string{"team": "payments"}
	}
	list := func(n int, format string) string {
		all := make([]string, n)
		for i := range all {
			all[i] = fmt.Sprintf(format, i)
		}
		return strings.Join(all, ", ")
	}
	selection := func(roles int) string {
		return "namespaces: [{selector: {team: payments}, clusterRoles: [" + list(roles, "r%d") + "]}]}]"
	}
	for text, frozen := range map[string]bool{
		"users: [{name: alice, " + selection(400): false,
		"users: [{name: alice, " + selection(600): true,
		"groups: [{name: devs, " + selection(20) + "\nusers: [" + list(100, "{name: u%d, groups: [devs]}") + "]": false,
		"groups: [{name: devs, " + selection(20) + "\nusers: [" + list(600, "{name: u%d, groups: [devs]}") + "]": true,
	} {
		p := w.Plan(reconciletest.Parse(t, text))
		if got := slices.ContainsFunc(p.Notes, func(n reconcile.Note) bool {
			return n.Kind == reconcile.SelectorsFrozen && strings.Contains(n.Message, "they can give 50000 roles in namespaces in all, and 1000000")
		}); got != frozen || len(p.Forbidden) > 0 {
			t.Errorf("%.40s…: %q %v", text, p.Forbidden, p.Notes)
		}
	}
}

// TestTooManyNamespaces: whoever makes namespaces without end neither gives nor takes access, and keeps no removal from being done.
func TestTooManyNamespaces(t *testing.T) {
	text := func(r *rand.Rand) string { return fmt.Sprintf("%012s", strconv.FormatUint(r.Uint64(), 36)) }
	for sentence, many := range map[string]struct {
		namespaces int
		name       func(*rand.Rand) string
	}{
		"more than selectors may give":   {26_000, func(r *rand.Rand) string { return fmt.Sprintf("n%08x", r.Uint32()) }},
		"more than a state has room for": {11_000, func(r *rand.Rand) string { return "n" + (text(r) + text(r) + text(r) + text(r) + text(r))[:60] }},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := labelled(t)
			r := rand.New(rand.NewPCG(1, 2))
			for range many.namespaces {
				name := many.name(r)
				w.Spaces[name], w.Labels[name] = true, map[string]string{"team": "payments"}
			}
			delete(w.Labels, "payments")
			without := reconciletest.Parse(t, strings.Replace(byLabel, "{name: alice, groups: [devs]}, ", "{name: carol, groups: [devs]}, ", 1))
			w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
			p := w.Plan(without)
			want := []string{
				"remove alice [not-in-inventory]", "issue carol [new-user]",
				"unbind devs RoleBinding payments/group-role:devs:deployer [members-changed] -alice", "unbind devs RoleBinding payments/group:devs:edit [members-changed] -alice",
				"bind devs RoleBinding payments/group-role:devs:deployer [members-changed] +carol", "bind devs RoleBinding payments/group:devs:edit [members-changed] +carol",
			}
			got := slices.DeleteFunc(reconciletest.Lines(p), func(line string) bool { return !strings.Contains(line, "alice") && !strings.Contains(line, "carol") })
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(want, got) || len(p.Refusals()) > 0 || !strings.Contains(fmt.Sprint(reconciletest.Kinds(p)), "selectors-frozen") {
				t.Errorf("%.1000q, %q, %d notes", got, p.Refusals(), len(p.Notes))
			}
			w.MustApply(without)
			if p := w.Plan(without); len(p.Steps) > 0 {
				t.Errorf("%q", reconciletest.Lines(p))
			}
		})
	}
}
