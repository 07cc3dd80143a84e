package main

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/certsync/certsync/e2e/fake"
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
		return name == lockName
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
			user := strings.TrimPrefix(s, "User ") // with the number of the epoch
			all[user+": "+b.Role+where] = true
			all[user+": through "+parts[2]+" "+parts[3]+where] = true
		}
	}
	return all
}

// standing is how everything of certsync's stands in a world, without what differs from run to run: uids, versions,
// serials, times, numbers of epochs.
type standing struct {
	Denied   []string // whose certificates the admission policy denies
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
	s, epochs := standing{Users: map[string]userStanding{}, Owner: ownerState(w), Denied: deniedBy(w)}, epochsOf(w)
	for _, b := range w.Bindings() {
		if isOurs(b.Name) {
			for i, subject := range b.Subjects {
				b.Subjects[i] = subjectStanding(epochs, subject)
			}
			slices.Sort(b.Subjects)
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
			if !inForce(epochs, usernameIn(cert)) {
				us.Credential = "a revoked one"
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

// asWell says in what another end differs from this one, or "". Certificates that were superseded or revoked are not counted: when
// the answer to a write gets lost, the next run issues another, and the ledger accounts for one more.
func (s standing) asWell(other standing) string {
	some := cmp.Comparer(func(a, b userStanding) bool {
		a.Superseded, a.Revoked, b.Superseded, b.Revoked = 0, min(a.Revoked, 1), 0, min(b.Revoked, 1)
		return a == b
	})
	return cmp.Diff(s, other, some)
}

func ownerState(w *fake.World) string {
	var state struct{ ClusterUID, InventoryDigest string }
	if err := json.Unmarshal(w.Secret(ownFolder+"/state"), &state); err != nil {
		return "none"
	}
	return state.InventoryDigest + " on " + state.ClusterUID
}
