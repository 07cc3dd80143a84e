package removals_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
	"github.com/certsync/certsync/reconcile/removals"
)

// byHand are the commands for one user.
func byHand(t *testing.T, w *reconciletest.World, user string) []string {
	t.Helper()
	e, err := removals.ByHand(reconciletest.Parse(t, reconciletest.Team), slices.SortedFunc(maps.Values(w.Bindings), func(a, b reconcile.Binding) int {
		return strings.Compare(a.Object(), b.Object())
	}), w.Now, []string{user})
	if err != nil {
		t.Fatal(err)
	}
	return e.Users[0].Commands
}

// TestByHand: the user's own ClusterRoleBinding is deleted. Elsewhere the user's subjects go from the highest index down, each
// tested, and nobody else's.
func TestByHand(t *testing.T) {
	w := settled(t)
	put(w, groupView, users("alice", "bob", "alice#3", "bob#2")...)
	w.Plant(reconcile.NewBinding("other", reconcile.Grant{For: reconcile.ForUser, Subject: "alice", Role: "admin", Part: 1}, []string{"alice"}))
	w.Plant(reconcile.NewBinding("test", reconcile.Grant{For: reconcile.ForUser, Subject: "alice", Namespace: "staging", Role: "view", Part: 1}, []string{"alice#3"}))
	w.Plant(reconcile.NewBinding("test", reconcile.Grant{For: reconcile.ForUser, Subject: "bob", Role: "view", Part: 1}, []string{"alice"}))
	want := []string{
		`kubectl patch clusterrolebinding certsync:test:group:devs:view --type=json -p '[{"op":"test","path":"/subjects/2/name","value":"alice#3"},{"op":"remove","path":"/subjects/2"},{"op":"test","path":"/subjects/0/name","value":"alice"},{"op":"remove","path":"/subjects/0"}]'`,
		`kubectl delete clusterrolebinding certsync:test:user:alice:admin --timeout=30s`,
		`kubectl patch clusterrolebinding certsync:test:user:bob:view --type=json -p '[{"op":"test","path":"/subjects/0/name","value":"alice"},{"op":"remove","path":"/subjects/0"}]'`,
		`kubectl patch rolebinding -n staging certsync:test:group:devs:edit --type=json -p '[{"op":"test","path":"/subjects/0/name","value":"alice"},{"op":"remove","path":"/subjects/0"}]'`,
		`kubectl patch rolebinding -n staging certsync:test:user:alice:view --type=json -p '[{"op":"test","path":"/subjects/0/name","value":"alice#3"},{"op":"remove","path":"/subjects/0"}]'`,
	}
	if diff := cmp.Diff(want, byHand(t, w, "alice")); diff != "" {
		t.Error(diff)
	}
	w.Terminate(aliceAdmin) // a finalizer keeps it, and it still grants its role
	if got := byHand(t, w, "alice")[1]; !strings.HasPrefix(got, "kubectl patch clusterrolebinding certsync:test:user:alice:admin ") {
		t.Error(got)
	}
	for object := range w.Bindings {
		delete(w.Bindings, object)
	}
	if got := byHand(t, w, "alice"); len(got) > 0 {
		t.Errorf("nothing is bound: %q", got)
	}
	_, err := removals.ByHand(reconciletest.Parse(t, reconciletest.Team), nil, w.Now, []string{"alice", "mallory"})
	if !errors.As(err, new(reconcile.UnknownName)) || err.Error() != `--user "mallory": this name is neither in the inventory nor in the cluster` {
		t.Error(err)
	}
}

// TestPastedByHand: a shell that runs the commands takes exactly the user out, whatever the names are. Where the subjects have
// changed meanwhile, the commands fail instead of taking somebody else out.
func TestPastedByHand(t *testing.T) {
	hostile := []string{"mallory", "$(touch pwned)", `a'b"c\`, "two  blanks", "\x1b[2J\u202e", "𝄞 clef", "x`id`;&|", `\'`}
	for _, user := range hostile {
		w := settled(t)
		put(w, groupView, users("alice", user, "bob", user+"#2", user)...)
		put(w, groupEdit, users(user, "alice")...)
		put(w, carolEdit, users("carol", user)...)
		commands := byHand(t, w, user)
		shifted := maps.Clone(w.Bindings)
		for object, b := range shifted { // somebody has taken the first subject out
			b.Subjects = b.Subjects[1:]
			shifted[object] = b
		}
		if err := paste(t, w.Bindings, commands); err != nil || len(w.Subjects(groupView)) != 2 || len(w.Subjects(groupEdit)) != 1 || len(w.Subjects(carolEdit)) != 1 {
			t.Errorf("%q: %v; left: %q %q %q", user, err, w.Subjects(groupView), w.Subjects(groupEdit), w.Subjects(carolEdit))
		}
		before := fmt.Sprint(shifted)
		for _, c := range commands {
			if err := paste(t, shifted, []string{c}); err == nil {
				t.Errorf("%q: %s was carried out", user, c)
			}
		}
		if fmt.Sprint(shifted) != before {
			t.Errorf("%q: somebody else was taken out", user)
		}
	}
}

// paste has a shell run commands, with a kubectl that shows its arguments, and carries those out as the API server would.
func paste(t *testing.T, bindings map[string]reconcile.Binding, commands []string) error {
	t.Helper()
	script := `kubectl() { for a; do printf '%s\0' "$a"; done; printf '\n\0'; }` + "\n" + strings.Join(commands, "\n") + "\n"
	cmd := exec.Command("sh", "-eu", "-c", script)
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	calls := strings.Split(string(out), "\n\x00")
	if len(calls) != len(commands)+1 {
		t.Fatalf("%d calls of %d commands", len(calls)-1, len(commands))
	}
	for _, call := range calls[:len(commands)] {
		args := strings.Split(strings.TrimSuffix(call, "\x00"), "\x00")
		object := "ClusterRoleBinding "
		if args[1] == "rolebinding" {
			object = "RoleBinding " + args[3] + "/"
			args = slices.Delete(args, 2, 4)
		}
		object += args[2]
		b, found := bindings[object]
		switch {
		case !found:
			return fmt.Errorf("there is no %s", object)
		case args[0] == "delete":
			delete(bindings, object)
			continue
		}
		if b.Subjects, err = patched(b.Subjects, args[len(args)-1]); err != nil {
			return err
		}
		bindings[object] = b
	}
	return nil
}

// patched is a JSON patch of subjects, which is carried out as a whole or not at all.
func patched(subjects []reconcile.Subject, patch string) ([]reconcile.Subject, error) {
	var ops []struct{ Op, Path, Value string }
	if err := json.Unmarshal([]byte(patch), &ops); err != nil {
		return subjects, err
	}
	left := slices.Clone(subjects)
	for _, op := range ops {
		number, field, _ := strings.Cut(strings.TrimPrefix(op.Path, "/subjects/"), "/")
		i, err := strconv.Atoi(number)
		switch {
		case err != nil || i >= len(left):
			return subjects, fmt.Errorf("%s: no such subject", op.Path)
		case op.Op == "test" && field == "name" && left[i].Name == op.Value:
		case op.Op == "remove" && field == "":
			left = slices.Delete(left, i, i+1)
		default:
			return subjects, fmt.Errorf("%+v fails", op)
		}
	}
	return left, nil
}
