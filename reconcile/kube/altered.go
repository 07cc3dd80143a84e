package kube

import (
	"fmt"
	"slices"
	"strings"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/api"
)

// asMeant compares what the API server made of a write with what was meant. Mutating webhooks and policies can change it. The
// error wraps reconcile.ErrAltered.
func asMeant(doing string, b reconcile.Binding, owner string, subjects []reconcile.Subject, made reconcile.Binding) error {
	what := altered(b, owner, subjects, made)
	if what == "" {
		return nil
	}
	return reconcile.WithHint(fmt.Errorf("%s: %w: %s", doing, reconcile.ErrAltered, what),
		"exclude certsync's bindings from the mutating admission webhook or policy that changes them ("+what+"); "+
			"`kubectl get mutatingwebhookconfigurations,mutatingadmissionpolicies` lists them")
}

// altered says how a binding differs from what was meant, or is "".
func altered(b reconcile.Binding, owner string, subjects []reconcile.Subject, made reconcile.Binding) string {
	added, missing := without(made.Subjects, subjects), without(subjects, made.Subjects)
	switch {
	case made.Object() != b.Object():
		return "its name became " + reconcile.Shown(made.Object())
	case made.RoleRef != b.RoleRef:
		return fmt.Sprintf("its role became %s %q", reconcile.Shown(made.RoleRef.Kind), reconcile.Shown(made.RoleRef.Name))
	case len(added) > 0 && len(missing) > 0:
		return fmt.Sprintf("its subjects got %s, and lost %s", listed(added), listed(missing))
	case len(added) > 0:
		return "its subjects got " + listed(added)
	case len(missing) > 0:
		return "its subjects lost " + listed(missing)
	case made.ManagedBy != reconcile.ManagedByValue:
		return fmt.Sprintf("its label %s became %q", reconcile.ManagedByLabel, api.Shorten(made.ManagedBy))
	case made.Owner != owner:
		return fmt.Sprintf("its label %s became %q", reconcile.OwnerLabel, api.Shorten(made.Owner))
	case made.Copied:
		return fmt.Sprintf("its annotation %s is not %q any more", notPropagated, "true")
	}
	return ""
}

// without returns the subjects that are not among others.
func without(subjects, others []reconcile.Subject) []reconcile.Subject {
	known := map[reconcile.Subject]bool{}
	for _, s := range others {
		known[s] = true
	}
	return slices.DeleteFunc(slices.Clone(subjects), func(s reconcile.Subject) bool { return known[s] })
}

// listed shows the first subjects of a list.
func listed(subjects []reconcile.Subject) string {
	return api.Shorten(strings.Join(reconcile.SubjectNames(subjects), ", "))
}
