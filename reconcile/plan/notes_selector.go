package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/granted"
	"github.com/certsync/certsync/reconcile/plan/index"
	"github.com/certsync/certsync/reconcile/refusal"
)

// maxLabellers bounds the notes on those who may label namespaces.
const maxLabellers = 20

// selectorNotes notes selectors that match nothing, and who may change what selectors match.
func selectorNotes(x *index.Index) []reconcile.Note {
	if !granted.Selects(x.File) {
		return nil
	}
	if x.Frozen { // matching more would have no bound
		return []reconcile.Note{refusal.Frozen(granted.MaxSelected, granted.MaxSubjects)}
	}
	names := granted.Selectable(x.Observed.Namespaces, x.Rules.Namespace, x.Rules.LockNamespace)
	matches := map[string]bool{}
	var all []reconcile.Note
	note := func(n reconcile.Note, selections []inventory.Selection) {
		for _, s := range selections {
			text := s.Selector.String()
			if _, known := matches[text]; !known {
				matches[text] = slices.ContainsFunc(names, func(name string) bool { return s.Selector.Matches(x.Observed.Namespaces[name].Labels) })
			}
			if !matches[text] {
				n.Kind, n.Message = reconcile.SelectorEmpty, fmt.Sprintf("selector %q matches no namespace: it grants nothing until a namespace has these labels", reconcile.Shown(text))
				all = append(all, n)
			}
		}
	}
	for _, g := range x.File.Groups {
		note(reconcile.Note{Group: g.Name}, g.ByLabel)
	}
	for _, u := range x.File.Users {
		if x.Active[u.Name] {
			note(reconcile.Note{User: u.Name}, u.ByLabel)
		}
	}
	return append(all, labellers(x, names)...)
}

// labellers notes who may label the namespaces in names, or create labelled ones, without being as good as cluster-admin. They can
// give and take what selectors grant.
func labellers(x *index.Index, names []string) []reconcile.Note {
	strong, bindings := map[reconcile.Subject]bool{}, slices.Concat(x.Observed.Bindings, wantedBindings(x))
	for _, b := range bindings {
		if len(x.RolePower(b.Role(), b.Namespace)) > 0 {
			for _, s := range b.Subjects {
				strong[reconcile.Authorized(s)] = true
			}
		}
	}
	var all []reconcile.Note
	for _, b := range bindings {
		may := labelling(x.Observed.Rules[b.Role()], b, names)
		if may == "" {
			continue
		}
		for _, s := range b.Subjects {
			if s = reconcile.Authorized(s); strong[s] || ofSystem(s) {
				continue
			}
			all = append(all, reconcile.Note{Kind: reconcile.SelectorLabels, Object: reconcile.Shown(b.Object()), Message: fmt.Sprintf(
				"%s can %s, and so change what the inventory grants by label: it has %s", personText(s), may, roleOf(b))})
		}
	}
	// Those who may label every namespace come first.
	slices.SortFunc(all, func(a, b reconcile.Note) int {
		return cmp.Or(cmp.Compare(a.Object, b.Object), cmp.Compare(a.Message, b.Message))
	})
	all = slices.CompactFunc(all, func(a, b reconcile.Note) bool { return a.Object == b.Object && a.Message == b.Message })
	if more := len(all) - maxLabellers; more > 0 {
		all = append(all[:maxLabellers], reconcile.Note{Kind: reconcile.SelectorLabels, Message: moreText(more) + " can label or create namespaces"})
	}
	return all
}

// wantedBindings are the bindings to roles with rules that the inventory wants and that are not there yet: this plan may make them.
func wantedBindings(x *index.Index) []reconcile.Binding {
	var all []reconcile.Binding
	for g, users := range x.Wanted {
		if len(x.Parts[g]) > 0 || len(x.Observed.Rules[g.Bound()]) == 0 {
			continue
		}
		g.Part = 1
		b := reconcile.NewBinding(x.Inventory.Owner, g, nil)
		for _, user := range users {
			b.Subjects = append(b.Subjects, x.Subject(user))
		}
		all = append(all, b)
	}
	return all
}

// labelling says what a binding with these rules lets its subjects do to the labels of the namespaces in names, or "". The API server
// authorizes a write of a namespace in that namespace, and the creation of one cluster-wide. It takes labels by the subresources too.
func labelling(rules []reconcile.Rule, b reconcile.Binding, names []string) string {
	has := func(list []string, wanted ...string) bool {
		return slices.ContainsFunc(append(wanted, "*"), func(w string) bool { return slices.Contains(list, w) })
	}
	selectable := func(name string) bool { _, found := slices.BinarySearch(names, name); return found }
	var all, some, creates bool
	for _, r := range rules {
		if !has(r.Groups, "") {
			continue
		}
		if has(r.Verbs, "update", "patch") && has(r.Resources, "namespaces", "namespaces/status", "namespaces/finalize", "*/status", "*/finalize") {
			all = all || len(r.Names) == 0
			some = some || slices.ContainsFunc(r.Names, func(name string) bool { return selectable(name) && (b.Namespace == "" || name == b.Namespace) })
		}
		creates = creates || has(r.Verbs, "create") && has(r.Resources, "namespaces") && len(r.Names) == 0
	}
	switch {
	case b.Kind == reconcile.RoleBinding && (all || some) && selectable(b.Namespace):
		return fmt.Sprintf("label namespace %q", b.Namespace)
	case b.Kind == reconcile.RoleBinding:
		return ""
	case all:
		return "label every namespace"
	case creates:
		return "create namespaces with labels"
	case some:
		return "label some namespaces"
	}
	return ""
}

// ofSystem reports a subject that is a part of Kubernetes.
func ofSystem(s reconcile.Subject) bool {
	if s.Kind == "ServiceAccount" {
		return s.Namespace == "kube-system"
	}
	return s.APIGroup != reconcile.RBACGroup || internal(s.Name, "kube-system")
}

// personText names a subject with its kind.
func personText(s reconcile.Subject) string {
	return fmt.Sprintf("%s %q", reconcile.Shown(s.Kind), reconcile.Shown(strings.TrimPrefix(s.Namespace+"/"+s.Name, "/")))
}
