package generate

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/removals"
)

// TestEmergencyText: the commands for a user with bindings, for one whom the inventory does not know, and for one without any.
func TestEmergencyText(t *testing.T) {
	inv := fixture.Inventory(t, fixture.Team)
	o := fixture.Settled(inv)
	fixture.Bind(&o, reconcile.Grant{For: reconcile.ForUser, Subject: "dan@example.com", Namespace: "staging", Role: "edit", Part: 1}, "dan@example.com#2")
	e, err := removals.ByHand(inv, o.Bindings, fixture.Noon, []string{"alice@example.com", "dan@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	none, err := removals.ByHand(inv, nil, fixture.Noon, []string{"carol@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	e.Users = append(e.Users, none.Users...)
	fixture.Golden(t, filepath.Join("testdata/text", "emergency.txt"), string(Emergency(e)))
}

// TestEmergencyCommentsDoNothing: a shell that takes no comments, as zsh does when somebody types, gets nothing out of these lines
// but words, whatever a user is called.
func TestEmergencyCommentsDoNothing(t *testing.T) {
	for _, name := range []string{"alice@example.com", "$(touch pwned)", "a'b;touch pwned", "`touch pwned`", "x\ntouch pwned", fixture.Hostile} {
		e := removals.Emergency{Owner: "prod-eu", At: fixture.Noon, Users: []removals.EmergencyUser{
			{Name: name, InInventory: true, Commands: []string{": kubectl patch "}}, {Name: name, Commands: []string{}}}}
		text := strings.ReplaceAll("\n"+string(Emergency(e)), "\n# ", "\n: ")
		if strings.Contains(text, "#") {
			t.Errorf("%q: %s", name, text)
		}
		cmd := exec.Command("sh", "-euf", "-c", text)
		cmd.Dir = t.TempDir()
		out, err := cmd.CombinedOutput()
		if left, _ := os.ReadDir(cmd.Dir); err != nil || len(out) > 0 || len(left) > 0 {
			t.Errorf("%q: %v, %s, files %v", name, err, out, left)
		}
	}
}
