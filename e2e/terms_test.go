package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestFrom: a user and a grant begin at the first run after their time, which the job makes under an unchanged inventory.
func TestFrom(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	o := f.owner
	beginsAt := func(begin time.Time) {
		f.write(fmt.Sprintf("users:\n  - {name: alice@OWNER, from: %[1]s, clusterRoles: [view]}\n  - {name: bob@OWNER, clusterRoles: [{name: view, from: %[1]s}]}\n", begin.UTC().Format(time.RFC3339)))
	}
	started := time.Now()
	beginsAt(started.AddDate(1, 0, 0))
	if p := f.plan(); !p.note("begins", "alice@"+o) || !p.note("begins", "bob@"+o) {
		t.Errorf("plan does not say that something begins: %v", p.Notes)
	}
	if text := f.must(0, "plan").stdout; !strings.Contains(text, "Next: alice@"+o) {
		t.Errorf("the plan does not end with who begins next:\n%s", text)
	}
	f.must(0, "apply", "--yes")
	bob := f.userKubeconfig("bob@" + o)
	f.forbidden(bob, "get", "pods", "-A")
	if f.kv("users/alice@"+o) != nil || f.kv("ledger/alice@"+o) != nil {
		t.Error("alice has something before the time")
	}
	// The time lies as far ahead as these servers need to record the inventory before it.
	lead := max(10*time.Second, 3*time.Since(started))
	begin := time.Now().Add(lead).Truncate(time.Second)
	beginsAt(begin)
	f.must(0, "apply", "--yes")
	if !time.Now().Before(begin) {
		t.Fatalf("recording the inventory took longer than %s, three times all that came before it", lead)
	}
	eventually(t, lead, "the beginning", func() bool { return time.Now().After(begin) })
	steps := f.plan().steps()
	if !slices.Contains(steps, "issue alice@"+o+" from-reached") || !slices.Contains(steps, "bind bob@"+o+" from-reached") {
		t.Errorf("at the time: %q", steps)
	}
	f.must(0, "apply", "--yes", "--drift", "--max-removals=0")
	f.allowed(bob, "get", "pods", "-A")
	f.allowed(f.userKubeconfig("alice@"+o), "get", "pods", "-A")
	if p := f.plan(); p.Changes {
		t.Errorf("left: %q", p.steps())
	}
}

// TestProtected: a protected user who is missing from the inventory refuses the run. Without `protected` in one run, the user can go
// in the next one.
func TestProtected(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	o := f.owner
	const two = "users:\n  - {name: alice@OWNER, clusterRoles: [view], protected: true}\n  - {name: bob@OWNER, clusterRoles: [view]}\n"
	f.write(two)
	f.must(0, "apply", "--yes")
	alice := f.userKubeconfig("alice@" + o)
	without := "users:\n  - {name: bob@OWNER, clusterRoles: [view]}\n"
	f.write(without)
	if r := f.must(3, "apply", "--yes", "--max-removals=100%"); !strings.Contains(r.stderr, "put the entry back without protected") {
		t.Errorf("the refusal does not say the way: %s", r.stderr)
	}
	f.allowed(alice, "get", "pods", "-A")
	f.write(strings.Replace(two, ", protected: true", "", 1))
	if steps := f.plan().steps(); !slices.Contains(steps, "update alice@"+o+" unprotected") || len(steps) != 1 {
		t.Errorf("steps: %q", steps)
	}
	f.must(0, "apply", "--yes")
	f.allowed(alice, "get", "pods", "-A")
	f.write(without)
	f.must(0, "apply", "--yes", "--max-removals=100%")
	f.forbidden(alice, "get", "pods", "-A")
}

// TestWhy: a reason and a ticket are in the plan, and in no object of the cluster or in Vault.
func TestWhy(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	o := f.owner
	f.write("users: [{name: alice@OWNER, reason: zebra crossing, ticket: ZEBRA-1, clusterRoles: [{name: view, reason: zebra grazing, ticket: ZEBRA-2}]}]")
	for _, format := range []string{"text", "json", "markdown"} {
		out := f.must(0, "plan", "-o", format).stdout
		for _, want := range []string{"zebra crossing", "ZEBRA-1", "zebra grazing", "ZEBRA-2"} {
			if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
				t.Errorf("plan -o %s lacks %q:\n%s", format, want, out)
			}
		}
	}
	f.must(0, "apply", "--yes")
	if out := f.must(0, "status", "--user", "alice@"+o).stdout; !strings.Contains(out, "zebra crossing") || !strings.Contains(out, "ZEBRA-2") {
		t.Errorf("status: %s", out)
	}
	for _, kind := range []string{"clusterrolebindings", "rolebindings", "certificatesigningrequests", "leases", "configmaps", "events"} {
		if out := f.kubectl("get", kind, "-A", "-o", "yaml"); strings.Contains(strings.ToLower(out), "zebra") {
			t.Errorf("the reason is in %s", kind)
		}
	}
	for _, path := range []string{"state", "ledger/alice@" + o, "users/alice@" + o} {
		if text := strings.ToLower(fmt.Sprint(f.kv(path))); strings.Contains(text, "zebra") {
			t.Errorf("the reason is in Vault at %s", path)
		}
	}
}
