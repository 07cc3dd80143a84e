package apply_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestVersionThatIsNotDestroyed: who has a stored credential is bound, whatever becomes of its earlier versions. The next run destroys
// them.
func TestVersionThatIsNotDestroyed(t *testing.T) {
	w := hourLater(t)
	w.Rules.Revoke = []string{"bob"}
	w.Fail = reconciletest.Failing("destroy bob", reconciletest.ErrBoom)
	o, err := w.Apply(reconciletest.Parse(t, reconciletest.Team))
	if err != nil || o.Failed() != 1 || len(w.Served("bob#2")) == 0 {
		t.Errorf("%v, %q; bob#2 has %q", err, reconciletest.Results(o), w.Served("bob#2"))
	}
	w.Rules.Revoke, w.Fail = nil, nil
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	if got := strings.Join(w.Writes(), ", "); !strings.Contains(got, "destroy bob") || strings.Contains(got, "issue") {
		t.Errorf("the next run: %s", got)
	}
}

// TestVersionsThatAreNotDestroyed: they keep nobody else from a certificate.
func TestVersionsThatAreNotDestroyed(t *testing.T) {
	w, text := crewOf(t, 6)
	w.Rules.BatchSize = 0
	w.Fail = func(call string) error {
		if strings.HasPrefix(call, "destroy ") {
			return reconciletest.ErrBoom
		}
		return nil
	}
	if _, err := w.Apply(reconciletest.Parse(t, text)); err != nil {
		t.Fatal(err)
	}
	for n := range 6 {
		if name := fmt.Sprintf("user%02d#%d", n, n+2); len(w.Served(name)) != 2 {
			t.Errorf("%s has %q", name, w.Served(name))
		}
	}
}
