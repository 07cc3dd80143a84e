package revocation

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/certsync/certsync/reconcile"
)

// hostileRecord is set for the child process of TestForgedRecord.
const hostileRecord = "TEST_HOSTILE_RECORD"

func TestMain(m *testing.M) {
	if os.Getenv(hostileRecord) == "" {
		os.Exit(m.Run())
	}
	o, names := forged()
	p := reconcile.Plan{Owner: "test", State: reconcile.State{Names: names}}
	Extend(&p, o, reconcile.Rules{})
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	// All memory that Go had of the system, which it does not give back: the most that it had at once.
	fmt.Println(memory.Sys, len(p.Notes))
	os.Exit(0)
}

const (
	forgedCertificates = 500
	groupsOfEach       = 100
)

// forged is a cluster in which each of many groups has bindings in 40 namespaces. A ledger record of "eve" has revoked certificates,
// each with another name and with other groups of these.
func forged() (reconcile.Observed, map[string]reconcile.Name) {
	o := reconcile.Observed{At: end.Add(-time.Hour)}
	o.Rules = map[reconcile.Role][]reconcile.Rule{{Name: "view"}: {{Verbs: []string{"get"}, Groups: []string{""}, Resources: []string{"pods"}}}}
	group := func(i int) string { return fmt.Sprintf("group%d", i%(2*groupsOfEach)) }
	for i := range 40 * 2 * groupsOfEach {
		o.Bindings = append(o.Bindings, reconcile.Binding{Kind: reconcile.RoleBinding, Namespace: fmt.Sprintf("namespace%d", i%40), Name: fmt.Sprintf("binding%d", i),
			RoleRef:  reconcile.RoleRef{Kind: "ClusterRole", Name: "view"},
			Subjects: []reconcile.Subject{{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: group(i / 40)}}})
	}
	rec := &reconcile.Record{User: "eve", State: reconcile.Active}
	for i := range forgedCertificates {
		c := reconcile.CertificateEntry{Status: reconcile.Revoked, SHA256: fmt.Sprintf("%064x", i), NotAfter: end, Epoch: int64(i + 1)}
		for g := range groupsOfEach {
			c.Groups = append(c.Groups, group(i+g))
		}
		rec.Certificates = append(rec.Certificates, c)
	}
	o.Ledger = map[string]reconcile.LedgerEntry{"eve": {Record: rec}}
	return o, map[string]reconcile.Name{"eve": {Epoch: forgedCertificates + 1}}
}

// TestForgedRecord: a writer of one ledger path cannot make a plan take the memory of what each certificate in it would have: two
// million rows.
func TestForgedRecord(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // it takes seconds, on a machine that has nothing else to do
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), "GOGC=", hostileRecord+"=1") // as much memory as users need
	out, err := cmd.Output()
	var memory, notes int
	if _, scanned := fmt.Sscan(string(out), &memory, &notes); err != nil || scanned != nil {
		t.Fatalf("%v, %v in %s", err, scanned, out)
	}
	t.Logf("%d MiB, %s, %d notes", memory>>20, cmd.ProcessState.UserTime(), notes)
	if memory > 128<<20 || notes != forgedCertificates {
		t.Errorf("it took %d MiB, and there are %d notes", memory>>20, notes)
	}
}

// TestSharedResidualAccess: what bindings give to certificates with the same groups is one list, and certificates with other groups share
// the rules of a role.
func TestSharedResidualAccess(t *testing.T) {
	o, names := forged()
	few := certificates(names, o)[:5]
	all := slices.Concat(few, few)
	addResidual(all, lookup("test", o, all))
	for i, c := range few {
		c.ResidualAccess = all[i].ResidualAccess
		again := all[len(few)+i]
		if len(c.ResidualAccess) == 0 || &c.ResidualAccess[0] != &again.ResidualAccess[0] || &c.ResidualAccess[0].Rules[0] != &all[0].ResidualAccess[0].Rules[0] {
			t.Fatalf("%s has lists of its own", c.Username)
		}
	}
}
