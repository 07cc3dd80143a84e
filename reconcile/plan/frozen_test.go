package plan_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// spaceNames returns names of namespaces that are as hard to compress as a tenant can make them.
func spaceNames(n int) []string {
	r := rand.New(rand.NewPCG(1, 2))
	all := make([]string, n)
	for i := range all {
		for len(all[i]) < 60 {
			all[i] += fmt.Sprintf("%012s", strconv.FormatUint(r.Uint64(), 36))
		}
		all[i] = "n" + all[i][:60]
	}
	return all
}

// spacious is labelled, with so many more namespaces that have the label and are bound.
func spacious(t *testing.T, text string, more int) *reconciletest.World {
	w := labelled(t)
	w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
	for _, name := range spaceNames(more) {
		w.Spaces[name], w.Labels[name] = true, map[string]string{"team": "payments"}
	}
	w.MustApply(reconciletest.Parse(t, text))
	w.Now = w.Now.Add(time.Hour)
	return w
}

// frozen reports whether a plan says that selectors are frozen.
func frozen(p reconcile.Plan) bool {
	return strings.Contains(fmt.Sprint(reconciletest.Kinds(p)), "selectors-frozen")
}

// TestGoingLeavesRoom: a group's roles in many namespaces fill over half of the state. One member who leaves loses them all the same.
func TestGoingLeavesRoom(t *testing.T) {
	w := spacious(t, strings.Replace(byLabel, "{name: alice,", "{name: carol, groups: [devs]}, {name: alice,", 1), 5_500)
	without := reconciletest.Parse(t, byLabel)
	p := w.Plan(without)
	if len(p.Refusals()) > 0 || frozen(p) {
		t.Fatalf("%q, %q", p.Refusals(), reconciletest.Kinds(p))
	}
	if p.State.TooLarge() != "" || p.State.Grants.Going != nil || len(p.State.Grants.Groups["devs"]) < 11_000 {
		t.Errorf("%s; %d roles", p.State.TooLarge(), len(p.State.Grants.Groups["devs"]))
	}
	takes := 0
	for _, s := range p.Steps {
		if s.Held == "" && s.Detail != nil && slices.Contains(s.Detail.Remove, "carol") {
			takes++
		}
	}
	if takes != 11_002 {
		t.Errorf("carol goes out of %d bindings", takes)
	}
}

// TestSelectorsLeaveRoom: selectors are frozen before the state is full. At the limit, the revocation of 500 users would not fit.
func TestSelectorsLeaveRoom(t *testing.T) {
	w := labelled(t)
	for _, name := range spaceNames(9_000) {
		w.Spaces[name], w.Labels[name] = true, map[string]string{"team": "payments"}
	}
	if p := w.Plan(reconciletest.Parse(t, byLabel)); !frozen(p) || len(p.Refusals()) > 0 {
		t.Errorf("%q, frozen: %t", p.Refusals(), frozen(p))
	}
}

// TestFrozenInSystemNamespaces: no selector matches kube-system. What the inventory gave there by its name goes with the entry, also
// while selectors are frozen that give the same role.
func TestFrozenInSystemNamespaces(t *testing.T) {
	w := labelled(t)
	w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
	for _, namespace := range []string{"kube-system", "certsync", "locks"} {
		w.MustApply(reconciletest.Parse(t, strings.Replace(byLabel, "namespaces: [{selector", "namespaces: [{name: "+namespace+", clusterRoles: [edit]}, {selector", 1)))
		for i := range 26_000 {
			name := fmt.Sprintf("n%d", i)
			w.Spaces[name], w.Labels[name] = true, map[string]string{"team": "payments"}
		}
		p := w.Plan(reconciletest.Parse(t, byLabel))
		want := "unbind devs RoleBinding " + namespace + "/group:devs:edit [roles-changed] -alice"
		if !slices.Equal(reconciletest.Lines(p), []string{want}) || !frozen(p) {
			t.Errorf("%.300q %t", reconciletest.Lines(p), frozen(p))
		}
		for i := range 26_000 {
			delete(w.Spaces, fmt.Sprintf("n%d", i))
		}
		w.MustApply(reconciletest.Parse(t, byLabel))
	}
}

// TestPlantedWhileFrozen: a binding of our form that a tenant has made is nothing that a selector gave.
func TestPlantedWhileFrozen(t *testing.T) {
	w := labelled(t)
	for i := range 26_000 {
		name := fmt.Sprintf("n%d", i)
		w.Spaces[name], w.Labels[name] = true, map[string]string{"team": "payments"}
	}
	w.Plant(reconcile.NewBinding("test", reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Namespace: "staging", Role: "edit", Part: 1}, []string{"alice"}))
	p := w.Plan(reconciletest.Parse(t, byLabel))
	want := "unbind devs RoleBinding staging/group:devs:edit [unexpected] -alice"
	if !slices.Equal(reconciletest.Lines(p), []string{want}) || !frozen(p) {
		t.Errorf("%.300q %t", reconciletest.Lines(p), frozen(p))
	}
}

// TestFrozenWithoutState: where the state is lost, the bindings tell what selectors gave, and nobody loses it.
func TestFrozenWithoutState(t *testing.T) {
	w := labelled(t)
	for i := range 26_000 {
		name := fmt.Sprintf("n%d", i)
		w.Spaces[name], w.Labels[name] = true, map[string]string{"team": "payments"}
	}
	w.State, w.StateVersion, w.Rules.NewLedger = nil, 0, true
	p := w.Plan(reconciletest.Parse(t, byLabel))
	takes := slices.ContainsFunc(p.Steps, func(s reconcile.Step) bool { return s.Action == reconcile.Unbind })
	if takes || !frozen(p) || len(p.Refusals()) > 0 {
		t.Errorf("%.300q, %q", reconciletest.Lines(p), p.Refusals())
	}
}
