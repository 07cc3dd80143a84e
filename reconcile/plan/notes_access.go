package plan

import (
	"fmt"
	"slices"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/plan/index"
)

func groupSubject(name string) reconcile.Subject {
	return reconcile.Subject{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: name}
}

// Everybody notes the bindings that are not ours and make everybody as good as cluster-admin, whoever has a certificate and
// whoever has none. Only somebody who is that strong can make one.
func Everybody(x *index.Index) []reconcile.Note {
	var all []reconcile.Note
	for _, s := range []reconcile.Subject{groupSubject(access.Authenticated), groupSubject("system:unauthenticated"), reconcile.UserSubject("system:anonymous")} {
		all = append(all, accessOf(x, s)...)
	}
	return slices.DeleteFunc(all, func(n reconcile.Note) bool { return len(n.Power) == 0 })
}

// existingAccess notes what steps hand out to names and groups that have something already: each binding that is not ours and
// serves the CN, an O, or everybody who has a certificate. Strong roles of everybody are noted in any plan.
func existingAccess(x *index.Index, steps []reconcile.Step) []reconcile.Note {
	subjects := map[reconcile.Subject]bool{}
	for _, s := range steps {
		if s.Action != reconcile.Issue && s.Action != reconcile.Reissue && s.Action != reconcile.Bind {
			continue
		}
		subjects[groupSubject(access.Authenticated)] = true
		if s.User != "" {
			subjects[x.Subject(s.User)] = true
			for _, g := range x.Inventory.Defaults.CertificateGroups(x.Users[s.User]) {
				subjects[groupSubject(g)] = true
			}
			continue
		}
		if !x.Inventory.Defaults.WithoutGroups {
			subjects[groupSubject(s.Group)] = true
		}
		if s.Detail != nil {
			for _, u := range s.Detail.Add {
				subjects[reconcile.UserSubject(u)] = true
			}
		}
	}
	all := Everybody(x)
	for subject := range subjects {
		all = append(all, accessOf(x, subject)...)
	}
	return all
}

// ofKubernetes are the ClusterRoles that Kubernetes itself gives to everybody who is authenticated.
var ofKubernetes = []string{"system:basic-user", "system:discovery", "system:public-info-viewer"}

// maxAccess bounds the notes on what others bind to one subject: a tenant can bind a thousand roles to it.
const maxAccess = 20

// accessOf notes what others give to a subject. A group's is noted once, not for each member.
func accessOf(x *index.Index, subject reconcile.Subject) []reconcile.Note {
	n := reconcile.Note{Kind: reconcile.ExistingAccess}
	if subject.Kind == "User" {
		n.User = subject.Name
	} else {
		n.Group = subject.Name
	}
	return others(x, subject, n, fmt.Sprintf("%s %q", subject.Kind, subject.Name), "")
}

// leftBehind notes what others give to the earlier name of each user whose certificate this plan exchanges for one with a later
// name.
func leftBehind(x *index.Index, d *draft) []reconcile.Note {
	var all []reconcile.Note
	for name, v := range d.verdicts {
		if !x.Epochs.Raised[name] && (v.issues() != reconcile.CertificateRevoked || x.Epochs.Void[name]) {
			continue
		}
		old := x.Names[name].Epoch
		if last := x.Observed.Ledger[name].Record.Last(); last != nil {
			old = last.Epoch
		}
		n := reconcile.Note{Kind: reconcile.AccessLeftBehind, User: name}
		all = append(all, others(x, reconcile.UserSubject(reconcile.Username(name, old)), n, "the user's earlier name", "; the new name does not have it")...)
	}
	return all
}

// others notes the bindings that are not ours and serve a subject, those first that make as good as cluster-admin. The notes are
// like n. They call the subject whom, and end with more.
func others(x *index.Index, subject reconcile.Subject, n reconcile.Note, whom, more string) []reconcile.Note {
	var strong, weak []reconcile.Note
	unlisted := 0
	for _, b := range x.Others(subject) {
		if subject.Name == access.Authenticated && b.Kind == reconcile.ClusterRoleBinding && slices.Contains(ofKubernetes, b.RoleRef.Name) {
			continue
		}
		n.Power = x.RolePower(b.Role(), b.Namespace)
		if len(n.Power) == 0 && len(weak) == maxAccess {
			unlisted++
			continue
		}
		whose := "not certsync's"
		if owner := b.OwnerOf(); owner != "" && owner != x.Inventory.Owner {
			whose = fmt.Sprintf("owner %q's by its name", owner)
		}
		n.Object, n.Message = reconcile.Shown(b.Object()), fmt.Sprintf("gives %s %s, and is %s%s", whom, roleOf(*b), whose, more)
		if len(n.Power) > 0 {
			n.Message = fmt.Sprintf("is as good as cluster-admin (%s): it %s", n.Power[0], n.Message)
			strong = append(strong, n)
			continue
		}
		weak = append(weak, n)
	}
	all := slices.Concat(strong, weak)
	if unlisted > 0 {
		n.Power, n.Object, n.Message = nil, "", fmt.Sprintf("%d more bindings that are not certsync's give access to this subject; none of them is as good as cluster-admin%s", unlisted, more)
		all = append(all, n)
	}
	return all
}

// roleOf is what a binding grants, as a phrase.
func roleOf(b reconcile.Binding) string {
	where := "cluster-wide"
	if b.Kind == reconcile.RoleBinding {
		where = fmt.Sprintf("in namespace %q", b.Namespace)
	}
	return fmt.Sprintf("%s %q %s", reconcile.Shown(b.RoleRef.Kind), reconcile.Shown(b.RoleRef.Name), where)
}
