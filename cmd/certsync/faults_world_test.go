package main

import (
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/certsync/certsync/e2e/fake"
	"github.com/certsync/certsync/reconcile"
)

// newFaultWorld is a cluster and a Vault of which most is none of certsync's business.
func newFaultWorld(a *fake.Authority) *fake.World {
	w := fake.NewWorld(a)
	w.AddNamespaces("staging", "payments")
	w.AddClusterRoles("view", "edit", "admin", "node-reader", "secret-reader")
	w.Add(binding("", "cluster-admins", nil, "admin", "root", "bob"))
	w.Add(binding("staging", "copied", ourLabels(), "view", "alice"))
	w.Add(binding("payments", "certsync:other:user:alice:view", map[string]string{
		"app.kubernetes.io/managed-by": "certsync", "certsync.dev/owner": "other"}, "view", "alice"))
	w.WriteSecret("team/app", map[string]string{"password": "of somebody else"})
	w.WriteSecret("certsync/other/users/alice", map[string]string{"tls.crt": "of another owner"})
	return w
}

func ourLabels() map[string]string {
	return map[string]string{"app.kubernetes.io/managed-by": "certsync", "certsync.dev/owner": faultOwner}
}

func binding(namespace, name string, labels map[string]string, role string, users ...string) runtime.Object {
	m := metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels}
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}
	var subjects []rbacv1.Subject
	for _, u := range users {
		subjects = append(subjects, rbacv1.Subject{Kind: "User", APIGroup: rbacv1.GroupName, Name: u})
	}
	if namespace == "" {
		return &rbacv1.ClusterRoleBinding{ObjectMeta: m, RoleRef: ref, Subjects: subjects}
	}
	return &rbacv1.RoleBinding{ObjectMeta: m, RoleRef: ref, Subjects: subjects}
}

// isOurs says by its name whether an object or a secret is certsync's, for this owner.
func isOurs(name string) bool {
	kind, rest, _ := strings.Cut(name, " ")
	if kind == "RoleBinding" {
		_, rest, _ = strings.Cut(rest, "/")
	}
	switch kind {
	case "ClusterRoleBinding", "RoleBinding":
		return strings.HasPrefix(rest, "certsync:"+faultOwner+":")
	case "Lease":
		return rest == "kube-system/certsync-"+faultOwner
	}
	return strings.HasPrefix(name, "secret/"+ownFolder+"/")
}

// grants are what bindings of ours give to users: "alice: ClusterRole view in staging". Beside each stands that there is
// something, whatever the role: "alice: through group developers in staging", which a role change must not interrupt.
func grants(w *fake.World) map[string]bool {
	all := map[string]bool{}
	for _, b := range w.Bindings() {
		if !isOurs(b.Name) {
			continue
		}
		kind, name, _ := strings.Cut(b.Name, " ")
		where := " cluster-wide"
		if kind == "RoleBinding" {
			where, name, _ = strings.Cut(name, "/")
			where = " in " + where
		}
		parts := strings.SplitN(name, ":", 5) // certsync:<owner>:group:<group>:<role>
		for _, s := range b.Subjects {
			user := strings.TrimPrefix(s, "User ")
			all[user+": "+b.Role+where] = true
			all[user+": through "+parts[2]+" "+parts[3]+where] = true
		}
	}
	return all
}

// standing is how everything of certsync's stands in a world, without what differs from run to run: uids, versions,
// serials, times.
type standing struct {
	Bindings []fake.Binding
	Users    map[string]userStanding
	Owner    string // inventory and cluster in the owner's state
}

type userStanding struct {
	State       string
	Current     int // live certificates of that status
	Superseded  int
	Revoked     int
	Requested   int
	Credential  string // what stands in users/
	OldVersions int    // not destroyed
}

func standingOf(w *fake.World) standing {
	s := standing{Users: map[string]userStanding{}, Owner: ownerState(w)}
	for _, b := range w.Bindings() {
		if isOurs(b.Name) {
			s.Bindings = append(s.Bindings, b)
		}
	}
	for name, u := range w.Users(ownFolder) {
		live := u.Live()
		us := userStanding{
			State: u.State, Current: live["current"], Superseded: live["superseded"], Revoked: live["revoked"],
			Requested: live["requested"], Credential: "none",
		}
		if cert := u.Credential(); cert != "" {
			us.Credential = "not the ledger's current one"
			if c, ok := u.Recorded(cert); ok && c.Status == "current" && c.CredentialVersion == u.Version {
				us.Credential = "the ledger's current one"
			}
		}
		for _, v := range u.Stored {
			if v.Version != u.Version {
				us.OldVersions++
			}
		}
		s.Users[name] = us
	}
	return s
}

// asWell says in what another end differs from this one, or "". Certificates that were superseded are not counted: when
// the answer to a write gets lost, the next run issues another, and the ledger accounts for one more.
func (s standing) asWell(other standing) string {
	return cmp.Diff(s, other, cmpopts.IgnoreFields(userStanding{}, "Superseded"))
}

func ownerState(w *fake.World) string {
	var state struct{ ClusterUID, InventoryDigest string }
	if err := json.Unmarshal(w.Secret(ownFolder+"/state"), &state); err != nil {
		return "none"
	}
	return state.InventoryDigest + " on " + state.ClusterUID
}

// observer looks at a world after every write and notes what must never be.
type observer struct {
	start, end *fake.World // before the run, and after one without a fault
	own        []any       // public keys that certsync never had the other half of

	grants  []string        // that users have before and after, and so all the time
	holders []string        // who has a credential before and after
	had     map[string]bool // grants before
	foreign map[string]string
	unknown map[string]bool // certificates of stored keys that the ledger has lost before the run

	mu       sync.Mutex
	problems []string
}

func newObserver(start, end *fake.World, own []any, yields []string) *observer {
	o := &observer{start: start, end: end, own: own, had: grants(start), foreign: foreign(start, yields), unknown: map[string]bool{}}
	after := grants(end)
	for _, g := range slices.Sorted(maps.Keys(o.had)) {
		if after[g] {
			o.grants = append(o.grants, g)
		}
	}
	users := end.Users(ownFolder)
	for name, u := range start.Users(ownFolder) {
		for _, v := range u.Stored {
			if _, recorded := u.Recorded(v.Certificate); !recorded {
				o.unknown[v.Certificate] = true
			}
		}
		if u.Credential() != "" && users[name].Credential() != "" {
			o.holders = append(o.holders, name)
		}
	}
	return o
}

// foreign is all that is not ours. Requests for certificates that were there before the run are among it.
func foreign(w *fake.World, yields []string) map[string]string {
	all := w.Dump()
	maps.DeleteFunc(all, func(name, _ string) bool { return isOurs(name) || slices.Contains(yields, name) })
	return all
}

// fresh is an observer for another case of the same scenario.
func (o *observer) fresh() *observer {
	return &observer{start: o.start, end: o.end, own: o.own, grants: o.grants, holders: o.holders, had: o.had, foreign: o.foreign, unknown: o.unknown}
}

func (o *observer) note(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p := fmt.Sprintf(format, args...); !slices.Contains(o.problems, p) {
		o.problems = append(o.problems, p)
	}
}

// wrote is called after every write.
func (o *observer) wrote(target string, now *fake.World) {
	if _, theirs := o.foreign[target]; theirs {
		o.note("%s, which is not ours, was written", target)
	}
	has := grants(now)
	for _, g := range o.grants {
		if !has[g] {
			o.note("lost for a while: %s (after a write of %s)", g, target)
		}
	}
	users := now.Users(ownFolder)
	for _, name := range o.holders {
		if users[name].Credential() == "" {
			o.note("%s had no credential for a while (after a write of %s)", name, target)
		}
	}
	for _, cert := range now.Issued() {
		key := cert.PublicKey.(*ecdsa.PublicKey)
		name, _ := reconcile.Person(cert.Subject.CommonName)
		if slices.ContainsFunc(o.own, func(k any) bool { return key.Equal(k) }) && !users[name].Knows(cert) {
			o.note("the ledger did not know a certificate of %s, for their own key", name)
		}
	}
	for g := range has {
		username, _, _ := strings.Cut(g, ":")
		if name, _ := reconcile.Person(username); !o.had[g] && users[name].Credential() == "" {
			o.note("given before there was a credential: %s", g)
		}
	}
	for name, u := range users {
		if u.State == "removed" {
			o.gone(name, has, u)
		}
		if n := currents(u); n > 1 {
			o.note("%s had %d current certificates", name, n)
		}
		for _, v := range u.Stored {
			if _, recorded := u.Recorded(v.Certificate); v.Live && !recorded && !o.unknown[v.Certificate] {
				o.note("the ledger did not know the certificate of version %d of users/%s", v.Version, name)
			}
		}
	}
}

func currents(u fake.User) (n int) {
	for _, c := range u.Certificates {
		if c.Status == "current" {
			n++
		}
	}
	return n
}

// ended looks at the world when all runs are over.
func (o *observer) ended(w *fake.World) {
	all := w.Dump()
	for name, text := range o.foreign {
		if all[name] != text {
			o.note("%s is not ours and is now %q, not %q", name, all[name], text)
		}
	}
	has, users := grants(w), w.Users(ownFolder)
	end := o.end.Users(ownFolder)
	for _, name := range slices.Sorted(maps.Keys(users)) {
		if end[name].State != "active" {
			o.gone(name, has, users[name])
		}
	}
}

// gone notes what somebody who left still has.
func (o *observer) gone(name string, has map[string]bool, u fake.User) {
	for g := range has {
		if strings.HasPrefix(g, name+": ") {
			o.note("left, and keeps %s", g)
		}
	}
	if len(u.Stored) > 0 {
		o.note("%s left, and a credential can be read", name)
	}
}
